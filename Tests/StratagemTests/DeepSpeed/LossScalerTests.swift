import Testing
import Torch
import TorchNN
import TorchOptim

@testable import Stratagem

/// The rules of DeepSpeed's loss scaling, step by step.
@Suite struct LossScalerTests {
  private func scaling(_ change: (inout LossScaling) -> Void = { _ in }) -> LossScaling {
    var scaling = LossScaling()
    scaling.initialPower = 4
    scaling.window = 3
    change(&scaling)
    return scaling
  }

  /// The scales after each of these steps; `x` is an overflow.
  private func scales(_ options: LossScaling, _ steps: String) -> [Double] {
    var scaler = LossScaler(options)
    return steps.map { step in
      let isPossible = scaler.update(overflow: step == "x")
      #expect(isPossible)
      return scaler.scale
    }
  }

  @Test func doublesAfterAWindowAndHalvesWhenHysteresisIsUsedUp() {
    // lastOverflow is -1 at first, so the scale grows in the third step.
    #expect(scales(scaling(), "......") == [16, 16, 32, 32, 32, 64])
    #expect(scales(scaling(), "xx.....") == [16, 8, 8, 8, 16, 16, 16])
  }

  @Test func hysteresisComesBackAfterAWindowOrAtOnce() {
    #expect(scales(scaling(), "x.x") == [16, 16, 8])
    #expect(scales(scaling(), "x...x") == [16, 16, 16, 32, 32])
    #expect(scales(scaling { $0.restoresHysteresis = true }, "x.x.x") == [16, 16, 16, 16, 16])
    #expect(scales(scaling { $0.hysteresis = 1 }, "xxx") == [8, 4, 2])
    #expect(scales(scaling { $0.hysteresis = 3 }, "xxxx") == [16, 16, 8, 4])
  }

  @Test func theMinimumEndsTheRun() {
    let options = scaling {
      $0.hysteresis = 1
      $0.minimum = 4
    }
    #expect(scales(options, "xx") == [8, 4])
    var scaler = LossScaler(options)
    let possible = (0..<3).map { _ in scaler.update(overflow: true) }
    #expect(possible == [true, true, false])
  }

  @Test func aFixedScaleStays() {
    #expect(scales(scaling { $0.fixed = 128 }, "x.x....") == Array(repeating: 128, count: 7))
    #expect(!LossScaler(scaling { $0.fixed = 128 }).isDynamic)
  }

  @Test func goesOnFromItsState() throws {
    var whole = LossScaler(scaling())
    for step in "x..x." { _ = whole.update(overflow: step == "x") }
    var resumed = LossScaler(scaling())
    try resumed.load(whole.state())
    for step in "..x...xx" {
      let possible = (whole.update(overflow: step == "x"), resumed.update(overflow: step == "x"))
      #expect(possible.0 == possible.1)
      #expect(whole.scale == resumed.scale)
      #expect(whole.hysteresis == resumed.hysteresis)
    }
    #expect(throws: OptimizerStateError.self) { try resumed.load(["cur_scale": 1]) }
  }

  private func makeStep(_ gradient: [Float], reduce: ((Bool) throws -> Bool)? = nil) throws -> (Bool, Float, Double) {
    let precision = LossScalingPrecision(scaling { $0.hysteresis = 1 })
    precision.reduceOverflow = reduce
    let parameter = Parameter(wrappedValue: Tensor([1, 1] as [Float]))
    let optimizer = SGD([parameter], learningRate: 1)
    parameter.gradient = Tensor(gradient)
    try precision.unscaleGradients(of: optimizer)
    let isDone = try precision.step(optimizer)
    return (isDone, try parameter.tensor.array(as: Float.self)[0], precision.lossScaler.scale)
  }

  @Test func gradientsAreUnscaledAndOverflowsLeftOut() throws {
    #expect(try makeStep([8, 0]) == (true, 0.5, 16))
    #expect(try makeStep([8, .infinity]) == (false, 1, 8))
    #expect(try makeStep([8, .nan]) == (false, 1, 8))
    // What another rank found counts.
    #expect(try makeStep([8, 0]) { _ in true } == (false, 1, 8))
    var asked: [Bool] = []
    _ = try makeStep([.nan, 0]) {
      asked.append($0)
      return $0
    }
    #expect(asked == [true])
  }

  @Test func theErrorNamesTheParameterAndAWayOut() throws {
    let precision = LossScalingPrecision(
      scaling {
        $0.hysteresis = 1
        $0.initialPower = 0
      })
    let model = Sequential {
      Linear(1, 1, bias: false)
      Linear(1, 1, bias: false)
    }
    let optimizer = SGD(model, learningRate: 1)
    let parameters = model.parameters()
    parameters[0].gradient = Tensor([1] as [Float]).reshaped(1, 1)
    parameters[1].gradient = Tensor([.nan] as [Float]).reshaped(1, 1)
    let error = try #require(throws: LossScaleError.self) { _ = try precision.step(optimizer) }
    #expect(error.scale == 1)
    #expect(error.parameter == "parameter 1 '\(optimizer.parameterGroups[0].names[1])'")
    #expect("\(error)".contains("bf16"))
  }

  @Test func theLossIsScaled() throws {
    let precision = LossScalingPrecision(scaling())
    let weight = Tensor([2] as [Float])
    weight.requiresGradient = true
    try precision.backward((weight * 3).sum())
    #expect(try weight.gradient?.array(as: Float.self) == [48])
    #expect(precision.precisionKind == .float16Mixed)
  }
}
