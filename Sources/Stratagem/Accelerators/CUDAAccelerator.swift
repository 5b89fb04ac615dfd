/// Computation on NVIDIA GPUs, with a libtorch that was built for CUDA.
public final class CUDAAccelerator: Accelerator {
  public init() { super.init(.cuda) }
}
