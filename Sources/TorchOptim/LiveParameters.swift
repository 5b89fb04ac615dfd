import Torch
import TorchNN

/// The parameters of a group that have a gradient in this step, and how they can be updated.
///
/// From step to step only the gradients are fetched; the rest is found anew when other parameters have one, or when a
/// parameter's tensor is another one.
struct LiveParameters {
  /// What the tensors of one call of a fused kernel have in common.
  struct Kind: Equatable {
    let dtype: DType
    let device: Device
  }

  /// Positions in the group.
  private(set) var positions: [Int] = []
  private(set) var tensors: [Tensor] = []
  private(set) var gradients: [Tensor] = []
  /// Whether one fused call can update all of them.
  private(set) var isUniform = false

  /// The kind of each live tensor; `nil` when no fused kernel takes it.
  private var kinds: [Kind?] = []
  private var areOfOneKind = false

  /// Collects the parameters that have a gradient.
  ///
  /// - Returns: whether other tensors are live than in the step before.
  mutating func collect(_ parameters: [AnyParameter]) -> Bool {
    gradients.removeAll(keepingCapacity: true)
    var isSame = true
    var areContiguous = true
    for position in parameters.indices {
      let tensor = parameters[position].tensor
      guard let gradient = tensor.gradient else { continue }
      let place = gradients.count
      if place >= positions.count || positions[place] != position || tensors[place] !== tensor { isSame = false }
      if !gradient.isContiguous { areContiguous = false }
      gradients.append(gradient)
    }
    if !isSame || gradients.count != positions.count {
      rebuild(parameters)
      isSame = false
    }
    isUniform = areOfOneKind && areContiguous
    return !isSame
  }

  private mutating func rebuild(_ parameters: [AnyParameter]) {
    positions = parameters.indices.filter { parameters[$0].tensor.hasGradient }
    tensors = positions.map { parameters[$0].tensor }
    kinds = tensors.map(Self.kind)
    areOfOneKind = kinds.allSatisfy { $0 != nil && $0 == kinds[0] }
  }

  /// Lets go of the gradients, so that dropping them frees their memory.
  mutating func releaseGradients() {
    gradients.removeAll(keepingCapacity: true)
  }

  /// Splits the live parameters, by index into the arrays, into those that share a fused call and those that cannot
  /// be fused.
  func partition() -> (fused: [[Int]], single: [Int]) {
    var fused: [(kind: Kind, members: [Int])] = []
    var single: [Int] = []
    for index in positions.indices {
      guard let kind = kinds[index], gradients[index].isContiguous else {
        single.append(index)
        continue
      }
      if let place = fused.firstIndex(where: { $0.kind == kind }) {
        fused[place].members.append(index)
      } else {
        fused.append((kind, [index]))
      }
    }
    return (fused.map(\.members), single)
  }

  /// The fused kernels walk parameter, gradient and state in memory order, so all must have the same plain layout.
  private static func kind(of tensor: Tensor) -> Kind? {
    let dtype = tensor.dtype
    let device = tensor.device
    guard dtype.isFloatingPoint, device.kind == .cpu || device.kind == .cuda, tensor.isContiguous else { return nil }
    // libtorch's fused kernels for the CPU compute wrong numbers in 16 bits, PyTorch's `fused=True` too.
    if device.kind == .cpu && dtype.byteCount < 4 { return nil }
    return Kind(dtype: dtype, device: device)
  }
}
