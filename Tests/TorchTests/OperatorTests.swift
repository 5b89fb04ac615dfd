import Testing
import Torch

/// Generated operators, one or more for every kind of argument and result.
@Suite struct OperatorTests {
  private let matrix = Tensor([1.0, 5, 3, 4, 2, 6], shape: [2, 3])

  @Test func optionalScalars() {
    expect(Aten.clamp(matrix, min: 2), [2, 3], [2, 5, 3, 4, 2, 6])
    expect(Aten.clamp(matrix, max: 4), [2, 3], [1, 4, 3, 4, 2, 4])
    expect(Aten.clamp(matrix, min: 2, max: 4), [2, 3], [2, 4, 3, 4, 2, 4])
    #expect(failure { _ = Aten.clamp(matrix) }?.operation == "clamp")
    expect(Aten.`var`(matrix, dim: [1]), [2], [4, 4])
    expect(Aten.`var`(matrix, dim: [1], correction: 0), [2], [8.0 / 3, 8.0 / 3], within: 1e-14)
  }

  @Test func optionalLists() {
    expect(Aten.sum(matrix, dim: nil), [], [21])
    expect(Aten.sum(matrix, dim: [0]), [3], [5, 7, 9])
    expect(Aten.mean(matrix, dim: nil, keepdim: true), [1, 1], [3.5])
    expect(Aten.linalg_vector_norm(matrix, ord: Scalar(Double.infinity), dim: [1]), [2], [5, 6])
    expect(Aten.roll(Tensor([1, 2, 3]), shifts: [1]), [3], [3, 1, 2])
    expect(Aten.flip(matrix, dims: [0, 1]), [2, 3], [6, 2, 4, 3, 5, 1])
    expect(Aten.einsum("ij,kj->ik", tensors: [matrix, matrix]), [2, 2], [35, 32, 32, 56])
    expect(Aten.einsum("ij,kj->ik", tensors: [matrix, matrix], path: [0, 1]), [2, 2], [35, 32, 32, 56])
  }

  @Test func optionalNumbers() {
    expect(Aten.argmax(matrix), [], [5])
    expect(Aten.argmax(matrix, dim: 0), [3], [1, 0, 1])
    expect(Aten.argmax(matrix, dim: 0, keepdim: true), [1, 3], [1, 0, 1])
    expect(Aten.slice(matrix, dim: 1), [2, 3], [1, 5, 3, 4, 2, 6])
    expect(Aten.slice(matrix, dim: 1, start: 1), [2, 2], [5, 3, 2, 6])
    expect(Aten.slice(matrix, dim: 1, end: 1), [2, 1], [1, 4])
    expect(Aten.slice(matrix, dim: 1, start: 0, end: 3, step: 2), [2, 2], [1, 3, 4, 6])
    expect(Aten.as_strided(matrix, size: [2], stride: [2], storage_offset: 1), [2], [5, 4])
    expect(Aten.as_strided(matrix[1], size: [2], stride: [1]), [2], [4, 2])
    let pooled = Tensor.ones([1, 1, 2, 2])
    expect(Aten.avg_pool2d(pooled, kernel_size: [2], divisor_override: 8), [1, 1, 1, 1], [0.5])
    expect(Aten.avg_pool2d(pooled, kernel_size: [2]), [1, 1, 1, 1], [1])
    let query = Tensor([1.0, 0, 0, 1], shape: [1, 2, 2])
    let identity = Aten.scaled_dot_product_attention(query, key: query, value: query, scale: 1000)
    expect(identity, [1, 2, 2], [1, 0, 0, 1], within: 1e-9)
    expect(
      Aten.scaled_dot_product_attention(query, key: query, value: query, scale: 0), [1, 2, 2], [0.5, 0.5, 0.5, 0.5],
      within: 1e-9)
  }

