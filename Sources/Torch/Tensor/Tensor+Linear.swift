internal import CTorch

extension Tensor {
  /// `self` · `weight`ᵀ + `bias`, recorded as one node where `Aten.linear` records two; the numbers are the same.
  package func linear(_ weight: Tensor, _ bias: Tensor?) -> Tensor {
    guard let bias else { return Aten.linear(self, weight: weight) }
    let handle = ct_linear(self.handle, weight.handle, bias.handle)
    withExtendedLifetime((weight, bias)) {}
    guard let handle else {
      return Failure("linear").argument("input", self).argument("weight", weight).argument("bias", bias).record()
    }
    return Tensor(owning: handle)
  }
}
