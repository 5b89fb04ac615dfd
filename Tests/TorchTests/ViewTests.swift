import Testing
import Torch

@Suite struct ViewTests {
  private let base = Tensor.arange(12, dtype: .float32).reshaped(3, 4)

  @Test func viewsShareTheirNumbers() {
    let views = [
      base.view([4, 3]), base.reshaped(12), base.transposed, base.transposed(0, 1), base.permuted([1, 0]),
      base.unsqueezed(dim: 0), base.flattened(), base[1], base[0..<2], base[.all, 1], base.detached(),
      base.narrowed(dim: 1, start: 1, length: 2), base.selected(dim: 0, index: 2), base.expanded(to: [2, 3, 4]),
      base.unflattened(dim: 1, into: [2, 2]),
    ]
    for view in views { #expect(view.storageIdentifier == base.storageIdentifier) }
    base[1, 1] = Tensor(100)
    #expect(numbers(views[0])[5] == 100)
    #expect(numbers(views[2])[4] == 100)
    #expect(numbers(views[7])[1] == 100)
    #expect(numbers(views[9])[1] == 100)
  }

  @Test func copiesDoNot() {
    for copy in [base.clone(), base.transposed.contiguous(), base[Tensor([0, 1])], base + 0, base.repeated([1, 2])] {
      #expect(copy.storageIdentifier != base.storageIdentifier)
    }
    #expect(base.contiguous().storageIdentifier == base.storageIdentifier)
    let copy = base.clone()
    copy.zero()
    #expect(numbers(base)[11] == 11)
  }

  @Test func writesThroughAViewReachTheBase() {
    base[.all, 0].fill(-1)
    base.transposed[3].add(Tensor([10 as Float, 20, 30]))
    expect(base, [3, 4], [-1, 1, 2, 13, -1, 5, 6, 27, -1, 9, 10, 41])
  }

  @Test func layoutIsKnown() {
    let flipped = base.transposed
    #expect(flipped.shape == [4, 3])
    #expect(flipped.strides == [1, 4])
    #expect(!flipped.isContiguous)
    #expect(flipped.contiguous().strides == [3, 1])
    expect(flipped, [4, 3], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
    #expect(base[1].storageOffset == 4)
    #expect(base.size(0) == 3)
    #expect(base.size(-1) == 4)
    #expect(Tensor.ones([1]).expanded(to: [1000, 1000]).strides == [0, 0])
  }

  @Test func shapesChange() {
    #expect(base.reshaped(-1, 2).shape == [6, 2])
    #expect(base.unsqueezed(dim: -1).shape == [3, 4, 1])
    #expect(base.reshaped(1, 3, 1, 4).squeezed().shape == [3, 4])
    #expect(base.reshaped(1, 3, 1, 4).squeezed(dim: 2).shape == [1, 3, 4])
    #expect(base.reshaped(1, 3, 4).flattened(from: 1).shape == [1, 12])
    #expect(base.reshaped(3, 2, 2).permuted([2, 0, 1]).shape == [2, 3, 2])
    #expect(base.transposed.reshaped(12).isContiguous)
    expect(base.transposed.reshaped(12)[0..<4], [4], [0, 4, 8, 1])
  }

  @Test func splitsIntoParts() {
    #expect(base.split(3, dim: 1).map(\.shape) == [[3, 3], [3, 1]])
    #expect(base.chunks(2, dim: 1).map(\.shape) == [[3, 2], [3, 2]])
    #expect(base.unbound(dim: 1).map(\.shape) == [[3], [3], [3], [3]])
    expect(base.unbound()[2], [4], [8, 9, 10, 11])
    base.split(1)[2].zero()
    expect(base[2], [4], [0, 0, 0, 0])
  }

  @Test func viewsOutliveTheirBase() {
    func view() -> Tensor { (Tensor.arange(1000) * 2)[500..<503] }
    expect(view(), [3], [1000, 1002, 1004])
  }

  @Test func impossibleViewsFail() {
    #expect(failure { _ = base.transposed.view([12]) }?.operation == "view")
    let error = failure { _ = base.reshaped(5, -1) }
    #expect(error?.operation == "reshape")
    #expect(error?.message.contains("shape '[5, -1]' is invalid for input of size 12") == true)
    #expect(failure { _ = base.permuted([0]) }?.operation == "permute")
  }
}
