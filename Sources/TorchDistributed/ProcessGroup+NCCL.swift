internal import CTorch
public import Torch

/// What only NCCL has.
extension ProcessGroup {
  /// Connects the GPUs now instead of in the first collective, so that what is wrong with them is told before training.
  /// Called on all ranks; does nothing on Gloo.
  public func connect(_ device: Device) throws(DistributedError) {
    guard backend == .nccl, let index = device.index else { return }
    guard ct_group_connect(handle, Int32(index)) else { throw .last("connecting \(device) with NCCL", rank: rank) }
  }

  /// Gives up what is under way on GPUs in all groups of this process, which can exchange nothing but tensors of
  /// processors from then on. For a rank that has failed: it would wait for the others, and they for it.
  public static func abortNCCL() { ct_nccl_abort() }
}
