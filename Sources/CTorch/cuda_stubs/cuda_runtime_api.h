// Stands in for a header of the CUDA toolkit, which CUDA wheels of PyTorch do without: what the headers of libtorch mention
// on the way to ProcessGroupNCCL. Types are opaque, or fixed by CUDA's binary interface. Functions are only mentioned in
// inline functions that nothing here calls; one that is called does not link.
#pragma once
#include <cstddef>
#include <cstdint>

typedef enum cudaError { cudaSuccess = 0, cudaErrorNotReady = 600 } cudaError_t;
typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;
struct cudaDeviceProp;
typedef struct cudaIpcEventHandle_st {
  char reserved[64];
} cudaIpcEventHandle_t;
enum cudaMemcpyKind { cudaMemcpyDefault = 4 };
enum cudaStreamCaptureStatus {
  cudaStreamCaptureStatusNone = 0,
  cudaStreamCaptureStatusActive = 1,
  cudaStreamCaptureStatusInvalidated = 2
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal = 0, cudaStreamCaptureModeRelaxed = 2 };
#define cudaEventDefault 0u
#define cudaEventDisableTiming 2u
#define cudaEventInterprocess 4u
#define cudaEventRecordDefault 0u
#define cudaEventRecordExternal 1u
#define cudaEventWaitDefault 0u
#define cudaEventWaitExternal 1u

const char* cudaGetErrorString(cudaError_t error);

#define CT_DECLARE(name)                 \
  template <typename... Arguments>    \
  cudaError_t name(Arguments&&...);
CT_DECLARE(cudaGetLastError)
CT_DECLARE(cudaGetDevice)
CT_DECLARE(cudaSetDevice)
CT_DECLARE(cudaMemGetInfo)
CT_DECLARE(cudaMemcpyAsync)
CT_DECLARE(cudaDeviceSynchronize)
CT_DECLARE(cudaDeviceGetStreamPriorityRange)
CT_DECLARE(cudaStreamGetCaptureInfo)
CT_DECLARE(cudaStreamGetPriority)
CT_DECLARE(cudaStreamIsCapturing)
CT_DECLARE(cudaStreamQuery)
CT_DECLARE(cudaStreamSynchronize)
CT_DECLARE(cudaStreamWaitEvent)
CT_DECLARE(cudaThreadExchangeStreamCaptureMode)
CT_DECLARE(cudaEventCreateWithFlags)
CT_DECLARE(cudaEventDestroy)
CT_DECLARE(cudaEventElapsedTime)
CT_DECLARE(cudaEventQuery)
CT_DECLARE(cudaEventRecord)
CT_DECLARE(cudaEventRecordWithFlags)
CT_DECLARE(cudaEventSynchronize)
CT_DECLARE(cudaIpcGetEventHandle)
CT_DECLARE(cudaIpcOpenEventHandle)
#undef CT_DECLARE
