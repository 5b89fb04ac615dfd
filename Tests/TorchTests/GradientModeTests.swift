import Testing
import Torch

@Suite struct GradientModeTests {
  private struct Stop: Error {}

  private let x: Tensor = {
    let tensor = Tensor([2.0])
    tensor.requiresGradient = true
    return tensor
  }()

  @Test func recordingCanBeSwitchedOff() {
    #expect(isGradientEnabled)
    withoutGradients {
      #expect(!isGradientEnabled)
      #expect(!(x * 2).requiresGradient)
      withGradients {
        #expect(isGradientEnabled)
        #expect((x * 2).requiresGradient)
      }
      #expect(!isGradientEnabled)
      x.add(1)
    }
    #expect(isGradientEnabled)
    expect(x, [1], [3])
    #expect((x * 2).requiresGradient)
  }

  @Test func modeEndsWithAnError() {
    #expect(throws: Stop.self) { try withoutGradients { throw Stop() } }
    #expect(isGradientEnabled)
    #expect(throws: Stop.self) { try withInferenceMode { throw Stop() } }
    #expect((x * 2).requiresGradient)
  }

  @Test func scopesReturnWhatTheirBodyReturns() {
    #expect(withoutGradients { 7 } == 7)
    #expect(withGradients { 8 } == 8)
    #expect(withInferenceMode { 9 } == 9)
    #expect(withAutocast(to: .bfloat16) { 10 } == 10)
  }

  @Test func inferenceTensorsStayOutOfAutograd() {
    let y = withInferenceMode { x * 2 }
    #expect(!y.requiresGradient && y.isLeaf)
    expect(y, [1], [4])
    let error = failure { (x * y).backward() }
    #expect(error?.message.contains("Inference tensors cannot be saved for backward") == true)
  }

  @Test func autocastComputesProductsInTheLowerType() {
    let a = Tensor.ones([2, 2])
    withAutocast(to: .bfloat16) {
      #expect(a.matmul(a).dtype == .bfloat16)
      #expect((a + a).dtype == .float32)
      withAutocast(to: .float16) { #expect(a.matmul(a).dtype == .float16) }
      #expect(a.matmul(a).dtype == .bfloat16)
    }
    #expect(a.matmul(a).dtype == .float32)
  }

  @Test func modesBelongToTheirThread() async {
    let enabledThere = await withCheckedContinuation { (done: CheckedContinuation<Bool, Never>) in
      withoutGradients { runThread { done.resume(returning: isGradientEnabled) } }
    }
    #expect(enabledThere)
  }
}
