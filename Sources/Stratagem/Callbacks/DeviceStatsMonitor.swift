/// Logs what the process of rank 0 uses of its machine, at the start and at the end of the batches that are logged.
///
/// `DeviceStatsMonitor.on_train_batch_start/cpu_percent` and so on: processor time since the last look (100 is one core),
/// resident memory in MiB, threads, and the load average of the machine.
public final class DeviceStatsMonitor: Callback {
  private var last: ProcessUsage?
  private var isDue = false

  public override init() {}

  public override func onTrainStart(_ trainer: Trainer) { last = ProcessUsage.current }

  public override func onTrainBatchStart(_ trainer: Trainer, _ index: Int) {
    // The step counts up before the batch ends.
    isDue = trainer.isLogStep
    if isDue { log(trainer, "on_train_batch_start") }
  }

  public override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) {
    if isDue { log(trainer, "on_train_batch_end") }
  }

  private func log(_ trainer: Trainer, _ moment: String) {
    guard trainer.isGlobalZero, let usage = ProcessUsage.current else { return }
    defer { last = usage }
    let values = [
      ("cpu_percent", usage.percent(since: last)), ("memory_mib", Double(usage.residentBytes) / 1_048_576),
      ("threads", Double(usage.threads)), ("load_average", usage.loadAverage),
    ]
    for (name, value) in values {
      trainer.log("DeviceStatsMonitor.\(moment)/\(name)", value, on: .step, rankZeroOnly: true)
    }
  }
}
