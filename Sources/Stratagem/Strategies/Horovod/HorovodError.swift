/// A misuse of the distributed optimizer or of a named collective.
public enum HorovodError: Error, Sendable, CustomStringConvertible {
  /// Ranks do not have the same tensors: what each lacks, or has in another shape or type.
  case differentTensors(what: String, differences: [String])
  /// Ranks came to different collectives.
  case differentCollectives([String])
  /// A gradient was computed again after its reduction had begun.
  case tooManyBackwardPasses(name: String, allowed: Int)
  /// Gradients were dropped, or a step was made, in the wrong place.
  case misuse(String)

  public var description: String {
    switch self {
    case .differentTensors(let what, let differences):
      "the ranks do not have the same \(what):\n" + differences.map { "  - \($0)" }.joined(separator: "\n")
        + "\nall ranks must build the same module and optimizers"
    case .differentCollectives(let lines):
      "the ranks came to different collectives:\n" + lines.map { "  - \($0)" }.joined(separator: "\n")
        + "\nall ranks must submit the same tensors in the same order"
    case .tooManyBackwardPasses(let name, let allowed):
      "the gradient of '\(name)' was computed more than \(allowed == 1 ? "once" : "\(allowed) times") before a step: its "
        + "reduction had begun already; step or synchronize in between, or raise backwardPassesPerStep"
    case .misuse(let text): text
    }
  }
}