  @Test func optionalTypes() {
    #expect(Aten.sum(matrix, dtype: .float32).dtype == .float32)
    #expect(Aten.sum(matrix).dtype == .float64)
    #expect(Aten.cumsum(Tensor([1, 2]), dim: 0, dtype: .float64).dtype == .float64)
    #expect(Aten.zeros([1]).dtype == .float32)
    #expect(Aten.zeros([1], dtype: .bool).dtype == .bool)
    #expect(Aten.zeros([1], device: .meta).device == .meta)
    #expect(Aten.zeros_like(matrix, dtype: .int8).dtype == .int8)
    #expect(Aten.to(matrix, dtype: .float64, copy: true).storageIdentifier != matrix.storageIdentifier)
    #expect(Aten.to(matrix, dtype: .float64).storageIdentifier == matrix.storageIdentifier)
  }

  @Test func optionalTensors() {
    let input = Tensor([1.0, 2], shape: [1, 2])
    let weight = Tensor([3.0, 4], shape: [1, 2])
    expect(Aten.linear(input, weight: weight), [1, 1], [11])
    expect(Aten.linear(input, weight: weight, bias: Tensor([0.5])), [1, 1], [11.5])
    expect(Aten.layer_norm(input, normalized_shape: [2], eps: 0), [1, 2], [-1, 1])
    expect(
      Aten.layer_norm(input, normalized_shape: [2], weight: Tensor([2.0, 2]), bias: Tensor([1.0, 0]), eps: 0), [1, 2],
      [-1, 2])
    let target = Tensor([0])
    let loss = Aten.cross_entropy_loss(input, target: target)
    expect(loss, [], [1.3132616875182228], within: 1e-12)
    expect(Aten.cross_entropy_loss(input, target: target, reduction: 0), [1], [1.3132616875182228], within: 1e-12)
  }

  @Test func tuples() {
    let (values, indices) = Aten.sort(matrix, dim: 1, descending: true)
    expect(values, [2, 3], [5, 3, 1, 6, 4, 2])
    expect(indices, [2, 3], [1, 2, 0, 2, 0, 1])
    let top = Aten.topk(matrix, k: 2)
    expect(top.0, [2, 2], [5, 3, 6, 4])
    let smallest = Aten.topk(matrix, k: 1, dim: 0, largest: false)
    expect(smallest.0, [1, 3], [1, 2, 3])
    expect(smallest.1, [1, 3], [0, 1, 0])
    _ = failure {
      let failed = Aten.sort(matrix, dim: 7)
      #expect(failed.0.isPoisoned && failed.1.isPoisoned)
    }
  }

  @Test func lists() {
    #expect(Aten.split_with_sizes(matrix, split_sizes: [1, 2], dim: 1).map(\.shape) == [[2, 1], [2, 2]])
    #expect(Aten.unbind(matrix).count == 2)
    #expect(Aten.chunk(matrix, chunks: 5, dim: 1).count == 3)
    expect(Aten._foreach_norm([matrix, Tensor([3.0, 4])], ord: 1)[1], [], [7])
    var parts: [Tensor] = [matrix]
    let error = failure { parts = Aten.split(matrix, split_size: -1) }
    #expect(parts.isEmpty)
    #expect(error?.operation == "split")
  }

  @Test func strings() {
    let numerator = Tensor([7.0, -7])
    expect(Aten.div(numerator, other: 2, rounding_mode: nil), [2], [3.5, -3.5])
    expect(Aten.div(numerator, other: 2, rounding_mode: "floor"), [2], [3, -4])
    expect(Aten.div(numerator, other: Tensor([2.0]), rounding_mode: "trunc"), [2], [3, -3])
    let error = failure { _ = Aten.div(numerator, other: 2, rounding_mode: "up") }
    #expect(error?.message.contains("but found 'up'") == true)
  }

