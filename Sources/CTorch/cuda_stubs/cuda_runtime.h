// Stands in for a header of the CUDA toolkit; see cuda_runtime_api.h.
#pragma once
#include "cuda_runtime_api.h"
