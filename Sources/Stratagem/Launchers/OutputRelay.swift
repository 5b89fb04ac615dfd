import CProcess
import Glibc
import Synchronization

/// Reads what the workers print and prints it again line by line, each with the worker's tag.
///
/// It has a thread of its own: when the reader of our output stalls, the relay waits and the supervisor does not.
final class OutputRelay: Sendable {
  /// One of the two streams of a worker.
  struct Source: Sendable {
    let rank: Int
    let stream: WorkerOutputLine.Stream
    let descriptor: Int32
  }

  /// The line with which a worker says that its output is to be shown from now on.
  static let beginning = "\u{1}stratagem: the call begins\u{1}"

  /// How many lines of error output are remembered for each worker: enough to reach over a backtrace.
  static let rememberedLines = 200

  /// A stream as the thread reads it.
  private struct OpenStream {
    let source: Source
    var splitter = LineSplitter()
    /// Whether its lines are not shown yet.
    var isMuted: Bool
  }

  private struct Shared {
    var openStreams: [Int: Int] = [:]
    var errorLines: [Int: [String]] = [:]
  }

  /// Set when everything has been printed and the thread is about to end.
  let finished = Event()

  private let stopping = Event()
  private let shared: Mutex<Shared>
  private let sources: [Source]
  private let beginning: String?
  private let handler: @Sendable (WorkerOutputLine) -> Void
  private let onEnd: @Sendable () -> Void

  /// Makes a relay.
  ///
  /// - Parameters:
  ///   - sources: the read ends of the workers' pipes, non-blocking; the relay closes them.
  ///   - beginning: the end of the last line that is not shown; nil shows all.
  ///   - handler: receives every line; `nil` writes it to this process's own output.
  ///   - onEnd: called when a stream has ended.
  init(
    sources: [Source], beginning: String? = nil, handler: (@Sendable (WorkerOutputLine) -> Void)?,
    onEnd: @escaping @Sendable () -> Void
  ) {
    self.sources = sources
    self.beginning = beginning
    self.handler = handler ?? WorkerOutputTag.write
    self.onEnd = onEnd
    let counts = Dictionary(sources.map { ($0.rank, 1) }, uniquingKeysWith: +)
    shared = Mutex(Shared(openStreams: counts))
  }

  /// Starts the thread and returns 0 or an errno value.
  func start() -> Int32 { BackgroundThread.start("stratagem-output") { self.run() } }

  /// Makes the relay print what the pipes hold and end, even when somebody keeps a pipe open.
  func stop() { stopping.signal() }

  /// Whether everything that a worker printed has been read.
  func hasEnded(_ rank: Int) -> Bool { shared.withLock { $0.openStreams[rank, default: 0] == 0 } }

  /// The last lines of a worker's error output.
  func recentErrorLines(of rank: Int) -> [String] { shared.withLock { $0.errorLines[rank] ?? [] } }

  private func run() {
    var open = sources.map { OpenStream(source: $0, isMuted: beginning != nil) }
    var isStopping = false
    while !open.isEmpty, !isStopping {
      var entries = open.map { pollfd(fd: $0.source.descriptor, events: Int16(POLLIN), revents: 0) }
      entries.append(pollfd(fd: stopping.descriptor, events: Int16(POLLIN), revents: 0))
      guard poll(&entries, nfds_t(entries.count), -1) > 0 else { continue }
      isStopping = entries[open.count].revents != 0

      for index in open.indices.reversed() where isStopping || entries[index].revents != 0 {
        let ended = relay(&open[index], untilEmpty: isStopping)
        guard ended || isStopping else { continue }
        end(&open[index])
        open.remove(at: index)
      }
      cp_flush(1)
    }
    finished.signal()
  }

  /// Prints what a pipe holds and returns whether it has ended.
  private func relay(_ stream: inout OpenStream, untilEmpty: Bool) -> Bool {
    repeat {
      var count = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, initialized in
        count = read(stream.source.descriptor, buffer.baseAddress!, buffer.count)
        initialized = max(0, count)
      }
      if count == 0 { return true }
      if count < 0 { return errno != EAGAIN && errno != EINTR }
      for line in stream.splitter.lines(adding: bytes) { emit(line, of: &stream) }
    } while untilEmpty
    return false
  }

  private func end(_ stream: inout OpenStream) {
    if let rest = stream.splitter.rest() { emit(rest, of: &stream) }
    close(stream.source.descriptor)
    shared.withLock { $0.openStreams[stream.source.rank, default: 1] -= 1 }
    onEnd()
  }

  private func emit(_ bytes: [UInt8], of stream: inout OpenStream) {
    let source = stream.source
    // The line may stand behind one that was not ended.
    if stream.isMuted, let beginning, bytes.ends(with: beginning.utf8) {
      stream.isMuted = false
      if source.stream == .error { shared.withLock { $0.errorLines[source.rank] = [] } }
      return
    }
    let line = WorkerOutputLine(rank: source.rank, stream: source.stream, bytes: bytes)
    if source.stream == .error {
      shared.withLock { shared in
        var lines = shared.errorLines[source.rank] ?? []
        if lines.count == Self.rememberedLines { lines.removeFirst() }
        lines.append(line.text)
        shared.errorLines[source.rank] = lines
      }
    }
    if !stream.isMuted { handler(line) }
  }
}

extension Collection where Element: Equatable {
  fileprivate func ends(with other: some Collection<Element>) -> Bool {
    count >= other.count && suffix(other.count).elementsEqual(other)
  }
}
