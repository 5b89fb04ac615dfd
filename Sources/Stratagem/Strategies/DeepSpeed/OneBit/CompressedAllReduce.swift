internal import Torch
internal import TorchDistributed

/// The mean of tensors over the ranks, sent with one bit a number; what is lost comes back in the next call.
///
/// On every rank, with u = tensor + worker error and n elements: the scale is s = ‖u‖/√n, sgn(0) = 1, and the worker error
/// becomes u - s·sgn(u). Rank r gets the r-th part of all signs and the scales, and has c = mean of s·sgn + server error;
/// it sends the signs of c and their scale to all, and its server error becomes the difference. See "1-bit Adam",
/// https://arxiv.org/abs/2102.02888.
///
/// Several tensors cross the ranks together, each with scales of its own. Each is padded with zeros to a multiple of
/// ranks × lcm(ranks, 8) elements, as in DeepSpeed.
final class CompressedAllReduce {
  private let group: ProcessGroup
  private let counts: [Int]
  /// The elements of each tensor that this rank sums up.
  private let chunks: [Int]
  private let packing: SignPacking
  private let size: Int
  private let columns: Int
  /// What this rank lost of its own tensors: [ranks, columns], a row for the part of each rank.
  private(set) var workerError: Tensor
  /// What this rank lost of the sums it sent: [columns].
  private(set) var serverError: Tensor

  init(over group: ProcessGroup, counts: [Int], dtype: DType, device: Device) {
    self.group = group
    self.counts = counts
    size = group.size
    let multiple = Self.leastCommonMultiple(group.size, 8)
    chunks = counts.map { ($0 + group.size * multiple - 1) / (group.size * multiple) * multiple }
    columns = chunks.reduce(0, +)
    packing = SignPacking(dtype: dtype, device: device)
    workerError = .zeros([group.size, columns], dtype: dtype, device: device)
    serverError = .zeros([columns], dtype: dtype, device: device)
  }

  private static func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
    var (x, y) = (a, b)
    while y != 0 { (x, y) = (y, x % y) }
    return a / x * b
  }

  /// The means of `tensors`, whose numbers of elements are those given at first. Called on all ranks.
  func mean(_ tensors: [Tensor]) throws -> [Tensor] {
    let input = arranged(tensors) + workerError
    let scales = Tensor.stack(blocks(of: input).map { scale($0) })
    let signs = packing.pack(input)
    workerError = input - packing.unpack(signs) * spread(scales)

    let received = Tensor.empty([size, columns / 8], dtype: .uint8, device: input.device)
    let allScales = Tensor.empty([size * counts.count], dtype: input.dtype, device: input.device)
    let exchange = try group.startAllToAll(into: received, from: signs)
    let gather = try group.startAllGather(into: allScales, from: scales)
    try exchange.wait()
    try gather.wait()
    let scalesByRank = allScales.reshaped([size, counts.count])
    var sum = serverError
    for rank in 0..<size {
      let part = packing.unpack(received.selected(dim: 0, index: rank))
      sum = sum + part * spread(scalesByRank.selected(dim: 0, index: rank)) / Scalar(size)
    }
    return try gathered(sum, shapes: tensors.map(\.shape))
  }

  /// Sends this rank's sums and receives those of the others.
  private func gathered(_ sum: Tensor, shapes: [[Int]]) throws -> [Tensor] {
    let scales = Tensor.stack(blocks(of: sum.unsqueezed(dim: 0)).map { scale($0) })
    let signs = packing.pack(sum)
    serverError = sum - packing.unpack(signs) * spread(scales)

    let allSigns = Tensor.empty([size * columns / 8], dtype: .uint8, device: sum.device)
    let allScales = Tensor.empty([size * counts.count], dtype: sum.dtype, device: sum.device)
    let first = try group.startAllGather(into: allSigns, from: signs)
    let second = try group.startAllGather(into: allScales, from: scales)
    try first.wait()
    try second.wait()
    let scalesByRank = allScales.reshaped([size, counts.count])
    let rows = (0..<size).map { spread(scalesByRank.selected(dim: 0, index: $0)) }
    let means = packing.unpack(allSigns.reshaped([size, columns / 8])) * Tensor.stack(rows)
    return zip(zip(blocks(of: means), counts), shapes).map { pair, shape in
      pair.0.reshaped([-1]).narrowed(dim: 0, start: 0, length: pair.1).reshaped(shape)
    }
  }

  /// A row for the part of each rank, the tensors side by side: [ranks, columns].
  private func arranged(_ tensors: [Tensor]) -> Tensor {
    let blocks = zip(tensors, chunks).map { tensor, chunk in
      let flat = tensor.detached().reshaped([-1])
      let missing = chunk * size - tensor.count
      let padding = Tensor.zeros([missing], dtype: tensor.dtype, device: tensor.device)
      return (missing > 0 ? Tensor.cat([flat, padding]) : flat).reshaped([size, chunk])
    }
    return .cat(blocks, dim: 1)
  }

  /// The columns of each tensor.
  private func blocks(of rows: Tensor) -> [Tensor] {
    var start = 0
    return chunks.map { chunk in
      defer { start += chunk }
      return rows.narrowed(dim: 1, start: start, length: chunk)
    }
  }

  private func scale(_ block: Tensor) -> Tensor {
    block.count > 0 ? block.norm() / Scalar(Double(block.count).squareRoot()) : Tensor.zeros([], dtype: block.dtype)
  }

  /// One number for each column from one for each tensor.
  private func spread(_ scales: Tensor) -> Tensor {
    .cat(chunks.enumerated().map { scales.narrowed(dim: 0, start: $0.offset, length: 1).expanded(to: [$0.element]) })
  }

  /// Forgets what was lost.
  func clearErrors() {
    workerError.zero()
    serverError.zero()
  }

  /// Takes over what was lost on this rank in a run of as many ranks.
  func restoreErrors(worker: Tensor, server: Tensor) {
    guard worker.count == workerError.count, server.count == serverError.count else { return }
    workerError.copy(from: worker.reshaped(workerError.shape))
    serverError.copy(from: server.reshaped(serverError.shape))
  }
}
