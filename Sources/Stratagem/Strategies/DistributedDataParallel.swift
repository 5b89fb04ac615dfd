public import Torch
public import TorchDistributed
internal import TorchNN

/// What makes a module on every rank one model: the counterpart of PyTorch's wrapper of the same name.
///
/// ``DDPStrategy`` calls it around each step that reduces gradients. Subclass it to reduce them another way, and hand it
/// to the strategy in ``DDPStrategy/configureDDP()``:
///
/// ```swift
/// final class MyStrategy: DDPStrategy {
///   override func configureDDP() throws {
///     guard let module, let group else { return }
///     wrapper = MyDataParallel(module, group)
///   }
/// }
/// ```
open class DistributedDataParallel {
  public let module: AnyLightningModule
  public let group: ProcessGroup
  private let buffers: [Tensor]

  /// - Parameters:
  ///   - module: equal on all ranks by now.
  ///   - broadcastBuffers: whether rank 0's buffers are given to all ranks before each forward.
  public init(_ module: AnyLightningModule, _ group: ProcessGroup, broadcastBuffers: Bool = true) {
    self.module = module
    self.group = group
    buffers = broadcastBuffers ? module.namedBuffers().map { $0.buffer.tensor } : []
  }

  /// Called before a forward whose gradients are to be reduced.
  open func willRunForward() throws {
    if !buffers.isEmpty { try group.broadcast(buffers) }
  }

  /// Called before the gradients of `loss` are computed. A module with manual optimization may compute gradients several
  /// times after a forward.
  open func willRunBackward(from loss: Tensor) throws {}

  /// Called when the gradients of this rank have been computed; on return they are the mean over the ranks.
  open func didRunBackward() throws {}
}
