import Testing

@testable import Stratagem

/// What plugins are made of and how they are given.
@Suite struct PrecisionPluginTests {
  private let model = Sequential {
    Linear(2, 2)
    BatchNorm1d(2)
  }

  @Test(arguments: [
    ("64", PrecisionKind.float64), ("64-true", .float64), ("32", .float32), ("32-true", .float32),
    ("16", .float16Mixed), ("16-mixed", .float16Mixed), ("BF16", .bfloat16Mixed), ("bf16-mixed", .bfloat16Mixed),
    ("16-true", .float16), ("bf16-true", .bfloat16),
  ]) func namesAreLightnings(_ name: String, _ kind: PrecisionKind) {
    #expect(PrecisionKind(name: name) == kind)
    #expect(PrecisionKind.supported.contains(kind))
    #expect(Precision.make(kind).precisionKind == kind)
  }

  @Test(arguments: [(PrecisionKind.float64, DType.float64), (.bfloat16, .bfloat16), (.float16, .float16)])
  func truePrecisionConvertsEverything(_ kind: PrecisionKind, _ dtype: DType) throws {
    let precision = try TruePrecision(dtype)
    #expect(precision.precisionKind == kind)
    precision.convert(model)
    #expect(model.parameters().allSatisfy { $0.tensor.dtype == dtype })
    let buffers = model.namedBuffers().map(\.buffer.tensor.dtype)
    #expect(buffers == [dtype, dtype, .int64])
    #expect(precision.inputType == dtype)
    #expect(precision.forward { Tensor.zeros([1]).dtype } == dtype)
    #expect(Tensor.zeros([1]).dtype == .float32)
    #expect(precision.state().isEmpty)
  }

  @Test(arguments: [(PrecisionKind.bfloat16Mixed, DType.bfloat16), (.float16Mixed, .float16)])
  func mixedPrecisionLeavesTheParameters(_ kind: PrecisionKind, _ dtype: DType) throws {
    let precision = try MixedPrecision(kind)
    precision.convert(model)
    #expect(model.parameters().allSatisfy { $0.tensor.dtype == .float32 })
    #expect(precision.inputType == nil)
    let linear = Linear(2, 2)
    #expect(precision.forward { linear(.ones([1, 2])).dtype } == dtype)
    #expect(linear(.ones([1, 2])).dtype == .float32)
    #expect((precision.scaler != nil) == (kind == .float16Mixed))
  }

  @Test func onlyFloat16TakesAScaler() throws {
    let refused = try #require(throws: ConfigurationError.self) {
      _ = try MixedPrecision(.bfloat16Mixed, scaler: GradScaler())
    }
    #expect(refused.description.contains("'bf16-mixed' needs no loss scaling"))
    #expect(throws: ConfigurationError.self) { _ = try MixedPrecision(.float32) }
    #expect(throws: ConfigurationError.self) { _ = try TruePrecision(.float32) }
    #expect(throws: ConfigurationError.self) { _ = try TruePrecision(.int64) }
    let scaler = GradScaler(initialScale: 8)
    #expect(try MixedPrecision(.float16Mixed, scaler: scaler).scaler === scaler)
  }

  @Test func theStateIsThatOfTheScaler() throws {
    let precision = try MixedPrecision(.float16Mixed, scaler: GradScaler(initialScale: 128))
    #expect(precision.stateKey == "MixedPrecision")
    let other = try MixedPrecision(.float16Mixed)
    try other.load(precision.state())
    #expect(other.scaler?.currentScale == 128)
    #expect(try MixedPrecision(.bfloat16Mixed).state().isEmpty)
  }

  @Test func aPluginObjectIsTakenAsItIsOnTheCPU() throws {
    let precision = try MixedPrecision(.float16Mixed)
    let given = try Trainer(accelerator: "cpu", devices: 1, precision: precision, progress: .silent)
    #expect(given.strategy.precision === precision)
    #expect(given.plan.precision == .float16Mixed)
    #expect(given.plan.warnings.isEmpty)
    let named = try Trainer(accelerator: "cpu", devices: 1, precision: 16, progress: .silent)
    #expect(named.plan.precision == .bfloat16Mixed)
    #expect(named.plan.warnings.contains { $0.contains("'bf16-mixed' instead") })
    #expect((named.strategy.precision as? MixedPrecision)?.computeType == .bfloat16)
  }

  @Test func aPluginOfOnesOwnSeesEveryPart() throws {
    final class Recorder: Precision {
      var calls: [String] = []
      override func convert(_ module: Module) { calls.append("convert") }
      override func forward<Result>(_ body: () throws -> Result) rethrows -> Result {
        calls.append("forward")
        return try super.forward(body)
      }
      override func backward(_ loss: Tensor, _ compute: (Tensor) throws -> Void = { $0.backward() }) throws {
        calls.append("backward")
        try super.backward(loss, compute)
      }
      override func unscaleGradients(of optimizer: Optimizer) { calls.append("unscale") }
      override func step(_ optimizer: Optimizer) throws -> Bool {
        calls.append("step")
        return try super.step(optimizer)
      }
    }
    let recorder = Recorder()
    recorder.convert(model)
    let optimizer = SGD(model, learningRate: 0.1)
    try recorder.backward(recorder.forward { model(.ones([2, 2])).sum() })
    recorder.unscaleGradients(of: optimizer)
    #expect(try recorder.step(optimizer))
    #expect(recorder.calls == ["convert", "forward", "backward", "unscale", "step"])
  }
}
