import Foundation
import Testing
import Torch

/// A tensor of a reference file.
struct TensorRecord: Decodable, Sendable {
  let dtype: String
  let shape: [Int]
  let values: [Double]

  var tensor: Tensor {
    let tensor = Tensor(values, shape: shape)
    return dtype == "int64" ? tensor.to(.int64) : tensor.to(.float32)
  }
}

/// A setting of a reference case: a number, a truth value, a word or a list of numbers.
enum Setting: Decodable, Sendable {
  case flag(Bool)
  case number(Double)
  case word(String)
  case list([Double])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let flag = try? container.decode(Bool.self) {
      self = .flag(flag)
    } else if let number = try? container.decode(Double.self) {
      self = .number(number)
    } else if let word = try? container.decode(String.self) {
      self = .word(word)
    } else {
      self = .list(try container.decode([Double].self))
    }
  }
}

/// One forward and backward pass of PyTorch.
struct ReferenceCase: Decodable, Sendable, CustomTestStringConvertible {
  let name: String
  let kind: String
  let settings: [String: Setting]
  let inputs: [String: TensorRecord]
  let parameters: [String: TensorRecord]?
  let output: TensorRecord
  let outputGradient: TensorRecord
  let inputGradients: [String: TensorRecord]
  let parameterGradients: [String: TensorRecord]?
  let buffersBefore: [String: TensorRecord]?
  let buffersAfter: [String: TensorRecord]?

  var testDescription: String { name }

  func int(_ key: String) -> Int? { double(key).map { Int($0) } }

  func double(_ key: String) -> Double? {
    if case .number(let number)? = settings[key] { number } else { nil }
  }

  func flag(_ key: String, default value: Bool) -> Bool {
    if case .flag(let flag)? = settings[key] { flag } else { value }
  }

  func word(_ key: String) -> String? {
    if case .word(let word)? = settings[key] { word } else { nil }
  }

  /// One number for both dimensions, or a list of two.
  func sizes(_ key: String, default value: Int) -> [Int] {
    switch settings[key] {
    case .number(let number)?: [Int(number), Int(number)]
    case .list(let list)?: list.map { Int($0) }
    default: [value, value]
    }
  }
}

/// A file of `Tests/Reference/Data`.
struct Reference: Decodable, Sendable {
  let relativeTolerance: Double
  let absoluteTolerance: Double
  let cases: [ReferenceCase]
  let dropout: [Dropout]?
  let initialWeights: [String: [String: TensorRecord]]?

  struct Dropout: Decodable, Sendable {
    let seed: UInt64
    let p: Double
    let first: TensorRecord
    let second: TensorRecord
  }

  static let layers = read("layers.json")
  static let functions = read("functions.json")

  /// Files that cannot be read make the tests fail, not be skipped: the cases are then one that no layer matches.
  private static func read(_ name: String) -> Reference {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = tests.appendingPathComponent("Reference/Data/\(name)")
    do {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(Reference.self, from: Data(contentsOf: file))
    } catch {
      let nothing = TensorRecord(dtype: "float32", shape: [], values: [.nan])
      let unreadable = ReferenceCase(
        name: "\(file.path): \(error)", kind: "unreadable", settings: [:], inputs: [:], parameters: nil,
        output: nothing, outputGradient: nothing, inputGradients: [:], parameterGradients: nil,
        buffersBefore: nil, buffersAfter: nil)
      return Reference(
        relativeTolerance: 0, absoluteTolerance: 0, cases: [unreadable], dropout: nil, initialWeights: nil)
    }
  }

  /// Records an issue when an element of `tensor` is further from the recorded one than the file's tolerance.
  func expect(
    _ tensor: Tensor?, matches record: TensorRecord, _ label: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    guard let tensor else {
      Issue.record("\(label) is missing", sourceLocation: sourceLocation)
      return
    }
    #expect(tensor.shape == record.shape, "\(label)", sourceLocation: sourceLocation)
    let values = try tensor.to(.float64).array(as: Double.self)
    guard values.count == record.values.count else { return }
    for (index, (value, expected)) in zip(values, record.values).enumerated() {
      let tolerance = absoluteTolerance + relativeTolerance * abs(expected)
      #expect(abs(value - expected) <= tolerance, "\(label)[\(index)]", sourceLocation: sourceLocation)
    }
  }
}
