import Glibc
import Stratagem

/// Whole programs, to be run with every start method.
extension Probe {
  /// Fits, evaluates and predicts, and prints everything that the main process knows afterwards.
  func runProgram(_ trainer: Trainer) throws {
    say(trainer, "the program begins")
    let model = makeModel()
    let data = makeData(trainer)
    try trainer.fit(model, data)
    try tell(trainer, model)
    try trainer.saveCheckpoint(to: options.folder + "/own.ckpt", weightsOnly: true)
    report(trainer, try trainer.validate(model, data))
    report(trainer, try trainer.test(model, data))
    try trainer.fit(model, data)
    try tell(trainer, model)
    let rows = try trainer.predict(model, data)
    say(trainer, "predictions \(try rows.map { try $0.array(as: Float.self) } ?? [])")
    say(trainer, "the program ends")
  }

  /// Prints what is known of the fit that was, in the process that goes on.
  private func tell(_ trainer: Trainer, _ model: ProbeModel) throws {
    say(trainer, "weights \(try weightSum(of: model))")
    let checkpoint = trainer.modelCheckpoint
    say(trainer, "best \(checkpoint?.bestPath ?? "none") \(checkpoint?.bestScore.map { "\($0)" } ?? "none")")
    say(trainer, "last \(checkpoint?.lastPath ?? "none")")
    let metrics = trainer.callbackMetrics.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    say(trainer, "metrics \(metrics.joined(separator: " "))")
    let progress = trainer.progress
    say(
      trainer,
      "progress \(progress.epoch) \(progress.globalStep) \(progress.batch) \(progress.totalBatches) \(progress.samples)"
    )
  }

  /// A program that catches the error of a run and goes on to a run that succeeds.
  func failThenFit(_ trainer: Trainer) throws {
    do {
      try trainer.fit(makeModel(), makeData(trainer))
    } catch {
      print("caught: \(error)")
    }
    let second = Probe(options.without("fault"))
    let other = try second.makeTrainer(options.folder + "/second")
    let model = second.makeModel()
    try other.fit(model, second.makeData(other))
    say(other, "weights \(try weightSum(of: model))")
  }

  /// Trainers of two strategies in one program.
  func fitWithTwoStrategies(_ trainer: Trainer) throws {
    let first = makeModel()
    try trainer.fit(first, makeData(trainer))
    say(trainer, "weights \(try weightSum(of: first))")
    let other = Probe(options.with("strategy", options["second"] ?? "ddp"))
    let second = try other.makeTrainer(options.folder + "/second")
    let model = other.makeModel()
    try second.fit(model, other.makeData(second))
    say(second, "weights \(try weightSum(of: model))")
    let again = makeModel()
    try trainer.fit(again, makeData(trainer))
    say(trainer, "weights \(try weightSum(of: again))")
  }

  /// Fits while another thread exists, or after libtorch has made its own.
  func fitWithThreads(_ trainer: Trainer) throws {
    if options.has("compute") {
      let matrix = Tensor.ones([512, 512])
      for _ in 0..<20 { _ = try matrix.matmul(matrix).sum().scalar() }
    } else {
      var thread = pthread_t()
      pthread_create(
        &thread, nil,
        { _ in
          let name = open("/proc/thread-self/comm", O_WRONLY)
          _ = write(name, "users-own", 9)
          close(name)
          while true { pause() }
        }, nil)
      func names() -> [String] {
        (SystemFolder.entries(of: "/proc/self/task") ?? []).compactMap {
          SystemFolder.text(of: "/proc/self/task/\($0)/comm")
        }
      }
      while !names().contains("users-own\n") { usleep(1000) }
    }
    try fit(trainer)
  }

  /// A worker takes another path through the program than the main process.
  func takeOtherPath(_ trainer: Trainer) throws {
    let isWorker = getenv("STRATAGEM_SUPERVISOR") != nil
    switch (options["path"], isWorker) {
    case ("leave", true): return
    case ("validate", true): _ = try trainer.validate(makeModel(), makeData(trainer))
    case ("throw", true): throw ProbeError(description: "the worker fails before its call")
    default: try trainer.fit(makeModel(), makeData(trainer))
    }
  }

  /// A strategy with a launcher of its own.
  func useOwnLauncher() throws {
    let strategy = AnnouncingStrategy()
    let trainer = try Trainer(
      strategy: strategy, accelerator: "cpu", devices: .count(options.devices), until: .epochs(1), loggers: [],
      checkpointing: false, output: options.folder)
    let model = makeModel()
    try trainer.fit(model, makeData(trainer))
    say(trainer, "weights \(try weightSum(of: model))")
  }

  func say(_ trainer: Trainer, _ text: String) {
    if trainer.isGlobalZero { print(text) }
  }
}

/// Starts processes as usual, and says so.
private final class AnnouncingLauncher: RelaunchLauncher {
  override func launch<Output>(_ call: LaunchedCall<Output>) throws -> Output {
    if !isWorker { print("launching \(call.name)") }
    defer { if !isWorker { print("done with \(call.name)") } }
    return try super.launch(call)
  }
}

private final class AnnouncingStrategy: DDPStrategy {
  override func configureLauncher() throws -> Launcher {
    guard let plan else { return try super.configureLauncher() }
    return AnnouncingLauncher(ProcessLayout(plan))
  }
}
