/// The batches of an epoch without their type.
public class AnyLoaderIterator {
  init() {}

  /// The next batch, or `nil` after the last.
  public func nextAny() throws -> LoadedBatch<Any>? { nil }
}

/// The batches of an epoch, one after the other.
///
/// Letting go of the iterator stops its threads, also in the middle of an epoch; a batch that is just being loaded is
/// finished first.
public final class LoaderIterator<Batch>: AnyLoaderIterator {
  private let source: BatchSource<Batch>?
  private let queue: PrefetchQueue<Batch>?
  private var position: Int
  private var failure: DataLoadingError?

  init(_ source: BatchSource<Batch>, startingAt start: Int, prefetch: Int, threads: Int) {
    self.source = source
    position = start
    let remaining = source.count - start
    queue =
      threads > 0 && remaining > 0
      ? PrefetchQueue(source, from: start, capacity: max(prefetch, threads), threads: min(threads, remaining)) : nil
  }

  init(failure: DataLoadingError) {
    source = nil
    queue = nil
    position = 0
    self.failure = failure
  }

  deinit { queue?.stop() }

  /// The next batch, or `nil` after the last.
  ///
  /// - Throws: ``DataLoadingError`` in the place of the batch that could not be loaded, and again ever after: a
  ///   failure is never taken for the end of the data.
  public func next() throws(DataLoadingError) -> LoadedBatch<Batch>? {
    if let failure { throw failure }
    guard let source, position < source.count else { return nil }
    do {
      let loaded = if let queue { try queue.take() } else { try source.load(position) }
      position += 1
      return loaded
    } catch {
      failure = error
      throw error
    }
  }

  public override func nextAny() throws -> LoadedBatch<Any>? {
    guard let loaded = try next() else { return nil }
    return LoadedBatch(batch: loaded.batch, indices: loaded.indices, index: loaded.index)
  }
}
