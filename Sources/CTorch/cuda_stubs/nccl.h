// Finds the header of NCCL, whose types are part of ProcessGroupNCCL: the one of the Python package that the package torch
// requires, beside it; one of the prefix that torch is installed in; one on the compiler's path; or that of a CUDA toolkit.
// Without any, NCCL_MAJOR is not defined.
#pragma once
#if __has_include("../../../libtorch/../nvidia/nccl/include/nccl.h")
#include "../../../libtorch/../nvidia/nccl/include/nccl.h"
#elif __has_include("../../../libtorch/../../../../include/nccl.h")
#include "../../../libtorch/../../../../include/nccl.h"
#elif __has_include_next(<nccl.h>)
#include_next <nccl.h>
#elif __has_include("/usr/local/cuda/include/nccl.h")
#include "/usr/local/cuda/include/nccl.h"
#endif
