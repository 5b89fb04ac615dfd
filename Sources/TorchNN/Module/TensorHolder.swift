public import Torch

/// The reference behind a `@Parameter` or `@Buffer` property: where a module's tensor lives.
///
/// Modules, optimizers and strategies share the holder, never the tensor, so a tensor may be replaced (moved to
/// another device, converted, sharded) without anyone holding a stale one.
public class TensorHolder {
  @exclusivity(unchecked) @usableFromInline final var storage: Tensor?

  /// What a read of the property returns instead of the held tensor; `nil` reads the tensor itself.
  ///
  /// A strategy sets it to hand out a gathered shard or a replica. It is called on every read, on the reading thread.
  @exclusivity(unchecked) public final var reader: ((TensorHolder) -> Tensor)?

  /// Where a tensor goes that is assigned to the property, in place of the holder; it answers `false` to let the holder
  /// take it. Called on the assigning thread.
  @exclusivity(unchecked) public final var writer: ((TensorHolder, Tensor?) -> Bool)?

  /// The shape of the whole tensor, while the held one is a part of it.
  package final var wholeShape: [Int]?

  @usableFromInline
  init(storage: Tensor?) {
    self.storage = storage
    findTape()
  }

  /// Whether there is a tensor; `false` only for an optional property that holds `nil`.
  public final var isPresent: Bool { storage != nil }

  /// The held tensor, whatever `reader` makes of it.
  ///
  /// Reading it while `isPresent` is false is an error of the enclosing error scope.
  public final var tensor: Tensor {
    get { Tensor.reading(storage) }
    set { hold(newValue) }
  }

  /// The shape of the tensor, also while a strategy lets the property hold a part of it.
  public final var shape: [Int] { wholeShape ?? tensor.shape }

  /// The held tensor, or `nil` when there is none, whatever `reader` makes of it.
  package final var held: Tensor? { storage }

  /// What an assignment to the property does.
  @inlinable
  final func assign(_ tensor: Tensor?) {
    if let writer, writer(self, tensor) { return }
    hold(tensor)
  }

  /// Replaces the held tensor.
  @usableFromInline
  func hold(_ tensor: Tensor?) {
    storage = tensor
    findTape()
  }

  /// What knows how to make the tensor, while it has no memory.
  final var tape: OperationTape?

  /// Finds out whether the tensor has memory.
  final func findTape() {
    tape = storage.flatMap { $0.device.kind == .meta ? OperationTape.of($0) : nil }
  }
}
