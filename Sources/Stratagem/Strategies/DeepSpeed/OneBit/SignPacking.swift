internal import Torch

/// Signs of numbers as bits, eight to a byte.
struct SignPacking {
  private let weights: Tensor
  /// For each byte the signs of its bits, as 1 and -1.
  private let table: Tensor

  init(dtype: DType, device: Device) {
    let powers = (0..<8).map { Float(1 << $0) }
    weights = Tensor(powers).to(device)
    let signs = (0..<256).flatMap { byte in (0..<8).map { byte >> $0 & 1 == 1 ? Float(1) : -1 } }
    table = Tensor(signs, shape: [256, 8]).to(dtype).to(device)
  }

  /// The signs of `values`, whose last dimension is a multiple of 8; that of 0 is positive.
  ///
  /// - Returns: uint8, the last dimension an eighth as long.
  func pack(_ values: Tensor) -> Tensor {
    let bits = (values .>= 0).to(.float32)
    let shape = values.shape
    // The result of a failed operation has no shape; its error is the one to be reported.
    guard let last = shape.last else { return bits }
    return bits.reshaped([-1, 8]).matmul(weights).to(.uint8).reshaped(shape.dropLast() + [last / 8])
  }

  /// 1 and -1 for each bit; the last dimension is eight times as long.
  func unpack(_ bytes: Tensor) -> Tensor {
    let shape = bytes.shape
    guard let last = shape.last else { return bytes }
    return table.indexSelected(dim: 0, bytes.to(.int64).reshaped([-1]))
      .reshaped(shape.dropLast() + [last * 8])
  }
}
