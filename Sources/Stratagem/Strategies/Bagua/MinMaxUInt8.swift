public import Torch

/// Numbers in 8 bits: 256 levels between the smallest and the largest of a chunk.
///
/// For each chunk, with s = 255 / (max - min + 1e-7), u = round(max · s) and l = u - 255: q = min(round(x · s), u) - l, a
/// `uint8`, and back x ≈ (q + l) / s. The error is at most (max - min + 1e-7) / 510, and a chunk of equal numbers keeps
/// them. A chunk with a number that is not finite comes back as NaN throughout.
///
/// See Bagua's `MinMaxUInt8`.
public enum MinMaxUInt8 {
  /// Bytes before the levels of a chunk: its minimum and maximum as `float32`.
  public static let headerByteCount = 8

  /// The types that can be compressed.
  public static let types: [DType] = [.float32, .float16]

  /// Compresses each row of `chunks`, `[n, count]`, of one of ``types``.
  ///
  /// - Returns: `[n, 8 + count]` bytes on the CPU.
  public static func compress(_ chunks: Tensor) -> Tensor {
    let (rows, count) = (chunks.size(0), chunks.size(1))
    let values = chunks.to(.float32)
    let (low, high) = (Aten.amin(values, dim: [1], keepdim: true), Aten.amax(values, dim: [1], keepdim: true))
    let (scale, lower) = grid(low, high)
    let levels = Aten.round(Aten.mul(values, other: scale))
    Aten.sub_(levels, other: lower)
    Aten.clamp_(levels, min: 0, max: 255)
    let message = Tensor.empty([rows, headerByteCount + count], dtype: .uint8)
    Aten.copy_(message.narrowed(dim: 1, start: headerByteCount, length: count), src: levels)
    let bounds = Tensor.cat([low, high], dim: 1).to(.cpu).contiguous()
    guard !message.isPoisoned, !bounds.isPoisoned else { return message }
    copyHeaders(
      rows, from: bounds, stride: headerByteCount, to: message, stride: headerByteCount + count)
    return message
  }

  /// The numbers of a message of ``compress(_:)``, `[n, count]` in `float32` on `device`.
  public static func decompress(_ message: Tensor, on device: Device = .cpu) -> Tensor {
    let (rows, count) = (message.size(0), message.size(1) - headerByteCount)
    let bounds = Tensor.empty([rows, 2], dtype: .float32)
    guard !message.isPoisoned, !bounds.isPoisoned else { return bounds }
    copyHeaders(
      rows, from: message, stride: headerByteCount + count, to: bounds, stride: headerByteCount)
    let placed = bounds.to(device)
    let (low, high) = (placed.narrowed(dim: 1, start: 0, length: 1), placed.narrowed(dim: 1, start: 1, length: 1))
    let (scale, lower) = grid(low, high)
    let values = Aten.to(
      message.narrowed(dim: 1, start: headerByteCount, length: count), device: device, dtype: .float32)
    Aten.add_(values, other: lower)
    Aten.div_(values, other: scale)
    return values
  }

  /// Copies the first bytes of each row; strides are in bytes.
  private static func copyHeaders(
    _ rows: Int, from source: Tensor, stride: Int, to target: Tensor, stride targetStride: Int
  ) {
    source.withUnsafeBytes { source in
      target.withUnsafeMutableBytes { target in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        for row in 0..<rows {
          (to + row * targetStride).copyMemory(from: from + row * stride, byteCount: headerByteCount)
        }
      }
    }
  }

  /// The scale of each chunk and its lowest level.
  private static func grid(_ low: Tensor, _ high: Tensor) -> (scale: Tensor, lower: Tensor) {
    let range = Aten.add(Aten.sub(high, other: low), other: 1e-7)
    let scale = Aten.div(Aten.full_like(range, fill_value: 255), other: range)
    return (scale, Aten.sub(Aten.round(Aten.mul(high, other: scale)), other: 255))
  }
}
