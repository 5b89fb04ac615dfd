/// How the elements of a unit, the parameters that are gathered together, are dealt to the ranks.
public enum ShardLayout: String, Sendable, Hashable, CaseIterable {
  /// All parameters one after the other, cut into equal parts: as even as can be, and gathered without a copy.
  case flat
  /// Each parameter cut into equal parts of its own, as DeepSpeed's stage 3 and FSDP2 do.
  case perParameter = "per_parameter"
  /// Each parameter whole on one rank, the one that has least, as FairScale's `OSS` does. For optimizers that look at a
  /// parameter as a whole.
  case wholeParameters = "whole_parameters"
}
