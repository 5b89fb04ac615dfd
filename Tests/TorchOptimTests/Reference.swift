import Foundation
import Testing
import Torch
import TorchNN

/// What `Tests/Reference/optimizers.py` wrote.
struct Reference: Decodable, Sendable {
  struct Values: Decodable, Sendable {
    let dtype: String
    let shape: [Int]
    let values: [Double]

    func tensor(_ dtype: DType) -> Tensor { Tensor(values, shape: shape).to(dtype) }
  }

  struct Options: Decodable, Sendable {
    let lr: Double?
    let momentum: Double?
    let dampening: Double?
    let weightDecay: Double?
    let nesterov: Bool?
    let maximize: Bool?
    let betas: [Double]?
    let eps: Double?
    let amsgrad: Bool?
    let stepSize: Int?
    let gamma: Double?
    let milestones: [Int]?
    let factor: Double?
    let totalIters: Int?
    let startFactor: Double?
    let endFactor: Double?
    let tMax: Int?
    let etaMin: Double?
    let t0: Int?
    let tMult: Int?
    let mode: String?
    let patience: Int?
    let cooldown: Int?
    let threshold: Double?
    let thresholdMode: String?
    let minLr: Double?
    let schedules: [Schedule]?
    let swaLr: Double?
    let annealEpochs: Int?
    let annealStrategy: String?
  }

  struct Run: Decodable, Sendable {
    let after: [String: [Values]]
    let state: [String: [String: Values]]
  }

  struct Update: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let optimizer: String
    let options: Options
    let paramGroups: [[String: JSON]]
    let float32: Run
    let float64: Run

    var testDescription: String { name }
  }

  struct Clipping: Decodable, Sendable {
    let kind: String
    let maximum: Double
    let normType: JSON?
    let totalNorm: Double?
    let after: [Values]
  }

  struct Schedule: Decodable, Sendable, CustomTestStringConvertible {
    let name: String?
    let schedule: String
    let options: Options
    let metrics: [Double]?
    let learningRates: [Double]?

    var testDescription: String { name ?? schedule }
  }

  struct Tolerance: Decodable, Sendable {
    let float32: Double
    let float64: Double
    let learningRates: Double
  }

  let relativeTolerance: Tolerance
  let initial: [Values]
  let gradients: [[Values]]
  let updates: [Update]
  let clipping: [Clipping]
  let baseLearningRate: Double
  let schedules: [Schedule]

  static let shared: Reference = {
    do {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(Reference.self, from: Data(contentsOf: folder.appending(path: "optimizers.json")))
    } catch {
      preconditionFailure("optimizers.json: \(error)")
    }
  }()

  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Reference/Data")

  /// The initial tensors as parameters.
  func parameters(_ dtype: DType) -> [Parameter<Tensor>] {
    initial.map { Parameter(wrappedValue: $0.tensor(dtype)) }
  }
}

/// Any JSON value.
enum JSON: Decodable, Equatable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case list([JSON])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else {
      self = .list(try container.decode([JSON].self))
    }
  }

  /// As JSON would hold an archive value.
  init?(_ value: ArchiveValue) {
    switch value {
    case .none: self = .null
    case .bool(let value): self = .bool(value)
    case .int(let value): self = .number(Double(value))
    case .double(let value): self = .number(value)
    case .string(let value): self = .string(value)
    case .list(let values), .tuple(let values): self = .list(values.compactMap(JSON.init))
    default: return nil
    }
  }
}

/// The largest difference, each relative to the size of the expected number or 1, whichever is more.
func distance(_ found: Tensor, _ expected: [Double]) throws -> Double {
  let values = try found.to(.float64).array(as: Double.self)
  guard values.count == expected.count else { return .infinity }
  return zip(values, expected).map { abs($0 - $1) / max(1, abs($1)) }.max() ?? 0
}
