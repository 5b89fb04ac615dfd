internal import Torch
internal import TorchDistributed

/// A rank's claim of a GPU of its machine, which NCCL lets no two ranks share. Needed where a launcher shows each process
/// GPUs of its own: then all may know theirs as `cuda:0`, and only its address on the bus tells them apart.
struct DeviceClaim {
  let rank: Int
  let device: Device
  let busAddress: String
  /// What tells machines apart, also where containers have the same name.
  var machine = SystemFolder.text(of: "/proc/sys/kernel/random/boot_id") ?? ""

  /// Writes the claim down for the other ranks.
  ///
  /// - Throws: `ConfigurationError` when another rank has claimed the GPU.
  func register(in store: Store) throws {
    let key = "gpu/\(machine)/\(busAddress)"
    if try store.add(key, 1) == 1 { return try store.set(key + "/rank", "\(rank)") }
    let owner = String(decoding: try store.get(key + "/rank"), as: UTF8.self)
    throw ConfigurationError(
      "devices",
      "ranks \(owner) and \(rank) are on the same GPU (\(device), bus address \(busAddress)), which NCCL refuses",
      suggestion:
        "give each rank a GPU of its own by devices or CUDA_VISIBLE_DEVICES, or choose processGroupBackend: .gloo")
  }
}
