extension ProgressBar {
  /// How progress is shown.
  public enum Mode: String, Sendable, Hashable, CaseIterable {
    /// Lines that are redrawn in place, ten times a second.
    case interactive
    /// A line at the end of every epoch and one every five seconds, for logs and pipes.
    case plain
    /// Nothing; announcements are still written.
    case silent

    /// Returns the mode for an output.
    ///
    /// The variable `STRATAGEM_PROGRESS` decides when it holds `interactive`, `plain` or `silent`. Otherwise the mode
    /// is `interactive` on a terminal, but `plain` when there is none, when `CI` is set (and is not `0` or `false`), or
    /// when `TERM` is absent or `dumb`.
    public static func automatic(isTerminal: Bool, environment: (String) -> String?) -> Mode {
      if let wanted = environment("STRATAGEM_PROGRESS").flatMap({ Mode(rawValue: $0.lowercased()) }) { return wanted }
      let continuousIntegration = environment("CI") ?? ""
      let isAutomated = !["", "0", "false"].contains(continuousIntegration.lowercased())
      let terminalType = environment("TERM") ?? ""
      return isTerminal && !isAutomated && !["", "dumb"].contains(terminalType) ? .interactive : .plain
    }
  }
}
