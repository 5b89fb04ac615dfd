extension DType {
  /// Name of the class in the `torch` module that `torch.save` writes for a storage of this type.
  var storageClass: String? {
    switch self {
    case .float32: "FloatStorage"
    case .float64: "DoubleStorage"
    case .float16: "HalfStorage"
    case .bfloat16: "BFloat16Storage"
    case .int64: "LongStorage"
    case .int32: "IntStorage"
    case .int16: "ShortStorage"
    case .int8: "CharStorage"
    case .uint8: "ByteStorage"
    case .bool: "BoolStorage"
    case .undefined: nil
    }
  }

  /// The type of a name in the header of a safetensors file.
  package init?(safetensors name: String) {
    guard let dtype = DType.allCases.first(where: { $0.safetensorsName == name }) else { return nil }
    self = dtype
  }

  /// Name in the header of a safetensors file.
  package var safetensorsName: String? {
    switch self {
    case .float32: "F32"
    case .float64: "F64"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .int64: "I64"
    case .int32: "I32"
    case .int16: "I16"
    case .int8: "I8"
    case .uint8: "U8"
    case .bool: "BOOL"
    case .undefined: nil
    }
  }
}

extension Tensor {
  /// Why this tensor cannot be written to a file; `nil` when it can.
  package var obstacleToSaving: String? {
    if isPoisoned { return "is the result of a failed operation" }
    if device.kind == .meta { return "is on the meta device and has no values" }
    if dtype == .undefined { return "has an element type that Stratagem has no name for" }
    return nil
  }
}
