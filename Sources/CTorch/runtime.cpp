#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <torch/headeronly/version.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "ctorch.h"
#include "ctorch_internal.h"
#include "cuda_build.h"

namespace {
thread_local int defaultType = static_cast<int>(at::ScalarType::Float);
}

extern "C" {

const char* ct_version(void) { return TORCH_VERSION; }
void ct_set_thread_count(int count) { at::set_num_threads(count); }
void ct_keep_freed_memory(intptr_t bytes, intptr_t largest_block) {
#ifdef __GLIBC__
  const char* tunables = std::getenv("GLIBC_TUNABLES");
  if (std::getenv("MALLOC_TRIM_THRESHOLD_") || (tunables && std::strstr(tunables, "glibc.malloc."))) return;
  // 32 MB is the largest threshold that glibc takes; larger blocks are mapped and unmapped one by one.
  mallopt(M_MMAP_THRESHOLD, static_cast<int>(std::clamp<intptr_t>(largest_block, 1 << 16, 32 << 20)));
  mallopt(M_TRIM_THRESHOLD, static_cast<int>(std::clamp<intptr_t>(bytes, 0, INT_MAX)));
  // Every thread's heap has that much more than it needs.
  mallopt(M_TOP_PAD, static_cast<int>(std::clamp<intptr_t>(bytes >> 4, 128 << 10, 64 << 20)));
#endif
}
int ct_thread_count(void) { return at::get_num_threads(); }
int ct_cuda_device_count(void) {
  try {
    return static_cast<int>(at::getNumGPUs());
  } catch (...) {
    return 0;
  }
}
bool ct_cuda_build(void) { return CT_HAS_CUDA; }
bool ct_cuda_set_device(int device) {
  CT_DO(c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA)
            .setDevice(c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(device))))
}
bool ct_cuda_synchronize(int device) {
  CT_DO(c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).synchronizeDevice(static_cast<c10::DeviceIndex>(device)))
}
bool ct_cuda_bus_id(int device, char* text, int size) {
  using Function = int(char*, int, int);
  // Of the library that libtorch has loaded, whatever its version.
  static const auto function = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, "cudaDeviceGetPCIBusId"));
  return function && function(text, size, device) == 0;
}
bool ct_set_deterministic(bool enabled, bool warn_only) {
  CT_DO(at::globalContext().setDeterministicAlgorithms(enabled, warn_only))
}
bool ct_deterministic(void) { return at::globalContext().deterministicAlgorithms(); }
bool ct_deterministic_warn_only(void) { return at::globalContext().deterministicAlgorithmsWarnOnly(); }
int ct_default_dtype(void) { return defaultType; }
void ct_set_default_dtype(int dtype) { defaultType = dtype; }
}
