// Stands in for a header of the CUDA toolkit; see cuda_runtime_api.h.
#pragma once
typedef struct cublasContext* cublasHandle_t;
typedef enum { CUBLAS_STATUS_SUCCESS = 0 } cublasStatus_t;
