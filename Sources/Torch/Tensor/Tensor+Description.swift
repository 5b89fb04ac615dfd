extension Tensor: CustomStringConvertible {
  /// The text that PyTorch prints for this tensor.
  public var description: String {
    guard !isPoisoned else { return "tensor(<result of a failed operation>)" }
    return TensorPrinter(self).text()
  }
}
