internal import Torch

/// The number format in which gradients travel; they come back in their own.
public enum GradientCompression: String, Sendable, Hashable, CaseIterable {
  /// As they are.
  case none
  /// float16: half the bytes of float32, 11 significant bits, numbers up to 65504.
  case fp16
  /// bfloat16: half the bytes of float32, 8 significant bits, the range of float32.
  case bf16

  /// The format of a tensor on its way.
  func wireType(of dtype: DType) -> DType {
    switch self {
    case .none: dtype
    case .fp16: .float16
    case .bf16: .bfloat16
    }
  }

  /// Why a tensor cannot travel in this format; nil when it can.
  func refusal(of dtype: DType) -> String? {
    switch (self, dtype) {
    case (.none, _), (_, .float32), (_, .float64), (.fp16, .float16), (.bf16, .bfloat16): nil
    case (.fp16, .bfloat16): "fp16 has not the range of bfloat16"
    case (.bf16, .float16): "bf16 has not the precision of float16"
    default: "\(rawValue) is for floating-point numbers"
    }
  }
}
