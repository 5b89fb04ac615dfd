import Glibc
import Synchronization
import Testing
import Torch

/// Settings of libtorch that hold for a scope. Those of the whole process are tried in processes of their own.
@Suite struct RuntimeScopeTests {
  private struct Stop: Error {}

  @Test func theDefaultTypeIsThatOfTheScope() {
    #expect(DType.default == .float32)
    withDefaultDType(.float64) {
      let made = [
        Tensor.zeros([1]), .ones([1]), .full([1], 2), .empty([1]), .rand([1]), .randn([1]), .eye(1), Tensor(0.5),
        .uniform(0..<1, shape: [1]), .normal(shape: [1]), .linspace(from: 0, to: 1, count: 2),
      ]
      #expect(made.allSatisfy { $0.dtype == .float64 })
      #expect(Tensor.zeros([1], dtype: .int64).dtype == .int64)
      #expect(Tensor.arange(3).dtype == .int64)
      withDefaultDType(.bfloat16) { #expect(Tensor.zeros([1]).dtype == .bfloat16) }
      #expect(Tensor.zeros([1]).dtype == .float64)
    }
    #expect(throws: Stop.self) { try withDefaultDType(.float16) { throw Stop() } }
    #expect(Tensor.zeros([1]).dtype == .float32)
  }

  @Test func otherThreadsKeepTheirDefaultType() {
    withDefaultDType(.float64) {
      let found = Mutex(DType.undefined)
      runThreads(1) { _ in found.withLock { $0 = Tensor.zeros([1]).dtype } }
      #expect(found.withLock { $0 } == .float32)
    }
  }

  @Test func deterministicAlgorithmsHoldForTheScope() async {
    await #expect(processExitsWith: .success) {
      try TorchRuntime.withDeterministicAlgorithms {
        #expect(TorchRuntime.usesDeterministicAlgorithms)
        TorchRuntime.withDeterministicAlgorithms(warnOnly: true) {
          #expect(TorchRuntime.usesDeterministicAlgorithms)
        }
        #expect(TorchRuntime.usesDeterministicAlgorithms)
        // Memory that was not written to is filled with a known number.
        let fresh = try Tensor.empty([64]).array(as: Float.self)
        #expect(fresh.allSatisfy { $0.isNaN })
      }
      #expect(!TorchRuntime.usesDeterministicAlgorithms)
      #expect(throws: Stop.self) { try TorchRuntime.withDeterministicAlgorithms { throw Stop() } }
      #expect(!TorchRuntime.usesDeterministicAlgorithms)
      #expect(getenv("CUBLAS_WORKSPACE_CONFIG") == nil || TorchRuntime.cudaDeviceCount > 0)
    }
  }

  @Test func anomaliesNameTheFunction() async {
    await #expect(processExitsWith: .success) {
      let x = Tensor([-1.0])
      x.requiresGradient = true
      let error = failure {
        TorchRuntime.withAnomalyDetection { (x.sqrt() * 0).sum().backward() }
      }
      #expect(error?.message.contains("'SqrtBackward0' returned nan values") == true, "\(error as Any)")
      #expect(!TorchRuntime.detectsAnomalies)
      TorchRuntime.withAnomalyDetection(checkNaN: false) {
        #expect(TorchRuntime.detectsAnomalies)
        (x.sqrt() * 0).sum().backward()
      }
      #expect(throws: Stop.self) { try TorchRuntime.withAnomalyDetection { throw Stop() } }
      #expect(!TorchRuntime.detectsAnomalies)
      (x.sqrt() * 0).sum().backward()
      #expect(numbers(x.gradient!)[0].isNaN)
    }
  }
}
