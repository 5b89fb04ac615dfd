/// What the command line asks of the probe.
struct ProbeOptions: Sendable {
  /// What is done, such as `fit`.
  let scenario: String
  /// The number of processes.
  let devices: Int
  /// The folder that the run writes to.
  let folder: String
  private let values: [String: String]

  /// Reads `SCENARIO DEVICES FOLDER [NAME=VALUE ...]`.
  init?(_ arguments: [String]) {
    guard arguments.count >= 3, let devices = Int(arguments[1]) else { return nil }
    scenario = arguments[0]
    self.devices = devices
    folder = arguments[2]
    var values: [String: String] = [:]
    for argument in arguments.dropFirst(3) {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      values[parts[0]] = parts.count == 2 ? parts[1] : "yes"
    }
    self.values = values
  }

  private init(_ other: ProbeOptions, values: [String: String]) {
    scenario = other.scenario
    devices = other.devices
    folder = other.folder
    self.values = values
  }

  /// The same options but one.
  func without(_ name: String) -> ProbeOptions { ProbeOptions(self, values: values.filter { $0.key != name }) }

  /// The same options with another value of one.
  func with(_ name: String, _ value: String) -> ProbeOptions {
    ProbeOptions(self, values: values.merging([name: value]) { $1 })
  }

  subscript(_ name: String) -> String? { values[name] }

  func int(_ name: String) -> Int? { values[name].flatMap { Int($0) } }

  func int(_ name: String, _ usual: Int) -> Int { int(name) ?? usual }

  func double(_ name: String) -> Double? { values[name].flatMap { Double($0) } }

  func double(_ name: String, _ usual: Double) -> Double { values[name].flatMap { Double($0) } ?? usual }

  func has(_ name: String) -> Bool { values[name] != nil }
}
