internal import CTorch

extension Tensor {
  /// Copies `values` in row-major order; the result has one dimension when `shape` is not given.
  ///
  /// - Precondition: the product of `shape` equals the number of values.
  public convenience init<Element: TensorElement>(_ values: [Element], shape: [Int]? = nil) {
    let shape = shape ?? [values.count]
    self.init(
      owning: values.withUnsafeBytes { bytes in
        Tensor.handle(copying: bytes, dtype: Element.dtype, shape: shape)
      })
  }

  /// A tensor without dimensions.
  public convenience init(_ value: Double, dtype: DType = .default, device: Device = .cpu) {
    let tensor = Tensor.full([], Scalar(value), dtype: dtype, device: device)
    self.init(borrowing: tensor.handle)
    withExtendedLifetime(tensor) {}
  }

  /// Copies raw bytes, which must be exactly as many as the shape and type take.
  package convenience init(bytes: UnsafeRawBufferPointer, dtype: DType, shape: [Int]) {
    self.init(owning: Tensor.handle(copying: bytes, dtype: dtype, shape: shape))
  }

  private static func handle(copying bytes: UnsafeRawBufferPointer, dtype: DType, shape: [Int]) -> OpaquePointer? {
    let handle = ct_tensor_from_bytes(bytes.baseAddress, bytes.count, shape, shape.count, dtype.raw)
    if handle == nil { Failure("Tensor.init").record() }
    return handle
  }

  /// Uninitialised memory.
  public static func empty(_ shape: [Int], dtype: DType = .default, device: Device = .cpu) -> Tensor {
    Aten.empty(shape, dtype: dtype, device: device)
  }

  public static func zeros(_ shape: [Int], dtype: DType = .default, device: Device = .cpu) -> Tensor {
    Aten.zeros(shape, dtype: dtype, device: device)
  }

  public static func ones(_ shape: [Int], dtype: DType = .default, device: Device = .cpu) -> Tensor {
    Aten.ones(shape, dtype: dtype, device: device)
  }

  public static func full(
    _ shape: [Int], _ value: Scalar, dtype: DType = .default, device: Device = .cpu
  ) -> Tensor {
    Aten.full(shape, fill_value: value, dtype: dtype, device: device)
  }

  public static func zeros(like other: Tensor) -> Tensor { Aten.zeros_like(other) }

  public static func ones(like other: Tensor) -> Tensor { Aten.ones_like(other) }

  /// Uniform in 0..<1.
  public static func rand(
    _ shape: [Int], dtype: DType = .default, device: Device = .cpu, generator: Generator? = nil
  ) -> Tensor {
    Aten.rand(shape, generator: generator, dtype: dtype, device: device)
  }

  /// Normal with mean 0 and deviation 1.
  public static func randn(
    _ shape: [Int], dtype: DType = .default, device: Device = .cpu, generator: Generator? = nil
  ) -> Tensor {
    Aten.randn(shape, generator: generator, dtype: dtype, device: device)
  }

  public static func uniform(
    _ range: Range<Double>, shape: [Int], dtype: DType = .default, device: Device = .cpu, generator: Generator? = nil
  ) -> Tensor {
    let tensor = empty(shape, dtype: dtype, device: device)
    withoutGradients {
      Aten.uniform_(tensor, from: range.lowerBound, to: range.upperBound, generator: generator)
    }
    return tensor
  }

  public static func normal(
    mean: Double = 0, deviation: Double = 1, shape: [Int], dtype: DType = .default, device: Device = .cpu,
    generator: Generator? = nil
  ) -> Tensor {
    let tensor = empty(shape, dtype: dtype, device: device)
    withoutGradients { Aten.normal_(tensor, mean: mean, std: deviation, generator: generator) }
    return tensor
  }

  /// Whole numbers drawn uniformly from `range`.
  public static func randint(_ range: Range<Int>, shape: [Int], generator: Generator? = nil) -> Tensor {
    Aten.randint(range.lowerBound, high: range.upperBound, size: shape, generator: generator, dtype: .int64)
  }

  /// 0, 1, ..., n - 1.
  public static func arange(_ n: Int, dtype: DType = .int64) -> Tensor { Aten.arange(Scalar(n), dtype: dtype) }

  public static func arange(
    from start: Scalar, to end: Scalar, by step: Scalar = 1, dtype: DType? = nil
  ) -> Tensor {
    Aten.arange(start, end: end, step: step, dtype: dtype)
  }

  public static func linspace(from start: Scalar, to end: Scalar, count: Int) -> Tensor {
    Aten.linspace(start, end: end, steps: count, dtype: .default)
  }

  public static func eye(_ n: Int, dtype: DType = .default) -> Tensor { Aten.eye(n, dtype: dtype) }

  /// A random permutation of 0..<n, the same as PyTorch's for a generator of the same seed.
  public static func randperm(_ n: Int, generator: Generator? = nil) -> Tensor {
    Aten.randperm(n, generator: generator, dtype: .int64)
  }

  /// Joins tensors of one shape along a new dimension.
  public static func stack(_ tensors: [Tensor], dim: Int = 0) -> Tensor { Aten.stack(tensors, dim: dim) }

  /// Joins tensors along an existing dimension.
  public static func cat(_ tensors: [Tensor], dim: Int = 0) -> Tensor { Aten.cat(tensors, dim: dim) }
}
