import Testing
import Torch
import TorchNN

@Suite("Forward hooks")
struct HookTests {
  @Test("hooks see and may replace input and output, in the order of registration")
  func replacement() throws {
    let layer = Identity()
    var events: [String] = []
    let pre = layer.registerForwardPreHook { _, input in
      events.append("before")
      return input + 1
    }
    let first = layer.registerForwardHook { called, input, output in
      #expect(called === layer)
      events.append("first")
      return output * 10
    }
    let second = layer.registerForwardHook { _, _, _ in
      events.append("second")
      return nil
    }
    #expect(try layer(.ones([1])).scalar() == 20)
    #expect(events == ["before", "first", "second"])
    pre.remove()
    pre.remove()
    #expect(try layer(.ones([1])).scalar() == 10)
    first.remove()
    second.remove()
    events = []
    #expect(try layer(.ones([1])).scalar() == 1)
    #expect(events.isEmpty)
  }

  @Test("a hook may remove itself while it runs")
  func removalInside() throws {
    let layer = Identity()
    var handle: HookHandle?
    var calls = 0
    handle = layer.registerForwardHook { _, _, output in
      calls += 1
      handle?.remove()
      return output + 1
    }
    #expect(try layer(.ones([1])).scalar() == 2)
    #expect(try layer(.ones([1])).scalar() == 1)
    #expect(calls == 1)
  }

  @Test("hooks of a layer are not part of the model's structure")
  func structure() throws {
    let layer = Linear(1, 1)
    let other = Linear(1, 1)
    layer.registerForwardHook { _, input, _ in other(input) }
    try layer.checkStructure()
    #expect(layer.parameters().count == 2)
  }
}
