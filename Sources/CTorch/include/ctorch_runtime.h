#pragma once
#include "ctorch_types.h"
CT_BEGIN
/// Version of libtorch as compiled against, such as "2.13.0".
const char *ct_version(void);
void ct_set_thread_count(int count);
int ct_thread_count(void);
/// Number of CUDA devices that libtorch can use; 0 for a CPU build.
int ct_cuda_device_count(void);
bool ct_set_deterministic(bool enabled, bool warn_only);
/// Loops that call an operator `iterations` times from C++, for the benchmark of the binding; seconds per call.
double ct_measure_add(intptr_t iterations, intptr_t elements);
double ct_measure_add_grad(intptr_t iterations, intptr_t elements);
CT_END
