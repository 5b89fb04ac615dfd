import Stratagem

extension Probe {
  /// The number format that the options ask for; `scaled` is float16 with a loss scale, also on the CPU.
  func precision() throws -> any PrecisionConvertible {
    guard let name = options["precision"] else { return UnspecifiedPrecision() }
    if name == "own-mixed" { return try OwnMixedPrecision() }
    if name == "own-true" { return try OwnTruePrecision() }
    guard name == "scaled" else { return name }
    return try MixedPrecision(
      .float16Mixed,
      scaler: GradScaler(
        initialScale: options.double("scale", 65536), growthInterval: options.int("growth-interval", 2000)))
  }

  /// Prints the loss scale at the end of a fit.
  func reportScale(_ trainer: Trainer) {
    guard let scaler = (trainer.strategy.precision as? MixedPrecision)?.scaler else { return }
    print("scale: \(scaler.currentScale) \(scaler.growthTrack)")
  }

  /// A fit and a validation of a model with batch normalization; the fit may fail.
  func synchronizeLayers(_ trainer: Trainer) throws {
    let model = NormalizedModel(options, recorder)
    do {
      try trainer.fit(model, makeData(trainer))
      model.tell("after the fit")
      _ = try trainer.validate(model, makeData(trainer))
    } catch {
      print("failed: \(error)")
      model.tell("after the failure")
    }
  }

  /// A fit that may fail, with the settings of libtorch in it and after it.
  func changeSettings(_ trainer: Trainer) throws {
    do {
      try trainer.fit(SettingsModel(options, recorder), makeData(trainer))
    } catch {
      print("failed: \(error)")
    }
    SettingsModel.tell("afterwards")
  }
}
