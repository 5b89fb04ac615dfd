#pragma once
#include "ctorch_types.h"
CT_BEGIN
void ct_tensor_release(ct_tensor tensor);
ct_tensor ct_tensor_retain(ct_tensor tensor);
/// The undefined tensor: what a failed operation returns.
ct_tensor ct_tensor_undefined(void);
bool ct_tensor_is_defined(ct_tensor tensor);

/// Copies `byte_count` bytes into a new contiguous CPU tensor.
ct_tensor ct_tensor_from_bytes(const void *bytes, size_t byte_count, const intptr_t *shape, intptr_t ndim, int dtype);

intptr_t ct_tensor_ndim(ct_tensor tensor);
/// Writes `ndim` sizes.
void ct_tensor_shape(ct_tensor tensor, intptr_t *sizes);
void ct_tensor_strides(ct_tensor tensor, intptr_t *strides);
intptr_t ct_tensor_size(ct_tensor tensor, intptr_t dim);
intptr_t ct_tensor_count(ct_tensor tensor);
intptr_t ct_tensor_element_size(ct_tensor tensor);
int ct_tensor_dtype(ct_tensor tensor);
ct_device ct_tensor_device(ct_tensor tensor);
bool ct_tensor_is_contiguous(ct_tensor tensor);
intptr_t ct_tensor_storage_offset(ct_tensor tensor);
intptr_t ct_tensor_storage_bytes(ct_tensor tensor);
/// Address of the first byte of the storage; equal for tensors that share it.
void *ct_tensor_storage_address(ct_tensor tensor);
/// Address of the first element; NULL on failure (no storage, not on the CPU).
void *ct_tensor_data(ct_tensor tensor);
/// The single element of the tensor as a double.
bool ct_tensor_item(ct_tensor tensor, double *value);
/// The single element of the tensor as an integer.
bool ct_tensor_item_int(ct_tensor tensor, intptr_t *value);
/// Indexing by tensors with `NULL` for "all": `self[indices...]`.
ct_tensor ct_tensor_index(ct_tensor self, const ct_tensor *indices, intptr_t count);
bool ct_tensor_index_put(ct_tensor self, const ct_tensor *indices, intptr_t count, ct_tensor values, bool accumulate);
/// Rows start ..< start + count of the first dimension, of the same storage; recorded if `self` requires its gradient.
ct_tensor ct_tensor_rows(ct_tensor self, intptr_t start, intptr_t count);
/// The same storage with its own version counter and no autograd history.
ct_tensor ct_tensor_variable_data(ct_tensor tensor);
/// Makes `tensor` refer to the storage and metadata of `source`; the identity of `tensor` stays.
bool ct_tensor_set_data(ct_tensor tensor, ct_tensor source);
/// Gives the storage `byte_count` bytes whose contents are undefined, 0 to give its memory back. All tensors on it stay
/// what they are; none may be computed with before the bytes are there.
bool ct_tensor_resize_storage(ct_tensor tensor, intptr_t byte_count);
/// Returns memory of freed tensors that the process keeps for later to the system.
void ct_release_freed_memory(void);
CT_END
