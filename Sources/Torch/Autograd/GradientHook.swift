internal import CTorch

/// A registered gradient hook; `remove()` ends it. Dropping the value leaves the hook in place.
public final class GradientHook {
  enum Kind { case afterAccumulation, arrival }

  private var tensor: Tensor?
  private let key: Int
  private let kind: Kind

  init(tensor: Tensor, key: Int, kind: Kind) {
    self.tensor = key < 0 ? nil : tensor
    self.key = key
    self.kind = kind
  }

  public func remove() {
    guard let tensor else { return }
    switch kind {
    case .afterAccumulation: ct_remove_post_accumulate_hook(tensor.handle, key)
    case .arrival: ct_remove_gradient_hook(tensor.handle, key)
    }
    self.tensor = nil
  }
}
