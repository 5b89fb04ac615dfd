internal import Torch
internal import TorchDistributed

extension BaguaChannels {
  /// Replaces the vector of a bucket, whose length is a multiple of the number of ranks, by its sum or mean over all ranks,
  /// sent in 8 bits; see ``ByteGrad``.
  func reduceCompressed(_ bucket: BaguaBucket, averaging: Bool) throws {
    let flat = bucket.flat
    try exchange(flat, averaging: averaging) { group in
      let chunks = flat.view([group.size, flat.count / group.size])
      let message = MinMaxUInt8.compress(chunks)
      let received = Tensor.empty(message.shape, dtype: .uint8)
      try group.startAllToAll(into: received, from: message).wait()
      let parts = MinMaxUInt8.decompress(received, on: flat.device)
      let own = averaging ? parts.mean(dim: 0, keepDim: true) : parts.sum(dim: 0, keepDim: true)
      // The message of all-to-all has the shape of what comes back.
      try group.allGather(into: message, from: MinMaxUInt8.compress(own.to(flat.dtype)))
      chunks.copy(from: MinMaxUInt8.decompress(message, on: flat.device))
    }
  }
}

extension BaguaRun {
  /// - Throws: `ConfigurationError` with the parameters whose type ``MinMaxUInt8`` does not take.
  func requireCompressible(_ algorithm: String) throws(ConfigurationError) {
    let misfits = parameters.filter { !MinMaxUInt8.types.contains($0.tensor.dtype) }.reversed()
    guard let first = misfits.first else { return }
    let others = misfits.count == 1 ? "" : " and \(misfits.count - 1) more"
    throw ConfigurationError(
      "algorithm",
      "\(algorithm) compresses float32 and float16, but parameter '\(first.name)'\(others) is \(first.tensor.dtype)",
      suggestion: "use precision '32-true' or 'bf16-mixed', or the algorithm gradient_allreduce")
  }
}
