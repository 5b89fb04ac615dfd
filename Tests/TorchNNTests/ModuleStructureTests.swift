import Testing
import Torch
import TorchNN

@Suite("Structures the walk cannot use")
struct ModuleStructureTests {
  private struct Pair { let first = Linear(1, 1) }
  private final class Inner: Module { let pair = (Linear(1, 1), 3) }
  private final class Outer: Module {
    let blocks = [Inner()]
    let box = Pair()
    let keyed: [Double: Linear] = [0.5: Linear(1, 1)]
    let fine = (1, "two", Tensor.ones([1]))
  }
  private final class Node: Module { var next: Node? }

  @Test("every offending property is named by its path, with what to write instead")
  func problems() throws {
    let error = try #require(throws: ModuleStructureError.self) { try Outer().checkStructure() }
    #expect(error.problems.count == 3)
    #expect(error.problems.contains { $0.hasPrefix("box: a value of type Pair holds modules") })
    #expect(error.problems.contains { $0.hasPrefix("keyed: the keys of Dictionary<Double, Linear>") })
    #expect(error.problems.contains { $0.hasPrefix("blocks.0.pair: a value of type (Linear, Int) holds modules") })
    #expect(error.description.hasPrefix("the structure of Outer cannot be used:\n  "))
    #expect(error.description.contains("keep them in an array or a dictionary with string keys"))
  }

  @Test("a module that contains itself is refused, not followed forever")
  func cycle() throws {
    let node = Node()
    node.next = Node()
    try node.checkStructure()
    node.next?.next = node
    let error = try #require(throws: ModuleStructureError.self) { try node.checkStructure() }
    #expect(
      error.problems == [
        "next.next: this Node contains itself; keep a reference to a parent in a closure, not in a stored property"
      ])
    node.eval()
    #expect(node.next?.isTraining == false)
    #expect(
      node.description == """
        Node(
          (next): Node(
            (next): Node(...)
          )
        )
        """)
    node.next = nil
  }

  /// Shows no properties, as a type compiled without reflection metadata does.
  private final class Hidden: Module, CustomReflectable {
    let layer = Linear(1, 1)
    var customMirror: Mirror { Mirror(self, children: [:] as KeyValuePairs<String, Any>) }
  }

  @Test("a type whose properties reflection does not show is refused, not taken for empty")
  func hidden() throws {
    let error = try #require(throws: ModuleStructureError.self) { try ModuleList([Hidden()]).checkStructure() }
    #expect(error.problems.count == 1)
    #expect(error.problems.first?.hasPrefix("0: the type Hidden has stored properties that cannot be seen") == true)
    #expect(error.problems.first?.contains("-disable-reflection-metadata") == true)
    try ModuleList([ReLU(), Identity()]).checkStructure()
  }

  @Test("listing the parameters of such a module is an error of the enclosing scope")
  func parametersFail() {
    #expect(throws: TorchError.self) { try withErrorScope { Outer().parameters() } }
  }

  @Test("models that can be used pass the check")
  func accepted() throws {
    try Everything(head: Linear(1, 1)).checkStructure()
    try Perceptron().checkStructure()
    try ModuleList([Block(), Block()]).checkStructure()
  }
}
