/// What removes a registered hook; dropping it leaves the hook in place.
public final class HookHandle {
  private var removal: (() -> Void)?

  init(_ removal: @escaping () -> Void) {
    self.removal = removal
  }

  /// Removes the hook; calling it again does nothing.
  public func remove() {
    removal?()
    removal = nil
  }
}
