public import Torch

/// A trainable tensor of a module, whatever the type of its property.
///
/// The held tensor is a leaf of the autograd graph. Optimizers keep `AnyParameter`s, so that they see a tensor that
/// is replaced later.
public class AnyParameter: TensorHolder {
  @usableFromInline
  init(adopting tensor: Tensor?) {
    super.init(storage: nil)
    hold(tensor)
  }

  /// Called when the gradient was set to `nil`, by a strategy that keeps parts of it elsewhere.
  @exclusivity(unchecked) package final var gradientWasDropped: (() -> Void)?

  /// The gradient where a strategy keeps it elsewhere; ``gradient`` is then `nil`.
  @exclusivity(unchecked) package final var offloadedGradient: (any OffloadedGradient)?

  /// The accumulated gradient of the held tensor; `nil` before the first backward and after `zeroGradients()`.
  public final var gradient: Tensor? {
    get { storage?.gradient }
    set {
      storage?.gradient = newValue
      if newValue == nil { gradientWasDropped?() }
    }
  }

  /// Whether backward computes a gradient for this parameter. Setting it to `false` freezes the parameter.
  public final var requiresGradient: Bool {
    get { storage?.requiresGradient ?? false }
    set { storage?.requiresGradient = newValue }
  }

  /// Makes `tensor` the parameter: a leaf that requires a gradient, unless it replaces a frozen one.
  @usableFromInline
  override final func hold(_ tensor: Tensor?) {
    guard let tensor else {
      storage = nil
      findTape()
      return
    }
    if tensor === storage { return }
    let trainable = storage?.requiresGradient ?? true
    let leaf = tensor.isLeaf ? tensor : tensor.detached()
    if leaf.requiresGradient != trainable { leaf.requiresGradient = trainable }
    storage = leaf
    findTape()
    if let scope = DeferralScope.current { scope.note(self) }
  }
}
