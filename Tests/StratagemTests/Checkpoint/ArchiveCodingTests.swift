import Testing
import Torch

@testable import Stratagem

@Suite("Hyper-parameters as plain values")
struct ArchiveCodingTests {
  enum Activation: String, Codable { case relu, gelu }

  struct Inner: Codable, Sendable, Equatable {
    var dropout = 0.1
    var bias = true
  }

  struct Settings: HyperParameterSet, Equatable {
    var hidden = 128
    var learningRate = 1e-3
    var betas = [0.9, 0.999]
    var activation = Activation.relu
    var warmUpSteps: Int?
    var name: String? = "base"
    var inner = Inner()
    var scale: Float = 0.1
    var byGroup = ["head": 1.0]
    var useGPU2 = false
  }

  static var archive: ArchiveDictionary {
    [
      "hidden": 128, "learning_rate": 0.001, "betas": [0.9, 0.999], "activation": "relu",
      "warm_up_steps": ArchiveValue.none, "name": "base", "inner": ["dropout": 0.1, "bias": true], "scale": 0.1,
      "by_group": ["head": 1.0], "use_gpu2": false,
    ]
  }

  @Test("Names in Python's style, numbers of their kind")
  func written() throws {
    #expect("\(try Settings().archive())" == "\(Self.archive)")
  }

  @Test("Read over the defaults: missing values keep theirs, unknown ones are left out")
  func overDefaults() throws {
    let settings = try Settings(archive: ["learning_rate": 1, "inner": ["bias": false], "unknown": "x", "hidden": 64])
    var expected = Settings()
    expected.learningRate = 1
    expected.inner.bias = false
    expected.hidden = 64
    #expect(settings == expected)
  }

  @Test("There and back")
  func roundTrip() throws {
    var settings = Settings()
    settings.warmUpSteps = 7
    settings.name = nil
    settings.betas = []
    settings.activation = .gelu
    #expect(try Settings(archive: settings.archive()) == settings)
  }

  @Test(
    "What does not fit is named",
    arguments: [
      (["hidden": "many"] as ArchiveDictionary, "'hidden': Int is needed, found 'many'"),
      (["hidden": 1.5], "'hidden': Int is needed, found 1.5"),
      (["inner": ["bias": 1]], "'inner.bias': Bool is needed, found 1"),
      (["betas": [0.9, "x"]], "'betas.1': Double is needed, found 'x'"),
      (["activation": "tanh"], "'activation': "),
    ].map { UnsafeTransfer($0) })
  func misfits(_ pair: UnsafeTransfer<(ArchiveDictionary, String)>) {
    let error = #expect(throws: DecodingError.self) { try Settings(archive: pair.value.0) }
    #expect(error?.sentence.hasPrefix(pair.value.1) == true, "\(error?.sentence ?? "")")
  }
}
