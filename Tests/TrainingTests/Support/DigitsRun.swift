import Foundation
import Testing

/// The digits example on two ranks.
enum DigitsRun {
  /// Trains with a strategy and returns the accuracy on the images that are not for training.
  ///
  /// - Parameters:
  ///   - strategy: as it stands in a configuration file.
  ///   - flags: further arguments of the program.
  static func accuracy(_ strategy: String, _ flags: [String]) throws -> Double {
    let folder = try TemporaryFolder()
    try "trainer:\n  strategy: \(strategy)\n".write(
      toFile: "\(folder.path)/config.yaml", atomically: true, encoding: .utf8)
    let result = try ProgramRun(
      "digits",
      ["fit", "--config", "\(folder.path)/config.yaml", "--devices", "2", "--output", folder.path, "--json"] + flags
    ).succeeded().json()
    return try #require(result["val/accuracy"]?.number)
  }
}
