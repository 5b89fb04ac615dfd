internal import CTorch

/// The GPUs of this process.
extension TorchRuntime {
  /// Makes a CUDA device the one that this thread computes on, as `torch.cuda.set_device` does. Does nothing for others.
  ///
  /// - Throws: ``TorchError`` when there is no such device.
  public static func setCurrentDevice(_ device: Device) throws(TorchError) {
    guard device.kind == .cuda, let index = device.index else { return }
    guard ct_cuda_set_device(Int32(index)) else { throw Failure("set_device of \(device)").error() }
  }

  /// Waits until a CUDA device has done what it was given, as `torch.cuda.synchronize` does. Does nothing for others.
  ///
  /// - Throws: ``TorchError`` when something that it was given has failed.
  public static func synchronize(_ device: Device) throws(TorchError) {
    guard device.kind == .cuda, let index = device.index else { return }
    guard ct_cuda_synchronize(Int32(index)) else { throw Failure("synchronize of \(device)").error() }
  }

  /// The address of a CUDA device on the bus, such as `0000:3b:00.0`: the same in all processes of a machine, whatever
  /// number each knows the device by. Nil for others, and where it is not known.
  public static func busAddress(of device: Device) -> String? {
    guard device.kind == .cuda, let index = device.index else { return nil }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
      ct_cuda_bus_id(Int32(index), text.baseAddress, Int32(text.count)) ? String(cString: text.baseAddress!) : nil
    }
  }
}
