import Foundation
import Testing
import Torch

/// The starting weights of the language model, bit for bit those of `Tests/Reference/workloads.py`.
enum InitialWeights {
  private struct Workload: Decodable {
    struct Summary: Decodable {
      let shape: [Int]
      let first: [Double]
    }
    struct Model: Decodable {
      let parameterOrder: [String]
      let tensors: [String: Summary]

      enum CodingKeys: String, CodingKey {
        case tensors
        case parameterOrder = "parameter_order"
      }
    }
    let w3: Model
  }

  /// Number `index` of the sequence that `seed` names: the upper 24 bits of SplitMix64.
  private static func u24(_ seed: UInt64, _ index: UInt64) -> UInt64 {
    var z = ((seed << 32) &+ index &+ 1) &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return (z ^ (z >> 31)) >> 40
  }

  /// Writes a safetensors file.
  static func writeLanguageModel(to path: String) throws {
    let data = try Data(contentsOf: URL(filePath: Repository.reference("workloads.json")))
    let model = try JSONDecoder().decode(Workload.self, from: data).w3
    var state: StateDictionary = [:]
    for (number, name) in model.parameterOrder.enumerated() {
      let summary = try #require(model.tensors[name])
      let count = summary.shape.reduce(1, *)
      let values = values(of: name, seed: 3000 + UInt64(number), count: count)
      #expect(zip(values, summary.first).allSatisfy { $0 == Float($1) }, "\(name) begins with \(values.prefix(4))")
      state[name] = Tensor(values, shape: summary.shape)
    }
    try Safetensors.save(state, to: path)
  }

  private static func values(of name: String, seed: UInt64, count: Int) -> [Float] {
    if name.contains("ln_") { return [Float](repeating: name.hasSuffix("weight") ? 1 : 0, count: count) }
    if name.hasSuffix("bias") { return [Float](repeating: 0, count: count) }
    let scale: Float = name.contains("c_proj") ? 0.024494897 : 0.069282032
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      var index = 0
      while index < count {
        buffer[index] = (Float(u24(seed, UInt64(index))) * 0x1p-24 - 0.5) * scale
        index += 1
      }
      initialized = count
    }
  }
}
