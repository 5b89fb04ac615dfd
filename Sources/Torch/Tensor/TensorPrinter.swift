/// Formats a tensor as PyTorch's `repr` does with its default options.
///
/// See PyTorch's documentation of `torch.set_printoptions`: precision 4, threshold 1000, 3 items at the edges, lines of
/// 80 characters.
struct TensorPrinter {
  private static let threshold = 1000
  private static let edgeItems = 3
  private static let lineWidth = 80

  private let tensor: Tensor
  private let shape: [Int]
  private let summarized: Bool

  init(_ tensor: Tensor) {
    self.tensor = tensor
    shape = tensor.shape
    summarized = tensor.count > TensorPrinter.threshold
  }

  func text() -> String {
    let prefix = "tensor("
    let size = "size=(\(shape.map(String.init).joined(separator: ", "))\(shape.count == 1 ? "," : ""))"
    let dtype = "dtype=torch.\(tensor.dtype)"
    var suffixes: [String] = []
    if tensor.device != .cpu { suffixes.append("device='\(tensor.device)'") }
    let body: String
    if tensor.device.kind == .meta || tensor.count == 0 {
      body = tensor.device.kind == .meta ? "..." : "[]"
      if body == "..." || tensor.ndim != 1 { suffixes.append(size) }
      if tensor.dtype != .float32 { suffixes.append(dtype) }
    } else {
      body = nested(shownNumbers(), indent: prefix.utf8.count)
      if ![.float32, .int64, .bool].contains(tensor.dtype) { suffixes.append(dtype) }
    }
    if let function = tensor.gradientFunctionName {
      suffixes.append("grad_fn=<\(function)>")
    } else if tensor.requiresGradient {
      suffixes.append("requires_grad=True")
    }
    return joined(prefix + body, suffixes, indent: prefix.utf8.count) + ")"
  }

  private func joined(_ body: String, _ suffixes: [String], indent: Int) -> String {
    var text = body
    // PyTorch counts two characters more.
    var lineLength = 2 + (body.utf8.split(separator: UInt8(ascii: "\n")).last?.count ?? 0)
    for suffix in suffixes {
      if lineLength + suffix.count + 2 > TensorPrinter.lineWidth {
        text += ",\n" + String(repeating: " ", count: indent) + suffix
        lineLength = indent + suffix.count
      } else {
        text += ", " + suffix
        lineLength += suffix.count + 2
      }
    }
    return text
  }

  /// The numbers that are shown, in order, with the middle of long dimensions left out.
  private func shownNumbers() -> NumberFormatter {
    withoutGradients {
      var shown = tensor.detached().to(.cpu)
      if summarized {
        for dim in shape.indices where shape[dim] > 2 * TensorPrinter.edgeItems {
          let head = shown.narrowed(dim: dim, start: 0, length: TensorPrinter.edgeItems)
          let tail = shown.narrowed(
            dim: dim, start: shape[dim] - TensorPrinter.edgeItems, length: TensorPrinter.edgeItems)
          shown = Tensor.cat([head, tail], dim: dim)
        }
      }
      if shown.dtype == .bool { return NumberFormatter((try? shown.array(as: Bool.self)) ?? []) }
      if shown.dtype.isFloatingPoint { return NumberFormatter((try? shown.to(.float64).array(as: Double.self)) ?? []) }
      return NumberFormatter((try? shown.to(.int64).array(as: Int.self)) ?? [])
    }
  }

  private func nested(_ numbers: NumberFormatter, indent: Int) -> String {
    var position = 0
    return level(0, numbers: numbers, position: &position, indent: indent)
  }

  private func level(_ dim: Int, numbers: NumberFormatter, position: inout Int, indent: Int) -> String {
    if dim == shape.count {
      defer { position += 1 }
      return numbers.texts[position]
    }
    let cut = summarized && shape[dim] > 2 * TensorPrinter.edgeItems
    let count = cut ? 2 * TensorPrinter.edgeItems : shape[dim]
    var parts: [String] = []
    for index in 0..<count {
      if cut && index == TensorPrinter.edgeItems {
        parts.append(dim == shape.count - 1 ? " ..." : "...")
      }
      parts.append(level(dim + 1, numbers: numbers, position: &position, indent: indent + 1))
    }
    if dim == shape.count - 1 { return row(parts, width: numbers.width, indent: indent) }
    let separator =
      "," + String(repeating: "\n", count: shape.count - dim - 1) + String(repeating: " ", count: indent + 1)
    return "[" + parts.joined(separator: separator) + "]"
  }

  private func row(_ parts: [String], width: Int, indent: Int) -> String {
    let perLine = max(1, (TensorPrinter.lineWidth - indent) / (width + 2))
    let lines = stride(from: 0, to: parts.count, by: perLine).map { start in
      parts[start..<min(start + perLine, parts.count)].joined(separator: ", ")
    }
    return "[" + lines.joined(separator: ",\n" + String(repeating: " ", count: indent + 1)) + "]"
  }
}
