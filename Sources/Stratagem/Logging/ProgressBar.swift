import Glibc
import Synchronization

/// Shows how far a run is, on standard error.
///
/// ```
/// Epoch  3/10 ━━━━━━━━━━━━━━━━╸──────── 31/46 • 2134 it/s • ETA 0:01 • run 0:02 • loss 0.213 • val/accuracy 0.921
/// Validation ━━━━━━━━━────────────────── 1/3 • 4210 it/s • ETA 0:01
/// ```
///
/// The loop only stores numbers: `advance(batch:)` and `setMetric(_:_:)` take a lock that is practically never
/// contended, allocate nothing and cost some 20 ns. Everything else, formatting included, happens on a thread of the
/// bar's own that redraws ten times a second. On a terminal the lines are redrawn in place and the last one of every
/// epoch stays; elsewhere whole lines are written (see `Mode`).
///
/// While a bar is shown, print with `announce(_:)`: it writes above the bar. Call `close()` at the end of the run.
public final class ProgressBar: Sendable {
  private struct Output {
    var screen: ProgressScreen
    var snapshots: [ProgressSnapshot] = []
    var ticker: TickThread?
  }

  /// How progress is shown.
  public let mode: Mode

  private let tracker = Mutex(ProgressTracker())
  private let output: Mutex<Output>
  private let interval: Double
  private let clock: @Sendable () -> Double
  private let width: @Sendable () -> Int
  private let sink: @Sendable (String) -> Void

  /// Makes a bar that writes to a descriptor of this process.
  ///
  /// - Parameters:
  ///   - mode: how progress is shown; `nil` decides by the terminal and the environment, see `Mode.automatic`.
  ///   - descriptor: where to write, 2 for standard error.
  public convenience init(mode: Mode? = nil, descriptor: Int32 = 2) {
    let terminal = Terminal(descriptor: descriptor)
    self.init(
      mode: mode
        ?? .automatic(isTerminal: terminal.isTerminal, environment: Terminal.environmentVariable),
      formatter: ProgressFormatter(isUTF8: terminal.isUTF8, usesColor: terminal.usesColor),
      interval: 0.1,
      clock: {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
      },
      width: { Terminal.width(of: descriptor) },
      sink: { text in
        // A terminal that has gone away is no reason to end a run.
        var text = text
        text.withUTF8 { _ = LogFile.write(UnsafeRawBufferPointer($0), to: descriptor) }
      })
  }

  /// Makes a bar with another clock (seconds), width and destination; `interval` 0 means no thread: `tick()` draws.
  init(
    mode: Mode, formatter: ProgressFormatter, interval: Double, clock: @escaping @Sendable () -> Double,
    width: @escaping @Sendable () -> Int, sink: @escaping @Sendable (String) -> Void
  ) {
    self.mode = mode
    self.interval = interval
    self.clock = clock
    self.width = width
    self.sink = sink
    self.output = Mutex(Output(screen: ProgressScreen(mode: mode, formatter: formatter)))
  }

  deinit {
    output.withLock { $0.ticker.take() }?.stop()
  }

  // MARK: From the loop

  /// Begins a stage.
  ///
  /// A stage that begins while an epoch of training is under way is nested in it, and the epoch's clock stands still
  /// until the nested stage is finished.
  ///
  /// - Parameters:
  ///   - stage: what the batches are for.
  ///   - totalBatches: the batches of this stage on this rank; `nil` when unknown, and then there is no bar and no ETA.
  ///   - epoch: the epoch counted from 0; shown counted from 1.
  ///   - totalEpochs: the epochs of the run; `nil` when unknown.
  ///   - completed: batches already done, when an epoch is resumed in its middle.
  public func start(
    stage: Stage, totalBatches: Int?, epoch: Int = 0, totalEpochs: Int? = nil, completed: Int = 0
  ) {
    guard mode != .silent else { return }
    let time = clock()
    output.withLock { output in
      if output.ticker == nil, interval > 0 {
        output.ticker = TickThread(interval: interval) { [weak self] in self?.tick() }
      }
      output.screen.begin(at: time)
      tracker.withLock {
        $0.start(
          stage, total: totalBatches, epoch: epoch, totalEpochs: totalEpochs, completed: completed, at: time)
      }
    }
  }

  /// Notes that `batch` batches of the innermost stage are done.
  public func advance(batch: Int) {
    guard mode != .silent else { return }
    tracker.withLock { $0.advance(to: batch) }
  }

  /// Notes that `batch` batches are done and the present value of a metric, in one go.
  public func advance(batch: Int, _ name: String, _ value: Double) {
    guard mode != .silent else { return }
    tracker.withLock {
      $0.advance(to: batch)
      $0.setMetric(name, value)
    }
  }

  /// Shows a metric, or its new value; metrics stand in the order of their first appearance and stay across epochs.
  public func setMetric(_ name: String, _ value: Double) {
    guard mode != .silent else { return }
    tracker.withLock { $0.setMetric(name, value) }
  }

  /// Shows several metrics, or their new values.
  public func setMetrics(_ metrics: [(name: String, value: Double)]) {
    guard mode != .silent else { return }
    tracker.withLock {
      for metric in metrics { $0.setMetric(metric.name, metric.value) }
    }
  }

  /// Forgets all metrics.
  public func removeMetrics() {
    tracker.withLock { $0.removeMetrics() }
  }

  /// Ends the innermost stage; the last line of an outer one stays on the screen, with the mean rate and the time.
  public func finish() {
    guard mode != .silent else { return }
    let time = clock()
    output.withLock { output in
      guard let last = tracker.withLock({ $0.finish(at: time) }) else { return }
      emit(output.screen.finish(last, width: width(), at: time))
    }
  }

  // MARK: From anywhere

  /// Prints a text on lines of its own, above the bar where there is one.
  public func announce(_ text: String) {
    output.withLock { emit($0.screen.announce(text, width: width())) }
  }

  /// Ends all stages, leaves what is drawn on the screen and ends the drawing thread; `start` begins anew.
  public func close() {
    let ticker = output.withLock { output in
      tracker.withLock {
        while $0.isActive { _ = $0.finish(at: clock()) }
      }
      emit(output.screen.leave())
      return output.ticker.take()
    }
    ticker?.stop()
  }

  /// Draws what has changed.
  func tick() {
    let time = clock()
    output.withLock { output in
      tracker.withLock { $0.sample(at: time, into: &output.snapshots) }
      guard !output.snapshots.isEmpty else { return }
      emit(output.screen.draw(output.snapshots, width: width(), at: time))
    }
  }

  private func emit(_ text: String) {
    if !text.isEmpty { sink(text) }
  }
}
