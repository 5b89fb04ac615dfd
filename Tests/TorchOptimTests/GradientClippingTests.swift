import Testing
import Torch
import TorchNN
import TorchOptim

struct GradientClippingTests {
  let reference = Reference.shared

  @Test(arguments: Reference.shared.clipping.indices)
  func `gradients are clipped as PyTorch clips them`(_ index: Int) throws {
    let expected = reference.clipping[index]
    let parameters = reference.parameters(.float32)
    for (parameter, gradient) in zip(parameters, reference.gradients[0]) {
      parameter.gradient = gradient.tensor(.float32)
    }
    if expected.kind == "value" {
      GradientClipping.clipValue(parameters, maximum: expected.maximum)
    } else {
      let order: Double = if case .number(let order)? = expected.normType { order } else { .infinity }
      let norm = GradientClipping.clipNorm(parameters, maximum: expected.maximum, order: order)
      #expect(try distance(norm, [try #require(expected.totalNorm)]) < 1e-6)
    }
    for (parameter, values) in zip(parameters, expected.after) {
      // Fine enough to see the 1e-6 that is added to the norm.
      #expect(try distance(try #require(parameter.gradient), values.values) < 1e-7)
    }
  }

  @Test func `parameters without a gradient do not count`() throws {
    let parameters = reference.parameters(.float32)
    #expect(try GradientClipping.clipNorm(parameters, maximum: 1).scalar() == 0)
    parameters[1].gradient = Tensor([Float(3), 0, 4, 0])
    #expect(try GradientClipping.clipNorm(parameters, maximum: 10).scalar() == 5)
    #expect(parameters[0].gradient == nil)
  }

  @Test func `gradients of two types have one norm`() throws {
    let parameters = [
      Parameter(wrappedValue: Tensor.zeros([1])), Parameter(wrappedValue: Tensor.zeros([1], dtype: .float64)),
    ]
    parameters[0].gradient = Tensor.full([1], 3)
    parameters[1].gradient = Tensor.full([1], 4, dtype: .float64)
    #expect(try GradientClipping.clipNorm(parameters, maximum: 1).scalar() == 5)
    #expect(try distance(try #require(parameters[1].gradient), [0.8]) < 1e-6)
  }

  @Test func `a norm that is not finite is an error on request`() throws {
    let parameter = Parameter(wrappedValue: Tensor.zeros([2]))
    parameter.gradient = Tensor([Float.nan, 1])
    let error = try #require(throws: TorchError.self) {
      try withErrorScope { GradientClipping.clipNorm([parameter], maximum: 1, errorIfNonFinite: true) }
    }
    #expect(error.message.hasPrefix("the total norm of the gradients is nan, so they cannot be clipped to 1.0"))
    #expect(try parameter.gradient?.array(as: Float.self)[1] == 1)
  }
}
