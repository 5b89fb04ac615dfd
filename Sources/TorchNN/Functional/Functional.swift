/// Operations of neural networks without parameters of their own: `torch.nn.functional`.
public enum Functional {
  /// How the losses of the elements become one.
  public enum Reduction: Int, Sendable, Hashable {
    /// Left as they are.
    case none = 0
    /// Their mean; with class weights, the weighted mean.
    case mean = 1
    /// Their sum.
    case sum = 2
  }
}
