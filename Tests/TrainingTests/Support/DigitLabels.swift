import Foundation
import Testing

/// The last column of the data that the digits examples ship.
enum DigitLabels {
  static func text() throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/gzip")
    process.arguments = ["-dc", "\(Repository.root)/Examples/digits/Data/digits.csv.gz"]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: data, as: UTF8.self)
  }

  static func read() throws -> [String] {
    try text().split(whereSeparator: \.isNewline).dropFirst().map {
      try String(#require($0.split(separator: ",").last))
    }
  }
}
