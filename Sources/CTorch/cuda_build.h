#pragma once
/// Whether the libtorch at the root of the package is one for CUDA. Not for the manifest to say, whose result SwiftPM keeps
/// when the libtorch is another.
#if __has_include("../../libtorch/lib/libtorch_cuda.so")
#define CT_HAS_CUDA 1
#else
#define CT_HAS_CUDA 0
#endif
