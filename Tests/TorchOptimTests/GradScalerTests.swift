import Testing
import Torch
import TorchNN
import TorchOptim

/// The loss scale. Whole runs are compared with PyTorch in `PrecisionReferenceTests`.
struct GradScalerTests {
  private let parameter = Parameter(wrappedValue: Tensor([Float(1), 2]))
  private var optimizer: SGD { SGD([parameter], learningRate: 1) }

  private func gradient(_ values: [Float]) -> Tensor { Tensor(values) }

  private func values() throws -> [Float] { try parameter.wrappedValue.detached().array(as: Float.self) }

  @Test func `the loss is multiplied, and gradients divided, by the scale`() throws {
    let (scaler, optimizer) = (GradScaler(initialScale: 8), optimizer)
    let loss = (parameter.wrappedValue * 3).sum()
    let scaled = scaler.scale(loss)
    #expect(try scaled.scalar() == 8 * 9)
    scaled.backward()
    #expect(try parameter.gradient?.array(as: Float.self) == [24, 24])
    scaler.unscaleGradients(of: optimizer)
    #expect(try parameter.gradient?.array(as: Float.self) == [3, 3])
    #expect(scaler.step(optimizer))
    #expect(try values() == [-2, -1])
  }

  @Test func `a step unscales when nobody did`() throws {
    let (scaler, optimizer) = (GradScaler(initialScale: 4), optimizer)
    parameter.gradient = gradient([4, 8])
    #expect(scaler.step(optimizer))
    #expect(try values() == [0, 0])
  }

  @Test(arguments: [Float.infinity, -.infinity, .nan])
  func `a step with a gradient that is not finite is left out`(_ value: Float) throws {
    let (scaler, optimizer) = (GradScaler(initialScale: 16, backoffFactor: 0.25), optimizer)
    parameter.gradient = gradient([value, 1])
    #expect(!scaler.step(optimizer))
    #expect(try values() == [1, 2])
    #expect(scaler.currentScale == 16)
    scaler.update()
    #expect(scaler.currentScale == 4)
  }

  @Test func `the scale grows after steps without one`() {
    let (scaler, optimizer) = (GradScaler(initialScale: 2, growthFactor: 3, growthInterval: 2), optimizer)
    var scales: [Double] = []
    for overflow in [false, false, false, true, false, false] {
      parameter.gradient = gradient([overflow ? .infinity : 0, 0])
      scaler.step(optimizer)
      scaler.update()
      scales.append(scaler.currentScale)
    }
    #expect(scales == [2, 6, 6, 3, 3, 9])
    #expect(scaler.growthTrack == 0)
  }

  @Test func `an overflow of one optimizer shrinks the scale, and only its step is left out`() throws {
    let other = Parameter(wrappedValue: Tensor([Float(5)]))
    let (scaler, first, second) = (GradScaler(initialScale: 2), optimizer, SGD([other], learningRate: 1))
    parameter.gradient = gradient([.nan, 0])
    other.gradient = gradient([2])
    #expect(!scaler.step(first))
    #expect(scaler.step(second))
    scaler.update()
    #expect(try other.wrappedValue.scalar() == 4)
    #expect(scaler.currentScale == 1)
  }

  @Test func `gradients of several types are unscaled`() throws {
    let wide = Parameter(wrappedValue: Tensor([1.0]))
    let narrow = Parameter(wrappedValue: Tensor([1.0]).to(.bfloat16))
    let (scaler, optimizer) = (GradScaler(initialScale: 4), SGD([parameter, wide, narrow], learningRate: 1))
    parameter.gradient = gradient([4, 4])
    wide.gradient = Tensor([12.0])
    narrow.gradient = Tensor([8.0]).to(.bfloat16)
    scaler.unscaleGradients(of: optimizer)
    #expect(try wide.gradient?.scalar() == 3)
    #expect(try narrow.gradient?.scalar() == 2)
    wide.gradient?.fill(.init(Double.infinity))
    #expect(scaler.step(optimizer), "infinities that come after unscaling are the user's")
  }

  @Test func `without gradients nothing happens`() throws {
    let (scaler, optimizer) = (GradScaler(initialScale: 4, growthInterval: 1), optimizer)
    #expect(scaler.step(optimizer))
    scaler.update()
    #expect(scaler.currentScale == 4)
    #expect(try values() == [1, 2])
  }

  @Test func `the state is PyTorch's and comes back`() throws {
    let scaler = GradScaler(initialScale: 32, growthFactor: 4, backoffFactor: 0.25, growthInterval: 7)
    parameter.gradient = gradient([1, 1])
    scaler.step(optimizer)
    scaler.update()
    let state = scaler.stateDictionary()
    #expect(
      state.description
        == "{'scale': 32.0, 'growth_factor': 4.0, 'backoff_factor': 0.25, 'growth_interval': 7, '_growth_tracker': 1}")
    let other = GradScaler()
    try other.load(state)
    #expect(other.stateDictionary().description == state.description)
    let error = try #require(throws: OptimizerStateError.self) {
      try other.load(["scale": "large", "growth_factor": 2])
    }
    #expect(error.description.contains("'scale' should be a number, found 'large'"))
    #expect(error.description.contains("'_growth_tracker' is missing"))
    #expect(other.currentScale == 32)
  }

  @Test func `wrong use says what to do`() throws {
    let (scaler, optimizer) = (GradScaler(), optimizer)
    parameter.gradient = gradient([1, 1])
    func message(_ body: () -> Void) throws -> String {
      try #require(throws: TorchError.self) { try withErrorScope(body) }.message
    }
    scaler.unscaleGradients(of: optimizer)
    #expect(try message { scaler.unscaleGradients(of: optimizer) }.contains("call update() after each step"))
    scaler.step(optimizer)
    #expect(try message { scaler.step(optimizer) }.contains("call update() after each step"))
    scaler.update()
    scaler.step(optimizer)

    let half = Parameter(wrappedValue: Tensor([1.0]).to(.float16))
    half.gradient = Tensor([1.0]).to(.float16)
    let halved = SGD([half], learningRate: 1)
    #expect(try message { GradScaler().unscaleGradients(of: halved) }.contains("keep the parameters in float32"))
    let stubborn = SelfContainedOptimizer(groups: [ParameterGroup([parameter], learningRate: 1)])
    #expect(try message { GradScaler().step(stubborn) }.contains("does not work with a scaled loss"))
    let options = try message { _ = GradScaler(initialScale: -1, growthFactor: 1, backoffFactor: 2, growthInterval: 0) }
    for name in ["initialScale", "growthFactor", "backoffFactor", "growthInterval"] { #expect(options.contains(name)) }
  }
}

/// An optimizer that computes its gradients itself.
private final class SelfContainedOptimizer: Optimizer {
  override var supportsGradientScaling: Bool { false }
  override func update(_ group: ParameterGroup) {}
}
