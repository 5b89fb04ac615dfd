import Foundation
import Testing

/// What PyTorch computes in `Tests/Reference/loops.py`.
struct LoopReference: Decodable, Sendable {
  struct Values: Decodable, Sendable {
    let values: [Double]
  }

  struct Run: Decodable, Sendable {
    let generator: [Double]?
    let discriminator: [Double]?
    let rates: [Double]?
    let steps: Int?
    let weights: [String: Values]
  }

  let relativeTolerance: Double
  let gan: [String: Run]
  let averaged: [String: Run]
  let accumulated: [String: Run]

  enum CodingKeys: String, CodingKey {
    case gan, averaged, accumulated
    case relativeTolerance = "relative_tolerance"
  }

  static func load() throws -> LoopReference {
    try JSONDecoder().decode(
      LoopReference.self, from: Data(contentsOf: URL(filePath: Repository.reference("loops.json"))))
  }

  /// Compares the weights in a file with those of a run; the size of a difference counts relative to the largest weight.
  func compare(_ path: String, with run: Run, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let found = try CheckpointFile(path).weights()
    #expect(found.map(\.name).sorted() == run.weights.keys.sorted(), sourceLocation: sourceLocation)
    for (name, values) in found {
      let expected = try #require(run.weights[name]).values
      try #require(values.count == expected.count)
      let scale = max(1e-6, expected.map(abs).max() ?? 1)
      let distance = (zip(values, expected).map { abs($0 - $1) }.max() ?? 0) / scale
      #expect(distance <= 10 * relativeTolerance, "\(name) is \(distance) away", sourceLocation: sourceLocation)
    }
  }
}
