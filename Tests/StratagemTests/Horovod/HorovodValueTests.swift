import Testing
import Torch

@testable import Stratagem

@Suite("What horovod decides without other processes")
struct HorovodValueTests {
  private let tensors = [
    Tensor.zeros([100]), .zeros([50]), .zeros([10], dtype: .float64), .zeros([200]), .zeros([20], dtype: .float64),
  ]

  @Test("Tensors of one type share a buffer up to the threshold; a buffer goes when its last gradient is there")
  func fusion() {
    let order = [4, 3, 2, 1, 0]
    #expect(FusionPlan(order, tensors, threshold: 1 << 20).buffers == [[4, 2], [3, 1, 0]])
    #expect(FusionPlan(order, tensors, threshold: 0).buffers == order.map { [$0] })
    #expect(FusionPlan(order, tensors, threshold: 1000).buffers == [[4, 2], [3, 1], [0]])
    #expect(FusionPlan(order, tensors, threshold: 160).buffers == [[4], [3], [2], [1], [0]])
    #expect(FusionPlan([0, 3], tensors, threshold: 1 << 20).buffers == [[0, 3]])
    #expect(FusionPlan([], [], threshold: 10).buffers.isEmpty)
  }

  @Test("Below the threshold a buffer is an eighth of a large model")
  func parts() {
    let large = (0..<64).map { _ in Tensor.zeros([1 << 18]) }
    let plan = FusionPlan(Array(large.indices.reversed()), large, threshold: 128 << 20)
    #expect(plan.buffers.map(\.count) == [Int](repeating: 8, count: 8))
    #expect(FusionPlan(Array(large.indices), large, threshold: 2 << 20).buffers.count == 32)
  }

  @Test("Adasum's factors: orthogonal, parallel, opposite, zero")
  func factors() {
    func check(_ dot: Double, _ first: Double, _ second: Double, _ expected: (Double, Double)) {
      let factors = Adasum.factors(dot: dot, first, second)
      #expect(factors.first == expected.0 && factors.second == expected.1)
    }
    check(0, 4, 9, (1, 1))
    check(4, 4, 4, (0.5, 0.5))
    check(-4, 4, 4, (1.5, 1.5))
    check(0, 0, 9, (1, 1))
    check(1e-300, 1e-200, 1, (1, 1))
    #expect([1, 2, 4, 64].allSatisfy(Adasum.isPowerOfTwo))
    #expect(![0, -2, 3, 6, 12].contains(where: Adasum.isPowerOfTwo))
  }

  @Test("A request survives its numbers, and another one does not agree with it")
  func requests() throws {
    let request = CollectiveRequest(.allreduce, "a", detail: 2, dtype: .bfloat16, shape: [3, 0, -1], round: 7)
    let read = try #require(CollectiveRequest(request.numbers))
    #expect(read.agrees(with: request) && read.round == 7 && read.dtype == .bfloat16 && read.shape == [3, 0, -1])
    #expect(!request.agrees(with: CollectiveRequest(.allreduce, "b", detail: 2, dtype: .bfloat16, shape: [3, 0, -1])))
    #expect(!request.agrees(with: CollectiveRequest(.allgather, "a", detail: 2, dtype: .bfloat16, shape: [3, 0, -1])))
    #expect(!request.agrees(with: CollectiveRequest(.allreduce, "a", detail: 2, dtype: .float32, shape: [3, 0, -1])))
    #expect(!request.agrees(with: CollectiveRequest(.allreduce, "a", detail: 2, dtype: .bfloat16, shape: [3, 0])))
    #expect(CollectiveRequest([99]) == nil && CollectiveRequest([Int](repeating: 99, count: 16)) == nil)
    #expect(request.text == "allreduce 'a' of bfloat16 [3, 0, any]")
  }

