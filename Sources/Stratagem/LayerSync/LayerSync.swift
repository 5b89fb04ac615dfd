public import TorchDistributed
public import TorchNN

/// What makes layers of a module work together over the processes of a fit.
///
/// It is applied before training and reverted after it, also when training fails; validation, test and prediction
/// outside a fit run without it.
public protocol LayerSync: AnyObject {
  /// Connects the layers of `module` with those of the other ranks of `group`.
  func apply(to module: Module, in group: ProcessGroup) throws

  /// Disconnects them again. Called after an error, too, and when ``apply(to:in:)`` was never called.
  func revert()
}