  @Test func generators() {
    func draw() -> [Tensor] {
      let generator = Generator(seed: 1)
      let tensor = Tensor.zeros([30])
      Aten.bernoulli_(tensor, p: 0.5, generator: generator)
      let from = Tensor.zeros([30], dtype: .int64)
      Aten.random_(from, from: 5, to: 9, generator: generator)
      return [
        tensor, from, Aten.multinomial(Tensor([0.2, 0.8]), num_samples: 30, replacement: true, generator: generator),
        Aten.bernoulli(Tensor.full([30], 0.3), generator: generator),
      ]
    }
    let (first, second) = (draw(), draw())
    for (first, second) in zip(first, second) { #expect(first.equals(second)) }
    #expect(Set(numbers(first[0])) == [0, 1])
    #expect(Set(numbers(first[1])) == [5, 6, 7, 8])
  }

  @Test func inPlace() {
    let tensor = Tensor([1.0, 4])
    Aten.add_(tensor, other: Tensor([1.0, 1]), alpha: 3)
    Aten.addcmul_(tensor, tensor1: Tensor([1.0, 2]), tensor2: Tensor([1.0, 2]), value: 0.5)
    expect(tensor, [2], [4.5, 9])
    Aten.lerp_(tensor, end: Tensor([0.5, 1]), weight: 0.25)
    expect(tensor, [2], [3.5, 7])
    Aten.masked_fill_(tensor, mask: Tensor([true, false]), value: -1)
    Aten.scatter_(tensor, dim: 0, index: Tensor([1]), value: 8)
    expect(tensor, [2], [-1, 8])
    Aten.relu_(tensor)
    expect(tensor, [2], [0, 8])
    Aten.index_add_(tensor, dim: 0, index: Tensor([0, 0]), source: Tensor([1.0, 2]))
    expect(tensor, [2], [3, 8])
  }

  @Test func flags() {
    #expect(Aten.equal(matrix, other: matrix.clone()))
    #expect(!Aten.allclose(matrix, other: matrix + 0.1))
    #expect(Aten.allclose(Tensor([Double.nan]), other: Tensor([Double.nan]), equal_nan: true))
    #expect(!Aten.allclose(Tensor([Double.nan]), other: Tensor([Double.nan])))
  }

  @Test func scalarsKeepTheirKind() {
    #expect(Aten.scalar_tensor(3).dtype == .float32)
    #expect(Aten.full([1], fill_value: 3).dtype == .int64)
    #expect(Aten.full([1], fill_value: 3.0).dtype == .float32)
    #expect(Aten.full([1], fill_value: true).dtype == .bool)
    expect(Aten.pow(2, exponent: Tensor([3, 4])), [2], [8, 16])
    expect(Aten.rsub(Tensor([1, 2]), other: 10, alpha: 2), [2], [8, 6])
    expect(Aten.where(Tensor([true, false]), self: 1.5, other: Tensor([7.0, 8])), [2], [1.5, 8])
    expect(Aten.where(Tensor([true, false]), self: Tensor([7.0, 8]), other: 0), [2], [7, 0])
  }

  @Test func failuresNameTheirTensors() {
    let weight = Tensor.zeros([4, 1, 3, 3])
    let error = failure { _ = Aten.conv2d(Tensor.zeros([1, 3, 8, 8]), weight: weight, bias: Tensor.zeros([4])) }
    #expect(error?.operation == "conv2d")
    #expect(
      error?.arguments == ["input: [1, 3, 8, 8] float32", "weight: [4, 1, 3, 3] float32", "bias: [4] float32"])
    #expect(error?.message.contains("expected input[1, 3, 8, 8] to have 1 channels, but got 3 channels") == true)
    let unbiased = failure { _ = Aten.conv2d(Tensor.zeros([1, 3, 8, 8]), weight: weight) }
    #expect(unbiased?.arguments.count == 2)
    let list = failure { Aten._foreach_add_([matrix], other: [matrix, matrix]) }
    #expect(
      list?.arguments == ["self: 1 tensors [[2, 3] float64]", "other: 2 tensors [[2, 3] float64, [2, 3] float64]"])
    let inPlace = failure { Aten.mul_(matrix, other: Tensor([1.0, 2])) }
    #expect(inPlace?.operation == "mul_")
    expect(matrix, [2, 3], [1, 5, 3, 4, 2, 6])
  }
}
