import Foundation
import Testing

/// A `metrics.csv`.
struct MetricsFile: Sendable {
  struct Row: Sendable, Equatable {
    let epoch: Int
    let step: Int
    let text: String

    var value: Double { Double(text) ?? .nan }
  }

  let header: [String]
  /// The lines after the header.
  let lines: [String]

  init(_ path: String) throws {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try #require(text.hasSuffix("\n"), "the last line of \(path) is not whole")
    let all = text.split(separator: "\n").map(String.init)
    header = try #require(all.first).split(separator: ",").map(String.init)
    lines = Array(all.dropFirst())
  }

  /// The rows that have a value of a metric.
  func rows(_ name: String) throws -> [Row] {
    let column = try #require(header.firstIndex(of: name), "no column \(name) in \(header)")
    return try lines.compactMap { line in
      let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      guard !cells[column].isEmpty else { return nil }
      return Row(epoch: try #require(Int(cells[0])), step: try #require(Int(cells[1])), text: cells[column])
    }
  }

  func values(_ name: String) throws -> [Double] { try rows(name).map(\.value) }
}