  @Test("What ranks lack is told tensor by tensor")
  func differences() {
    let (a, b) = (TensorSignature("a", .zeros([2])), TensorSignature("b", .zeros([3])))
    let wide = TensorSignature("b", .zeros([4], dtype: .float64))
    #expect(TensorSignature.differences([[a, b], [a], [a]], ranks: [0, 1, 2]) == ["ranks 1, 2 have no 'b'"])
    #expect(
      TensorSignature.differences([[a, b], [a, wide]], ranks: [0, 5]) == [
        "'b' is float32 [3] on rank 0, float64 [4] on rank 5"
      ])
    #expect(TensorSignature.differences([[a, b], [b, a]], ranks: [0, 1]) == ["the order of 2 tensors differs"])
    #expect(TensorSignature.fingerprint(of: [a, b]) != TensorSignature.fingerprint(of: [b, a]))
    #expect(TensorSignature.fingerprint(of: [a, b]) != TensorSignature.fingerprint(of: [a, wide]))
  }

  @Test("The variables by which Horovod is tuned")
  func variables() {
    #expect(HorovodVariables([:]).fusionThreshold == 134_217_728)
    #expect(HorovodVariables([:]).stallNotice == 60 && HorovodVariables([:]).stallShutdown == nil)
    let tuned = HorovodVariables([
      "HOROVOD_FUSION_THRESHOLD": "1024", "HOROVOD_STALL_CHECK_TIME_SECONDS": "5",
      "HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": "30", "HOROVOD_HIERARCHICAL_ALLREDUCE": "1",
    ])
    #expect(tuned.fusionThreshold == 1024 && tuned.stallNotice == 5 && tuned.stallShutdown == 30)
    #expect(tuned.isHierarchical && tuned.problems.isEmpty)
    #expect(HorovodVariables(["HOROVOD_STALL_CHECK_DISABLE": "1"]).stallNotice == .infinity)
    #expect(HorovodVariables(["HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": "0"]).stallShutdown == nil)
    #expect(HorovodVariables(["HOROVOD_FUSION_THRESHOLD": "64MB"]).problems.count == 1)
  }

  @Test("Options that do not fit are told before anything is started")
  func options() throws {
    func problems(_ strategy: HorovodStrategy, devices: Int) -> [String] {
      do {
        _ = try Trainer(strategy: strategy, accelerator: "cpu", devices: .count(devices), loggers: [])
        return []
      } catch let error as ConfigurationError {
        return error.problems.map(\.parameter)
      } catch {
        return ["\(error)"]
      }
    }
    #expect(problems(.horovod(operation: .adasum), devices: 3) == ["operation"])
    #expect(problems(.horovod(operation: .adasum), devices: 2) == [])
    #expect(problems(.horovod(operation: .adasum, hierarchical: true), devices: 3) == [])
    #expect(problems(.horovod(operation: .sum, gradientPredivideFactor: 2), devices: 2) == ["gradientPredivideFactor"])
    #expect(problems(.horovod(gradientPredivideFactor: 0), devices: 2) == ["gradientPredivideFactor"])
    #expect(problems(.horovod(fusionThreshold: -1), devices: 2) == ["fusionThreshold"])
    #expect(problems(.horovod(processSets: [[0, 1], [1, 2]]), devices: 2) == ["processSets"])
    #expect(problems(.horovod(processSets: [[0, 0]]), devices: 2) == ["processSets"])
    #expect(problems(.horovod(processSets: [[0, 1], [1]]), devices: 2) == [])
  }

  @Test("What a strategy was made with is in the plan")
  func plan() throws {
    let strategy: HorovodStrategy = .horovod(operation: .adasum, compression: .fp16, learningRateScaling: .linear)
    let plan = try RunPlan.resolve(
      RunRequest(strategy: strategy, accelerator: "cpu", devices: 2), environment: [:],
      hardware: HardwareInventory(cpuCount: 2))
    #expect(
      plan.description.hasPrefix(
        "horovod (compression: fp16, learningRateScaling: linear, operation: adasum) on 2 processes"))
  }
}
