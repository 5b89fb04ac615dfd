public import Torch

/// Gradients that cross the ranks in 16 bits: half the bytes of float32.
///
/// The buffer is cast to the 16-bit type, another hook reduces it in that type, and the result is cast back. float16 has
/// 11 significant bits and overflows beyond 65504; bfloat16 has 8 and the range of float32.
///
/// See PyTorch's `fp16_compress_hook`, `bf16_compress_hook` and the wrappers of the same names.
public struct CompressionHook: CommunicationHook {
  /// float16 or bfloat16.
  public let dtype: DType
  /// What reduces the cast gradients.
  public let base: any CommunicationHook

  /// - Precondition: `dtype` is float16 or bfloat16.
  public init(_ dtype: DType, around base: any CommunicationHook = AllReduceHook()) {
    precondition(dtype == .float16 || dtype == .bfloat16, "gradients are compressed to float16 or bfloat16")
    self.dtype = dtype
    self.base = base
  }

  public var name: String {
    let own = dtype == .float16 ? "fp16Compress" : "bf16Compress"
    return base is AllReduceHook ? own : "\(own)(\(base.name))"
  }

  public func prepare(_ parameters: [ReducedParameter], in group: ProcessGroup) throws {
    try require(
      [.float32, .float64], of: parameters,
      instead: "leave the compression out: 16 bits are on the wire as it is, or train in 32 or mixed precision")
    try base.prepare(
      parameters.map { ReducedParameter(name: $0.name, shape: $0.shape, dtype: dtype) }, in: group)
  }

  public func callAsFunction(_ bucket: GradientBucket, in group: ProcessGroup) throws -> PendingTensor {
    let original = bucket.buffer
    return try base(bucket.with(original.to(dtype)), in: group).map { reduced in
      original.copy(from: reduced)
      return original
    }
  }

  public func state(in group: ProcessGroup) throws -> ArchiveDictionary { try base.state(in: group) }

  public func load(_ state: ArchiveDictionary, in group: ProcessGroup) throws { try base.load(state, in: group) }
}

extension CommunicationHook where Self == CompressionHook {
  /// Gradients as float16 on the wire; see ``CompressionHook``.
  public static var fp16Compress: CompressionHook { CompressionHook(.float16) }
  /// Gradients as bfloat16 on the wire; see ``CompressionHook``.
  public static var bf16Compress: CompressionHook { CompressionHook(.bfloat16) }
}

/// Makes a hook of a hook.
public struct CommunicationWrapper {
  private let wrap: (any CommunicationHook) -> any CommunicationHook

  public init(_ wrap: @escaping (any CommunicationHook) -> any CommunicationHook) { self.wrap = wrap }

  public func callAsFunction(_ hook: any CommunicationHook) -> any CommunicationHook { wrap(hook) }

  /// Gives the hook gradients in float16.
  public static var fp16Compress: CommunicationWrapper { .init { CompressionHook(.float16, around: $0) } }
  /// Gives the hook gradients in bfloat16.
  public static var bf16Compress: CommunicationWrapper { .init { CompressionHook(.bfloat16, around: $0) } }
}
