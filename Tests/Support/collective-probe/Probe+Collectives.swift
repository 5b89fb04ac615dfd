import Torch
import TorchDistributed

extension Probe {
  static let operations: [(name: String, operation: ReduceOperation)] = [
    ("sum", .sum), ("product", .product), ("minimum", .minimum), ("maximum", .maximum), ("mean", .mean),
  ]

  func allReduce() throws {
    let group = try group()
    let values = Tensor([Double(rank + 1), Double(2 * rank), Double(-rank)])
    for dtype in [DType.float32, .float64, .bfloat16, .int64] {
      for (name, operation) in Self.operations where operation != .mean || dtype.isFloatingPoint {
        let tensor = values.to(dtype).clone()
        try group.allReduce(tensor, by: operation)
        try say("\(name) \(dtype)", tensor)
      }
    }
    for (name, operation) in [("and", ReduceOperation.bitwiseAnd), ("or", .bitwiseOr), ("xor", .bitwiseXor)] {
      let tensor = Tensor([12 + rank, 1 << rank, 7])
      try group.allReduce(tensor, by: operation)
      try say(name, tensor)
    }
    if size > 1 { sayFailure("bits of floats") { try group.allReduce(values.clone(), by: .bitwiseAnd) } }
    let matrix = Tensor.full([64, 33], Scalar(rank + 1))
    try group.allReduce(matrix)
    try say("large", Tensor.stack([matrix.min(), matrix.max()]))
  }

  func gather() throws {
    let group = try group()
    let even = try group.allGather(Tensor([rank * 10, rank * 10 + 1]))
    try say("even", Tensor.cat(even))
    let rows = Tensor.full([rank + 1, 2], Scalar(rank), dtype: .float32)
    let uneven = try group.allGather(rows)
    say("uneven shapes", uneven.map { "\($0.shape)" })
    try say("uneven", Tensor.cat(uneven))
    let partlyEmpty = try group.allGather(Tensor.full([rank, 1], Scalar(rank)))
    say("partly empty", partlyEmpty.map(\.count))
    say("all empty", try group.allGather(Tensor.zeros([0, 3])).map { "\($0.shape)" })
    let numbers = try group.allGather(Tensor(Double(rank) + 0.5, dtype: .float64))
    say("numbers shapes", numbers.map { "\($0.shape)" })
    try say("numbers", Tensor.stack(numbers))
    let strided = try group.allGather(Tensor.arange(4).reshaped(2, 2).transposed + Scalar(rank))
    try say("strided", Tensor.cat(strided))
    let output = Tensor.zeros([size * 2])
    try group.allGather(into: output, from: Tensor.full([2], Scalar(rank)))
    try say("into", output)

    let part = Tensor.zeros([2])
    try group.reduceScatter(into: part, from: Tensor.arange(size * 2, dtype: .float32) + Scalar(rank))
    try say("reduce-scatter", part)

    say("bytes", try group.allGather(bytes: [UInt8](repeating: UInt8(rank), count: rank)).map { "\($0)" })
    let objects = try group.allGather(object: ["rank \(rank)": [Double(rank) / 3]])
    say("objects", objects.map { "\($0)" })
  }

  func exchange() throws {
    let group = try group()
    let received = Tensor.zeros([size], dtype: .int64)
    try group.startAllToAll(into: received, from: Tensor.arange(size) + Scalar(100 * rank)).wait()
    try say("all-to-all", received)

    guard size > 1 else { return }
    let (next, previous) = ((rank + 1) % size, (rank + size - 1) % size)
    let second = Tensor.zeros([3])
    let first = Tensor.zeros([1])
    let works = [
      try group.startReceive(into: second, from: previous, tag: 2),
      try group.startReceive(into: first, from: previous, tag: 1),
      try group.startSend(Tensor([Float(rank)]), to: next, tag: 1),
      try group.startSend(Tensor.full([3], Scalar(10 * rank)), to: next, tag: 2),
    ]
    for work in works { try work.wait() }
    try say("tag 1", first)
    try say("tag 2", second)
  }

  func broadcast() throws {
    let group = try group()
    for source in 0..<size {
      let tensor = Tensor.full([2, 2], Scalar(rank + 7))
      try group.broadcast(tensor, from: source)
      try say("from \(source)", tensor)
    }
    let last = size - 1
    let list = [
      Tensor.full([3], Scalar(rank)), Tensor.full([2], Scalar(rank + 10), dtype: .float64),
      Tensor.full([1], Scalar(rank + 20)), Tensor.full([2], Scalar(rank + 30), dtype: .int64),
    ]
    try group.broadcast(list, from: last)
    for tensor in list { try say("list", tensor) }
    try group.broadcast([], from: last)
    say("bytes", try group.broadcast(bytes: rank == last ? [1, 2, 255] : [], from: last))
    say("no bytes", try group.broadcast(bytes: rank == 0 ? [] : [9], from: 0))
    say("object", [try group.broadcast(object: ["x": [0.1, Double(rank)]], from: last)["x"]?.description ?? "none"])
    say("text", [try group.broadcast(object: rank == 0 ? "ä \"quoted\"" : "", from: 0)])
  }

  func runAsynchronously() throws {
    let group = try group()
    let tensors = (1...6).map { Tensor.full([$0 * 1000], Scalar(rank + $0)) }
    let works = try tensors.map { try group.startAllReduce($0) }
    for work in works { try work.wait() }
    say("completed", works.map(\.isCompleted))
    for tensor in tensors { try say("sum", Tensor.stack([tensor.min(), tensor.max()])) }
    let (gathered, spread) = (Tensor.zeros([size]), Tensor.full([2], Scalar(rank)))
    let mixed = [
      try group.startAllGather(into: gathered, from: Tensor([Float(rank)])), try group.startBroadcast(spread, from: 0),
    ]
    for work in mixed.reversed() { try work.wait() }
    try say("gathered", gathered)
    try say("broadcast", spread)
  }

  func meetAtBarrier() throws {
    let group = try group()
    let store = try store()
    for round in 0..<5 {
      try store.add("round \(round)", 1)
      try group.barrier()
      say("came", [try store.add("round \(round)", 0)])
      try group.barrier()
    }
  }

  /// Two groups on one store do not disturb each other.
  func useTwoGroups() throws {
    let groups = [try group(name: "first"), try group(name: "second")]
    let tensors = [Tensor.full([3], Scalar(rank)), Tensor.full([5], Scalar(rank + 1))]
    let order = rank % 2 == 0 ? [0, 1] : [1, 0]
    var works: [Work] = []
    for index in order { works.append(try groups[index].startAllReduce(tensors[index])) }
    for work in works { try work.wait() }
    for tensor in tensors { try say("sum", tensor) }
  }
}
