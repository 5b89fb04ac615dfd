import Testing
import Torch

/// A key of a state dictionary that is no text.
struct NotAWeight: Error {
  let key: String
}

/// A checkpoint as tests look at it.
struct CheckpointFile {
  let contents: ArchiveDictionary

  init(_ path: String) throws {
    contents = try #require(try TorchFile.load(path).dictionaryValue)
  }

  /// The weights by name, in row-major order.
  func weights() throws -> [(name: String, values: [Double])] {
    let state = try #require(contents["state_dict"]?.dictionaryValue)
    return try state.keys.map { key in
      guard case .string(let name) = key else { throw NotAWeight(key: "\(key)") }
      let tensor = try #require(state[name]?.tensorValue, "\(name) is no tensor")
      return (name, try tensor.to(.float64).array(as: Double.self))
    }
  }

  var step: Int? { contents["global_step"]?.intValue }
  var epoch: Int? { contents["epoch"]?.intValue }
}

/// The largest difference of two sets of weights with the same names.
func largestDifference(_ first: CheckpointFile, _ second: CheckpointFile) throws -> Double {
  let pairs = zip(try first.weights(), try second.weights())
  return try pairs.map { one, other in
    try #require(one.name == other.name && one.values.count == other.values.count)
    return zip(one.values, other.values).map { abs($0 - $1) }.max() ?? 0
  }.max() ?? .infinity
}
