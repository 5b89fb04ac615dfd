public import Torch

/// Layers that are run one after the other; children are named `0`, `1`, ...
///
/// ```swift
/// let body = Sequential {
///   Linear(64, 128)
///   ReLU()
///   if dropout > 0 { Dropout(dropout) }
///   for _ in 0..<depth { Residual(128) }
///   Linear(128, 10)
/// }
/// ```
open class Sequential: Layer<Tensor, Tensor> {
  /// The layers in the order they are run.
  public final private(set) var layers: [Layer<Tensor, Tensor>]

  /// Creates a sequence from a list of layers.
  public init(_ layers: [Layer<Tensor, Tensor>]) {
    self.layers = layers
  }

  /// Creates a sequence from layers, one a line; `if`, `else`, `switch` and `for` decide which take part.
  public convenience init(@SequentialBuilder _ layers: () -> [Layer<Tensor, Tensor>]) {
    self.init(layers())
  }

  /// Adds a layer at the end.
  public final func append(_ layer: Layer<Tensor, Tensor>) { layers.append(layer) }

  /// The number of layers.
  public final var count: Int { layers.count }

  /// The layer at `index`; assigning replaces it.
  public final subscript(_ index: Int) -> Layer<Tensor, Tensor> {
    get { layers[index] }
    set { layers[index] = newValue }
  }

  open override func forward(_ input: Tensor) -> Tensor {
    var output = input
    for layer in layers { output = layer(output) }
    return output
  }

  override func readEntries() -> ModuleEntries {
    var entries =
      type(of: self) == Sequential.self ? ModuleEntries() : ModuleReader.read(self, below: Sequential.self)
    entries.isStable = false
    for (index, layer) in layers.enumerated() { entries.children.append((String(index), layer)) }
    return entries
  }
}
