public import Torch

/// A tensor of a module that is not trained but belongs to its state, such as a running mean.
public class AnyBuffer: TensorHolder {
  /// Whether the buffer is part of the state dictionary.
  public final let isPersistent: Bool

  @usableFromInline
  init(storage: Tensor?, isPersistent: Bool) {
    self.isPersistent = isPersistent
    super.init(storage: storage)
  }
}
