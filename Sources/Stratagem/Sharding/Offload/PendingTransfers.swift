/// Vectors on their way to or from stores.
struct PendingTransfers {
  private var transfers: [any ShardTransfer] = []

  mutating func add(_ transfer: any ShardTransfer) { transfers.append(transfer) }

  /// Waits for all of them.
  ///
  /// - Throws: the first error, when all have ended.
  mutating func wait() throws {
    let pending = transfers
    transfers = []
    var failure: (any Error)?
    for transfer in pending {
      do { try transfer.wait() } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
  }
}
