#pragma once
#include "ctorch_types.h"
CT_BEGIN
/// Version of libtorch as compiled against, such as "2.13.0".
const char *ct_version(void);
void ct_set_thread_count(int count);
int ct_thread_count(void);
/// Keeps up to `bytes` of freed memory in the process, in blocks of at most `largest_block` bytes, unless the environment has
/// settings for malloc.
void ct_keep_freed_memory(intptr_t bytes, intptr_t largest_block);
/// Number of CUDA devices that libtorch can use; 0 for a CPU build.
int ct_cuda_device_count(void);
/// Whether libtorch is a build for CUDA, on a machine with or without GPUs.
bool ct_cuda_build(void);
/// Makes a GPU the current one of the calling thread.
bool ct_cuda_set_device(int device);
/// Waits until a GPU has done what it was given.
bool ct_cuda_synchronize(int device);
/// Writes the bus address of a GPU, such as "0000:3b:00.0", which is the same in all processes of a machine.
bool ct_cuda_bus_id(int device, char *text, int size);
bool ct_set_deterministic(bool enabled, bool warn_only);
bool ct_deterministic(void);
bool ct_deterministic_warn_only(void);
/// The floating-point type of tensors that the calling thread makes without naming one.
int ct_default_dtype(void);
void ct_set_default_dtype(int dtype);
CT_END
