import Testing
import Torch
import TorchNN

/// Numbers from `torch.nn.init` with `torch.Generator().manual_seed(7)`, PyTorch 2.13.
@Suite("Initializers against PyTorch")
struct InitializerTests {
  private func draw(_ initializer: Initializer, _ shape: [Int] = [2, 3]) throws -> [Float] {
    try initializer(shape, generator: Generator(seed: 7)).array(as: Float.self)
  }

  @Test("uniform and normal families give the same bits")
  func families() throws {
    #expect(
      try draw(.xavierUniform(gain: 2)) == [
        0.1530229151248932, -1.319778323173523, 0.6976307034492493, 0.6874587535858154, -1.1709802150726318,
        -0.3283644914627075,
      ])
    #expect(
      try draw(.xavierNormal()) == [
        -0.09284137189388275, 0.4971994161605835, 0.5988225936889648, -0.7047730684280396, 1.0693495273590088,
        -0.5659388303756714,
      ])
    #expect(
      try draw(.kaimingUniform(mode: .fanOut, nonlinearity: .relu)) == [
        0.12097522616386414, -1.0433763265609741, 0.5515254735946655, 0.5434838533401489, -0.9257410764694214,
        -0.2595949172973633,
      ])
    #expect(
      try draw(.kaimingNormal(nonlinearity: .tanh), [1, 2, 1, 2]) == [
        -0.12232924997806549, 0.6551177501678467, 0.7890180349349976, -0.9286200404167175,
      ])
  }

  @Test("truncated normal numbers too, in the wide and in the narrow case")
  func truncated() throws {
    #expect(
      try draw(.truncatedNormal(mean: 0.5, deviation: 2, low: -1, high: 1.5), [6]) == [
        0.20640981197357178, 0.9810922741889954, 0.7763453125953674, -0.7056966423988342, 1.1353566646575928,
        0.7656139135360718,
      ])
    #expect(
      try draw(.truncatedNormal(low: 1.5, high: 2), [6]) == [
        1.7674612998962402, 1.599401593208313, 1.8296058177947998, 1.679642915725708, 1.8702620267868042,
        1.7125307321548462,
      ])
  }

  @Test("filling a parameter keeps it a leaf")
  func parameter() throws {
    let layer = Linear(2, 2)
    Initializer.constant(0.25).fill(layer.weight)
    #expect(layer.weight.isLeaf && layer.weight.requiresGradient)
    #expect(try layer.weight.array(as: Float.self) == [0.25, 0.25, 0.25, 0.25])
  }

  @Test("impossible arguments are errors")
  func errors() throws {
    let fans = try #require(throws: TorchError.self) { try withErrorScope { Initializer.xavierNormal()([3]) } }
    #expect(fans.message == "the weight has shape [3]; fan-in and fan-out need at least two dimensions")
    let bounds = try #require(throws: TorchError.self) {
      try withErrorScope { Initializer.truncatedNormal(low: 1, high: 0)([3]) }
    }
    #expect(bounds.message.hasPrefix("low 1.0 must be below high 0.0"))
  }
}
