/// The flags of `launch` as torchrun also writes them, with underscores.
enum TorchrunSpelling {
  private static let switches: Set = ["--standalone", "--no-python", "--help", "-h"]

  /// Returns the arguments with hyphens in the names of the flags that stand before the program.
  static func normalized(_ arguments: [String]) -> [String] {
    guard arguments.first == "launch" else { return arguments }
    var result = ["launch"]
    var rest = arguments.dropFirst()
    while let flag = rest.first, flag.hasPrefix("-"), flag != "--" {
      rest.removeFirst()
      let parts = flag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = parts[0].map { $0 == "_" ? "-" : String($0) }.joined()
      result.append(([name] + parts.dropFirst().map(String.init)).joined(separator: "="))
      if parts.count == 1, !switches.contains(name), let value = rest.popFirst() { result.append(value) }
    }
    return result + rest
  }
}
