import Stratagem

extension Probe {
  /// The same fit twice, with other runs of the same trainer in between.
  func fitAgain(_ trainer: Trainer) throws {
    for run in (options["runs"] ?? "fit,fit").split(separator: ",") {
      switch run {
      case "fit":
        let model = makeModel()
        try trainer.fit(model, makeData(trainer))
        try reportWeights(trainer, model)
        reportScale(trainer)
      case "other":
        let probe = Probe(options.with("model", "blocks"))
        try trainer.fit(probe.makeModel(seed: 4), probe.makeData(trainer))
      case "failing":
        let probe = Probe(options.with("fault", "throw").with("at", "2"))
        do { try trainer.fit(probe.makeModel(seed: 5), probe.makeData(trainer)) } catch { print("failed: \(error)") }
      case "test": _ = try trainer.test(makeModel(seed: 6), makeData(trainer))
      default: throw ProbeError(description: "unknown run \(run)")
      }
    }
  }
}
