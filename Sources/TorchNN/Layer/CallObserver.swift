/// What is to be told of the calls of a layer, whatever the types of its input and output.
package struct CallObserver {
  /// Called before `forward(_:)` with what is in the input.
  package let before: (CallTensors) -> Void
  /// Called after `forward(_:)` with what is in the output.
  package let after: (CallTensors) -> Void

  package init(before: @escaping (CallTensors) -> Void, after: @escaping (CallTensors) -> Void) {
    self.before = before
    self.after = after
  }
}
