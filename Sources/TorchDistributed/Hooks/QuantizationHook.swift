internal import Torch

/// Gradients in 8 bits: a quarter of the bytes of float32 a rank, sent to every other rank.
///
/// With the least and the greatest value of a channel, zero always between them, s = (max - min)/255 and
/// z = -round(min/s): x crosses the ranks as q = round(x/s) + z, and is s(q - z) there. Each rank adds up those of all, so
/// that it receives as many bytes as there are parameters from each other rank: less than an all-reduce of float32 on up
/// to 8 ranks.
///
/// See PyTorch's `quantization_pertensor_hook` and `quantization_perchannel_hook`.
public struct QuantizationHook: CommunicationHook {
  /// How many numbers share a scale; nil for all of a bucket.
  public let channelSize: Int?

  /// - Parameter channelSize: how many numbers share a scale, at least 1; nil for all of a bucket.
  public init(channelSize: Int? = nil) { self.channelSize = channelSize }

  public var name: String { channelSize == nil ? "quantizePerTensor" : "quantizePerChannel" }

  public func prepare(_ parameters: [ReducedParameter], in group: ProcessGroup) throws {
    if let channelSize, channelSize < 1 {
      throw CommunicationHookError(
        hook: name, problem: "has channels of \(channelSize) numbers", suggestion: "give at least 1")
    }
    try require([.float32], of: parameters, instead: "train in 32 or mixed precision, or use another hook")
  }

  public func callAsFunction(_ bucket: GradientBucket, in group: ProcessGroup) throws -> PendingTensor {
    let input = bucket.buffer
    let values = channels(of: input)
    let low = Aten.clamp_max(Aten.amin(values, dim: [1], keepdim: true), max: 0)
    let high = Aten.clamp_min(Aten.amax(values, dim: [1], keepdim: true), min: 0)
    // The least scale of PyTorch's observers: float32's distance from 1 to the next number.
    let scale = Aten.clamp_min((high - low) / 255, min: Scalar(Double(Float.ulpOfOne)))
    let zero = Aten.clamp(-(low / scale).rounded(), min: 0, max: 255)
    let levels = Aten.clamp((values / scale).rounded() + zero, min: 0, max: 255).to(.uint8)

    let (rows, length) = (values.size(0), values.size(1))
    let scales = Tensor.cat([scale, zero], dim: 1)
    let allScales = Tensor.empty([group.size * rows, 2], dtype: .float32, device: input.device)
    let allLevels = Tensor.empty([group.size * rows, length], dtype: .uint8, device: input.device)
    let works = [
      try group.startAllGather(into: allScales, from: scales), try group.startAllGather(into: allLevels, from: levels),
    ]
    return PendingTensor(input, after: works).map { input in
      let scale = allScales.narrowed(dim: 1, start: 0, length: 1)
      let zero = allScales.narrowed(dim: 1, start: 1, length: 1)
      let restored = ((allLevels.to(.float32) - zero) * scale).view([group.size, rows * length])
      let mean = Aten.sum(restored, dim: [0]) / Scalar(group.size)
      input.copy(from: mean.narrowed(dim: 0, start: 0, length: input.count))
      return input
    }
  }

  /// The numbers in rows, the last one filled up with zeros.
  private func channels(of input: Tensor) -> Tensor {
    guard let channelSize else { return input.view([1, input.count]) }
    let rest = (channelSize - input.count % channelSize) % channelSize
    let padded = rest == 0 ? input : Tensor.cat([input, .zeros([rest], dtype: input.dtype, device: input.device)])
    return padded.view([padded.count / channelSize, channelSize])
  }
}

extension CommunicationHook where Self == QuantizationHook {
  /// Gradients in 8 bits, one scale for a bucket; see ``QuantizationHook``.
  public static var quantizePerTensor: QuantizationHook { QuantizationHook() }
  /// Gradients in 8 bits, a scale for each `channelSize` numbers; see ``QuantizationHook``.
  public static func quantizePerChannel(channelSize: Int = 512) -> QuantizationHook {
    QuantizationHook(channelSize: channelSize)
  }
}
