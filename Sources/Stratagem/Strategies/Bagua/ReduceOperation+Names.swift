internal import TorchDistributed

extension ReduceOperation {
  private static let names: KeyValuePairs<String, ReduceOperation> = [
    "sum": .sum, "avg": .mean, "mean": .mean, "min": .minimum, "max": .maximum, "product": .product,
    "band": .bitwiseAnd, "bor": .bitwiseOr, "bxor": .bitwiseXor,
  ]

  /// The operation of a name that PyTorch and Bagua use.
  static func named(_ name: String) throws(ConfigurationError) -> ReduceOperation {
    if let found = names.first(where: { $0.key == name.lowercased() }) { return found.value }
    let known = names.map(\.key)
    let nearest = NearestName.suggestion(for: name, among: known).map { "did you mean '\($0)'? " } ?? ""
    throw ConfigurationError(
      "reduce", "there is no reduction '\(name)'", suggestion: nearest + "known: " + known.joined(separator: ", "))
  }
}
