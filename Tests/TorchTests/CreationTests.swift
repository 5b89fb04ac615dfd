import Testing
import Torch

@Suite struct CreationTests {
  @Test func copiesValues() throws {
    var values: [Float] = [1, 2, 3, 4, 5, 6]
    let tensor = Tensor(values, shape: [2, 3])
    values[0] = 100
    expect(tensor, [2, 3], [1, 2, 3, 4, 5, 6])
    #expect(tensor.dtype == .float32)
    #expect(tensor.strides == [3, 1])
    #expect(tensor.ndim == 2)
    #expect(tensor.count == 6)
    #expect(tensor.byteCount == 24)
    #expect(tensor.device == .cpu)
    #expect(tensor.isContiguous && tensor.isLeaf && !tensor.requiresGradient && !tensor.isPoisoned)
  }

  @Test func hasOneDimensionWithoutAShape() {
    expect(Tensor([1.5, 2.5]), [2], [1.5, 2.5])
    expect(Tensor([Float]()), [0], [])
    expect(Tensor([Int](), shape: [3, 0]), [3, 0], [])
  }

  @Test func numberHasNoDimensions() throws {
    let tensor = Tensor(2.5)
    #expect(tensor.shape.isEmpty && tensor.count == 1 && tensor.dtype == .float32)
    #expect(try tensor.scalar() == 2.5)
    #expect(Tensor(3, dtype: .int64).dtype == .int64)
    #expect(try Tensor(0.1, dtype: .float64).scalar() == 0.1)
  }

  @Test func fillsShapes() {
    expect(Tensor.zeros([2, 2]), [2, 2], [0, 0, 0, 0])
    expect(Tensor.ones([3], dtype: .int32), [3], [1, 1, 1])
    expect(Tensor.full([1, 2], 7.5), [1, 2], [7.5, 7.5])
    expect(Tensor.full([], true, dtype: .bool), [], [1])
    #expect(Tensor.empty([4, 0, 2]).shape == [4, 0, 2])
    expect(Tensor.zeros(like: Tensor.ones([2], dtype: .float64)), [2], [0, 0])
    #expect(Tensor.ones(like: Tensor.zeros([2], dtype: .int16)).dtype == .int16)
  }

  @Test func countsAndSpaces() {
    expect(Tensor.arange(4), [4], [0, 1, 2, 3])
    #expect(Tensor.arange(4).dtype == .int64)
    #expect(Tensor.arange(4, dtype: .float32).dtype == .float32)
    expect(Tensor.arange(from: 2, to: 9, by: 3), [3], [2, 5, 8])
    expect(Tensor.arange(from: 1.0, to: 2.0, by: 0.25), [4], [1, 1.25, 1.5, 1.75])
    #expect(Tensor.arange(from: 2, to: 9).dtype == .int64)
    #expect(Tensor.arange(from: 2.0, to: 9).dtype == .float32)
    expect(Tensor.linspace(from: -1, to: 1, count: 5), [5], [-1, -0.5, 0, 0.5, 1])
    expect(Tensor.eye(2), [2, 2], [1, 0, 0, 1])
  }

  @Test func joins() {
    let left = Tensor([1.0, 2.0])
    let right = Tensor([3.0, 4.0])
    expect(Tensor.stack([left, right]), [2, 2], [1, 2, 3, 4])
    expect(Tensor.stack([left, right], dim: 1), [2, 2], [1, 3, 2, 4])
    expect(Tensor.cat([left, right, left]), [6], [1, 2, 3, 4, 1, 2])
    expect(Tensor.cat([left.reshaped(2, 1), right.reshaped(2, 1)], dim: 1), [2, 2], [1, 3, 2, 4])
  }

  @Test func drawsStayInTheirRange() throws {
    let generator = Generator(seed: 3)
    let uniform = try Tensor.uniform(-2..<3, shape: [1000], generator: generator).array(as: Float.self)
    #expect(uniform.allSatisfy { $0 >= -2 && $0 < 3 })
    #expect(uniform.contains { $0 < -1.5 } && uniform.contains { $0 > 2.5 })
    let whole = Tensor.randint(5..<8, shape: [10, 20], generator: generator)
    #expect(whole.shape == [10, 20])
    #expect(Set(try whole.array(as: Int.self)) == [5, 6, 7])
    let normal = Tensor.normal(mean: 10, deviation: 0.5, shape: [4000], dtype: .float64, generator: generator)
    #expect(abs(try normal.mean().scalar() - 10) < 0.05)
    #expect(abs(try normal.deviation().scalar() - 0.5) < 0.05)
  }

  @Test func metaTensorsHaveAShapeOnly() throws {
    let tensor = Tensor.zeros([1 << 20, 1 << 20], device: .meta)
    #expect(tensor.device == .meta)
    #expect(tensor.matmul(tensor).shape == [1 << 20, 1 << 20])
    #expect(throws: TorchError.self) { try tensor[0].array(as: Float.self) }
  }

  @Test func wrongNumberOfValuesSaysBothNumbers() {
    let error = failure { _ = Tensor([1.0, 2.0, 3.0], shape: [2, 2]) }
    #expect(error?.message == "shape [2, 2] takes 4 values, but 3 are given")
    #expect(failure { _ = Tensor([1.0], shape: [-1]) } != nil)
  }

  @Test func devicesDescribeThemselves() {
    #expect(Device.cpu.description == "cpu")
    #expect(Device.cuda(1).description == "cuda:1")
    #expect(Device(.cuda).description == "cuda")
    #expect(Device.cuda(0) != Device.cuda(1))
  }

  @Test func runtimeSaysItsVersion() {
    #expect(TorchRuntime.version.split(separator: ".").count >= 3)
    #expect(TorchRuntime.threadCount >= 1)
    #expect(TorchRuntime.cudaDeviceCount >= 0)
  }
}
