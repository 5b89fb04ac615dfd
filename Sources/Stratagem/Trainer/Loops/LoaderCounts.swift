/// What ranks tell each other of their data.
struct LoaderCounts: Codable {
  /// Batches of an epoch of training.
  let batches: Int
  /// Loaders of validation data.
  let validation: Int

  /// Ranks with different numbers of loaders would wait for each other in an evaluation that the others do not make.
  ///
  /// - Parameter hook: what returns the loaders.
  static func check(_ counts: [Int], _ hook: String) throws(ConfigurationError) {
    guard let other = counts.firstIndex(where: { $0 != counts[0] }) else { return }
    func text(_ rank: Int) -> String { "\(counts[rank]) loader\(counts[rank] == 1 ? "" : "s") on rank \(rank)" }
    throw ConfigurationError(
      hook, "\(hook)() returns \(text(other)) and \(text(0))",
      suggestion: "return as many on all ranks; those of a rank without samples may be empty")
  }
}
