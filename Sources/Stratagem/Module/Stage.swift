/// What a run is for.
public enum Stage: String, Sendable, Hashable, CaseIterable {
  case fit, validate, test, predict
}
