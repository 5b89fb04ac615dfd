/// A list of modules, named `0`, `1`, ..., for those that are not simply run one after the other.
///
/// A plain array of modules does as well; the list prints equal neighbours once and can be passed around.
public final class ModuleList<Element: Module>: Module, RandomAccessCollection {
  private var elements: [Element]

  /// Creates a list of `elements`.
  public init(_ elements: [Element] = []) {
    self.elements = elements
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { elements.count }

  /// The module at `index`; assigning replaces it.
  public subscript(_ index: Int) -> Element {
    get { elements[index] }
    set { elements[index] = newValue }
  }

  /// Adds a module at the end.
  public func append(_ element: Element) { elements.append(element) }

  override func readEntries() -> ModuleEntries {
    var entries = ModuleEntries()
    entries.isStable = false
    for (index, element) in elements.enumerated() { entries.children.append((String(index), element)) }
    return entries
  }

  override var typeName: String { "ModuleList" }

  /// As PyTorch prints it: `(0-3): 4 x Block(...)` for equal neighbours.
  override func structureDescription() -> String {
    var runs: [(first: Int, last: Int, text: String)] = []
    for (index, element) in elements.enumerated() {
      let text = element.description
      if let run = runs.last, run.text == text {
        runs[runs.count - 1].last = index
      } else {
        runs.append((index, index, text))
      }
    }
    let children = runs.map { run in
      run.first == run.last
        ? (name: "\(run.first)", text: run.text)
        : (name: "\(run.first)-\(run.last)", text: "\(run.last - run.first + 1) x \(run.text)")
    }
    return Self.nested(typeName, extra: extraDescription, children: children)
  }
}
