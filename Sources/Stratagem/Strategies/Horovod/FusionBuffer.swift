internal import Torch
internal import TorchDistributed

/// Gradients that cross the ranks in one collective: a flat tensor, with a place for each.
///
/// It ends with one number for each gradient that tells whether this rank has one: a parameter that has none anywhere
/// stays without, as it does on one device.
final class FusionBuffer {
  /// The positions of the tensors among those of the optimizer.
  let members: [Int]
  /// The names of the tensors, for messages.
  let subject: String
  /// How many of the gradients of this step are not there yet.
  var missing: Int
  var work: Work?

  /// All numbers, padded for ``Adasum``.
  private let storage: Tensor
  /// The numbers of the tensors.
  private let numbers: Tensor
  /// Both, as they cross the ranks in a sum.
  private let message: Tensor
  private let views: [Tensor]
  private let presence: Tensor
  private let dtype: DType
  /// Where each tensor begins, and where the last one ends.
  private let bounds: [Int]

  /// - Parameters:
  ///   - tensors: of one type and on one device.
  ///   - wireType: the type in which they travel.
  ///   - ranks: how many ranks there are.
  init(_ members: [Int], _ tensors: [Tensor], names: [String], wireType: DType, ranks: Int) {
    self.members = members
    subject = "the gradients of \(names.abridged)"
    missing = members.count
    dtype = tensors[0].dtype
    bounds = tensors.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
    let count = bounds[tensors.count]
    let needed = count + tensors.count
    let padded = (needed + ranks - 1) / ranks * ranks
    let storage = Tensor.zeros([padded], dtype: wireType, device: tensors[0].device)
    self.storage = storage
    numbers = storage.narrowed(dim: 0, start: 0, length: count)
    presence = storage.narrowed(dim: 0, start: count, length: tensors.count)
    message = storage.narrowed(dim: 0, start: 0, length: needed)
    let starts = bounds
    views = tensors.indices.map { index in
      storage.narrowed(dim: 0, start: starts[index], length: tensors[index].count).view(tensors[index].shape)
    }
  }

  /// Copies tensors in, zeros in the place of those that are not there, and starts to sum them up.
  func launch(_ tensors: [Tensor?], scale: Double, _ group: ProcessGroup) throws {
    pack(tensors, scale: scale)
    work = try group.startAllReduce(message, by: .sum)
  }

  /// Copies tensors in and combines them with Adasum.
  func combine(_ tensors: [Tensor?], _ adasum: Adasum) throws {
    pack(tensors, scale: 1)
    presence.zero()
    try adasum.reduce(storage, bounds: bounds)
  }

  private func pack(_ tensors: [Tensor?], scale: Double) {
    presence.fill(1)
    var targets: [Tensor] = []
    var sources: [Tensor] = []
    for (index, tensor) in tensors.enumerated() {
      guard let tensor else {
        views[index].zero()
        presence.selected(dim: 0, index: index).zero()
        continue
      }
      targets.append(views[index])
      // Scaled before it loses range.
      sources.append(scale != 1 && dtype != storage.dtype ? tensor * scale : tensor)
    }
    if !targets.isEmpty { Aten._foreach_copy_(targets, src: sources) }
    if scale != 1, dtype == storage.dtype { numbers.multiply(by: Scalar(scale)) }
  }

  /// Waits for the sum, and copies it out.
  ///
  /// - Returns: for each position of `tensors` that is nil, a new tensor when another rank has one.
  func finish(_ tensors: [Tensor?], scale: Double, _ group: ProcessGroup) throws -> [Tensor?] {
    if let work { try group.activity.about(subject) { try work.wait() } }
    work = nil
    return try copyOut(tensors, scale: scale)
  }

  /// Copies the numbers out, as ``finish(_:scale:_:)`` does.
  func copyOut(_ tensors: [Tensor?], scale: Double) throws -> [Tensor?] {
    let isConverted = dtype != storage.dtype
    if scale != 1, !isConverted { numbers.multiply(by: Scalar(scale)) }
    let present = tensors.indices.filter { tensors[$0] != nil }
    let own = present.compactMap { tensors[$0] }
    if !own.isEmpty {
      Aten._foreach_copy_(own, src: present.map { views[$0] })
      if isConverted, scale != 1 { Aten._foreach_mul_(own, scalar: Scalar(scale)) }
    }
    guard own.count < tensors.count else { return tensors }
    let counts = try presence.to(.float32).array(as: Float.self)
    return tensors.indices.map { index in
      if let tensor = tensors[index] { return tensor }
      guard counts[index] > 0 else { return nil }
      let result = views[index].clone().to(dtype)
      return isConverted && scale != 1 ? result * scale : result
    }
  }
}
