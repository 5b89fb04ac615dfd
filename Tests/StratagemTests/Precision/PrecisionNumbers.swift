import Foundation
import Testing
import Torch

/// What `Tests/Reference/precision.py` wrote.
struct PrecisionNumbers: Decodable, Sendable {
  struct Values: Decodable, Sendable {
    let shape: [Int]
    let values: [Double]

    func tensor(_ dtype: DType) -> Tensor { Tensor(values, shape: shape).to(dtype) }
  }

  /// A number that may be infinite or not a number.
  struct Number: Decodable, Sendable {
    let value: Double

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let value = try? container.decode(Double.self) {
        self.value = value
      } else {
        value = Double(try container.decode(String.self)) ?? 0
      }
    }
  }

  struct Run: Decodable, Sendable {
    let precision: String
    let clipNorm: Double?
    let overflowStep: Int?
    let initialScale: Double
    let growthInterval: Int
    let optimizer: String
    let relativeTolerance: Double
    let losses: [Double]
    let stepped: [Bool]
    let gradientNorms: [Number]?
    let scales: [Double]?
    let finalWeights: [String: Values]
  }

  let weights: [String: Values]
  let inputs: Values
  let labels: Values
  let runs: [String: Run]

  static let shared: PrecisionNumbers = {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    do {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      let data = try Data(contentsOf: folder.appending(path: "Reference/Data/precision.json"))
      return try decoder.decode(PrecisionNumbers.self, from: data)
    } catch {
      preconditionFailure("precision.json: \(error)")
    }
  }()
}
