import Glibc

/// What an output descriptor can show.
public struct Terminal: Sendable, Hashable {
  /// Whether the descriptor is a terminal.
  public var isTerminal: Bool
  /// Whether box-drawing characters may be written; `false` when the locale names another encoding than UTF-8.
  public var isUTF8: Bool
  /// Whether colours may be written: a terminal that is not `dumb`, and `NO_COLOR` is not set.
  public var usesColor: Bool

  /// Makes a description.
  public init(isTerminal: Bool, isUTF8: Bool, usesColor: Bool) {
    self.isTerminal = isTerminal
    self.isUTF8 = isUTF8
    self.usesColor = usesColor
  }

  /// Derives the abilities from environment variables.
  ///
  /// The encoding is read from the first of `LC_ALL`, `LC_CTYPE`, `LANG` that is not empty; none means UTF-8, which is
  /// what terminals and containers without a locale speak today.
  public init(isTerminal: Bool, environment: (String) -> String?) {
    func value(_ name: String) -> String? {
      environment(name).flatMap { $0.isEmpty ? nil : $0 }
    }
    let locale = (value("LC_ALL") ?? value("LC_CTYPE") ?? value("LANG") ?? "UTF-8").uppercased()
    self.isTerminal = isTerminal
    self.isUTF8 = locale.contains("UTF-8") || locale.contains("UTF8")
    self.usesColor = isTerminal && value("NO_COLOR") == nil && !["dumb", nil].contains(value("TERM"))
  }

  /// Describes a descriptor of this process, 1 for standard output, 2 for standard error.
  public init(descriptor: Int32) {
    self.init(isTerminal: isatty(descriptor) == 1, environment: Self.environmentVariable)
  }

  /// Returns the present width of the terminal in columns: of the descriptor, else of any standard descriptor, else
  /// the variable `COLUMNS`, else 80.
  public static func width(of descriptor: Int32) -> Int {
    for candidate in [descriptor, 2, 1, 0] {
      var size = winsize()
      if ioctl(candidate, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    }
    return environmentVariable("COLUMNS").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } ?? 80
  }

  static func environmentVariable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }
}
