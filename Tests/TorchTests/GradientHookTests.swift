import Testing
import Torch

@Suite struct GradientHookTests {
  private let x: Tensor = {
    let tensor = Tensor([3.0])
    tensor.requiresGradient = true
    return tensor
  }()

  @Test func arrivingGradientsCanBeReplaced() {
    var seen: [Double] = []
    x.onGradient { gradient in
      seen.append(contentsOf: numbers(gradient))
      return gradient * 10
    }
    x.onGradient { gradient in
      seen.append(contentsOf: numbers(gradient))
      return nil
    }
    (x * 2).backward()
    #expect(seen == [2, 20])
    expect(x.gradient, [1], [20])
  }

  @Test func hooksOfInnerTensorsRun() {
    let y = x * x
    var seen: [Double] = []
    y.onGradient { gradient in
      seen += numbers(gradient)
      return Tensor([7.0])
    }
    (y * 5).backward()
    #expect(seen == [5])
    expect(x.gradient, [1], [42])
  }

  @Test func accumulationHooksSeeTheLeaf() {
    var events: [String] = []
    x.onGradientAccumulated { leaf in events.append("first \(numbers(leaf)[0]) \(numbers(leaf.gradient!)[0])") }
    x.onGradientAccumulated { leaf in
      events.append("second")
      leaf.gradient = nil
    }
    x.onGradient { _ in
      events.append("arrival")
      return nil
    }
    (x * 2).backward()
    (x * 4).backward()
    #expect(events == ["arrival", "first 3.0 2.0", "second", "arrival", "first 3.0 4.0", "second"])
    #expect(x.gradient == nil)
  }

  @Test func removedHooksAreSilent() {
    var events: [Int] = []
    let hooks = (0..<3).map { number in x.onGradientAccumulated { _ in events.append(number) } }
    let arrivals = (10..<13).map { number in
      x.onGradient { _ in
        events.append(number)
        return nil
      }
    }
    hooks[1].remove()
    arrivals[0].remove()
    (x * 2).backward()
    #expect(events == [11, 12, 0, 2])
    for hook in hooks + arrivals {
      hook.remove()
      hook.remove()
    }
    (x * 2).backward()
    #expect(events.count == 4)
    x.onGradientAccumulated { _ in events.append(99) }
    (x * 2).backward()
    #expect(events.last == 99)
  }

  @Test func aHookMayRemoveItselfAndOthers() {
    var events: [Int] = []
    var hooks: [GradientHook] = []
    for number in 0..<4 {
      hooks.append(
        x.onGradientAccumulated { leaf in
          events.append(number)
          guard number == 1 else { return }
          hooks[1].remove()
          hooks[2].remove()
          leaf.onGradientAccumulated { _ in events.append(10) }
        })
    }
    (x * 2).backward()
    (x * 2).backward()
    #expect(events == [0, 1, 3, 10, 0, 3, 10])
    hooks = []
  }

  @Test func droppingTheValueLeavesTheHook() {
    var count = 0
    do { _ = x.onGradientAccumulated { _ in count += 1 } }
    (x * 2).backward()
    #expect(count == 1)
  }

  @Test func closuresAreReleased() {
    final class Witness {}
    weak var arrival: Witness?
    weak var accumulation: Witness?
    weak var removed: Witness?
    do {
      let tensor = Tensor([1.0])
      tensor.requiresGradient = true
      let (first, second, third) = (Witness(), Witness(), Witness())
      (arrival, accumulation, removed) = (first, second, third)
      tensor.onGradient { gradient in withExtendedLifetime(first) { gradient } }
      tensor.onGradientAccumulated { _ in withExtendedLifetime(second) {} }
      let hook = tensor.onGradientAccumulated { _ in withExtendedLifetime(third) {} }
      (tensor * 2).backward()
      hook.remove()
    }
    #expect(arrival == nil)
    #expect(accumulation == nil)
    #expect(removed == nil)
  }

  @Test func accumulationHooksNeedALeaf() {
    weak var witness: GradientHookTests.Holder?
    let error = failure {
      let holder = Holder()
      witness = holder
      (x * 2).onGradientAccumulated { _ in withExtendedLifetime(holder) {} }.remove()
    }
    #expect(error?.operation == "onGradientAccumulated")
    #expect(error?.message.contains("needs a leaf that requires its gradient") == true)
    #expect(witness == nil)
    #expect(failure { Tensor([1.0]).onGradient { $0 } }?.operation == "onGradient")
  }

  @Test func errorsInAHookAreFound() {
    let line = #line + 1
    x.onGradientAccumulated { leaf in _ = leaf + Tensor([1.0, 2.0])[Tensor([5])] }
    let error = failure { (x * 2).backward() }
    #expect(error?.operation == "index")
    #expect(error?.location == "\(#filePath):\(line)")
  }

  private final class Holder {}
}
