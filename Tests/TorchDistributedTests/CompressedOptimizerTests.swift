import Testing

/// 1-bit Adam, 0/1 Adam and 1-bit LAMB on real ranks, against all ranks simulated in plain numbers.
@Suite(.serialized) struct CompressedOptimizerTests {
  @Test(arguments: [1, 2, 3]) func oneBitAdam(_ size: Int) throws {
    var simulation = CompressionSimulation(ranks: size)
    try compare("adam", size, reducing: (1...12).map { $0 <= 5 }) { step in
      simulation.stepAdam(step, freeze: 5)
      return simulation.state
    }
  }

  @Test(arguments: [1, 2, 3]) func oneBitLamb(_ size: Int) throws {
    var simulation = CompressionSimulation(ranks: size)
    var knowledge = [(0.0, 1.0, 0.0), (0.0, 1.0, 0.0)]
    try compare("lamb", size, reducing: (1...12).map { $0 <= 5 }) { step in
      simulation.stepLamb(step, freeze: 5, &knowledge)
      return simulation.state
    }
  }

  @Test(arguments: [1, 2, 3]) func zeroOneAdam(_ size: Int) throws {
    var simulation = ZeroOneSimulation(ranks: size)
    // Gradients are averaged in steps 1 and 2, then in every second, from step 8 on never.
    try compare("zero-one", size, reducing: (1...12).map { $0 <= 2 || $0 == 4 || $0 == 6 }) { step in
      simulation.step(step)
      return simulation.base.state
    }
  }

  private func compare(
    _ name: String, _ size: Int, reducing: [Bool], _ step: (Int) -> [[CompressionSimulation.Parameter]]
  ) throws {
    let run = try ProbeRun("compressed", size: size, argument: name)
    let found = run.processes.map { process in
      process.lines("values").map { $0.split(separator: " ").compactMap { Double($0) } }
    }
    for (rank, process) in run.processes.enumerated() {
      #expect(process.lines("reduces") == reducing.map { "\($0)" })
      try #require(found[rank].count == 12)
    }
    for number in 1...12 {
      let state = step(number)
      for rank in 0..<size {
        let expected = state[rank].flatMap(\.values)
        let values = found[rank][number - 1]
        try #require(values.count == expected.count)
        let difference = zip(values, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(difference < 1e-9, "\(name), step \(number), rank \(rank)")
      }
    }
  }
}

/// 0/1 Adam on all ranks, with the policy of the probe.
private struct ZeroOneSimulation {
  var base: CompressionSimulation
  private var interval = 1
  private var counter = 0
  private var localInterval = 1
  private var localCounter = 0

  init(ranks: Int) { base = CompressionSimulation(ranks: ranks) }

  mutating func step(_ step: Int) {
    if step > 7 { return stepLocally(step) }
    let isDense = step % interval == 0
    for parameter in 0..<2 {
      let mean = base.meanGradient(parameter, step)
      if isDense {
        for rank in 0..<base.ranks {
          base.gatherSquares(rank, parameter, mean)
          base.gather(rank, parameter, mean)
        }
      } else {
        let sent = (0..<base.ranks).map { base.gradient($0, parameter, step) }
        let common = base.compressed(sent, parameter)
        for rank in 0..<base.ranks { base.gather(rank, parameter, base.masked(rank, parameter, common)) }
      }
      for rank in 0..<base.ranks { base.move(rank, parameter, base.update(rank, parameter), by: base.rate) }
    }
    guard isDense else { return }
    counter += 1
    if counter == 2 {
      counter = 0
      interval *= 2
    }
  }

  private mutating func stepLocally(_ step: Int) {
    if step == 8 { base.errors = [:] }
    for parameter in 0..<2 {
      for rank in 0..<base.ranks {
        base.gather(rank, parameter, base.gradient(rank, parameter, step))
        base.state[rank][parameter].average = base.masked(rank, parameter, base.state[rank][parameter].average)
        let update = base.update(rank, parameter)
        base.move(rank, parameter, update, by: base.rate)
        for (index, value) in update.enumerated() { base.state[rank][parameter].way[index] -= base.rate * value }
        base.state[rank][parameter].rates += base.rate
      }
      if step % localInterval == 0 { meet(parameter) }
    }
    localCounter += 1
    if localCounter == 2 {
      localCounter = 0
      localInterval = min(2, localInterval * 2)
    }
  }

  private mutating func meet(_ parameter: Int) {
    let denominators = base.state[0][parameter].squares.map { $0.squareRoot() + base.epsilon }
    let ways = (0..<base.ranks).map { zip(base.state[$0][parameter].way, denominators).map { $0 * $1 } }
    let common = base.compressed(ways, parameter)
    for rank in 0..<base.ranks {
      base.move(rank, parameter, base.state[rank][parameter].way, by: 1)
      let way = common.indices.map { base.state[rank][parameter].squares[$0] > 0 ? common[$0] : ways[rank][$0] }
      let rates = base.state[rank][parameter].rates
      base.state[rank][parameter].average = base.masked(rank, parameter, way.map { -$0 / rates })
      base.move(rank, parameter, zip(way, denominators).map { -$0 / $1 }, by: 1)
      base.state[rank][parameter].way = way.map { _ in 0 }
      base.state[rank][parameter].rates = 0
    }
  }
}
