import Stratagem

/// The probe's model with a middle part that is built in the processes of the run: deferred, or with checkpointed layers, when
/// the options say so.
final class BlockModel: ProbeModel {
  private var body: Sequential?

  override func configureModel() throws {
    guard body == nil else { return }
    let make = {
      Sequential {
        Linear(8, 8)
        BatchNorm1d(8)
        Dropout(0.25)
        Sequential {
          Linear(8, 8)
          GELU()
        }
      }
    }
    body = options.has("deferred") ? try withDeferredInitialization(make) : make()
    if options.has("checkpointed") {
      try ActivationCheckpointPolicy { name, _ in name == "fc1" || name == "body" || name == "body.3" }.apply(to: self)
    }
  }

  override func callAsFunction(_ input: Tensor) -> Tensor {
    let hidden = fc1(input).relu()
    return fc2(body?(hidden) ?? hidden)
  }
}
