import Stratagem

/// What one fit of the bagua scenario is to do: `ALGORITHM[,NAME=VALUE]...`; what is not named here goes to the algorithm.
struct BaguaConfiguration {
  let algorithm: String
  private var values: [String: String] = [:]
  private static let own = [
    "flatten", "bucket", "optimizer", "warmup", "accumulate", "clip", "model", "precision", "steps", "fault", "rank",
    "validation", "unused", "momentum", "resume", "save", "fusion",
  ]

  init(_ text: String) {
    let parts = text.split(separator: ",").map(String.init)
    algorithm = parts[0]
    for part in parts.dropFirst() {
      let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
      values[pair[0]] = pair.count == 2 ? pair[1] : "true"
    }
  }

  subscript(_ name: String) -> String? { values[name] }
  func int(_ name: String) -> Int? { values[name].flatMap { Int($0) } }
  func double(_ name: String) -> Double? { values[name].flatMap { Double($0) } }

  /// The options of the algorithm.
  var options: [String: StrategyOption] {
    values.filter { !Self.own.contains($0.key) }.mapValues { text in
      if let number = Int(text) { return .number(number) }
      return text == "true" || text == "false" ? .flag(text == "true") : .text(text)
    }
  }

  func strategy() throws -> any StrategyConvertible {
    if algorithm == "ddp" { return "ddp" }
    if algorithm == "adasum" {
      return HorovodStrategy(
        operation: .adasum, fusionThreshold: int("fusion"), hierarchical: self["hierarchical"] == "true")
    }
    return try BaguaStrategy(
      algorithm: algorithm, options, flatten: self["flatten"] != "false", bucketMegabytes: double("bucket"))
  }
}
