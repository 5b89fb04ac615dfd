// Stands in for a header of the CUDA toolkit; see cuda_runtime_api.h.
#pragma once
typedef struct cublasLtContext* cublasLtHandle_t;
// Of cusolverDn.h, which is included only where the toolkit tells its version.
typedef struct cusolverDnContext* cusolverDnHandle_t;
