package import Torch

/// The gradient of a parameter that is not in memory between its uses.
package protocol OffloadedGradient: AnyObject {
  /// Whether there is one.
  var isPresent: Bool { get }

  /// Gives its elements in order to `body`, as vectors that are good for the time of the call.
  func forEachPart(_ body: (Tensor) throws -> Void) throws

  /// Lets later readers see it changed; `change` works in place on vectors of its elements.
  func apply(_ change: @escaping (Tensor) -> Void)
}
