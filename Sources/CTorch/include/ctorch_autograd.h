#pragma once
#include "ctorch_types.h"
CT_BEGIN
bool ct_tensor_requires_grad(ct_tensor tensor);
bool ct_tensor_set_requires_grad(ct_tensor tensor, bool requires_grad);
bool ct_tensor_is_leaf(ct_tensor tensor);
bool ct_tensor_has_grad(ct_tensor tensor);
/// The gradient, or NULL when there is none.
ct_tensor ct_tensor_grad(ct_tensor tensor);
bool ct_tensor_set_grad(ct_tensor tensor, ct_tensor gradient);
/// Name of the node that made the tensor; false for a leaf.
bool ct_tensor_grad_fn_name(ct_tensor tensor, char *name, size_t capacity);
bool ct_tensor_retain_grad(ct_tensor tensor);
bool ct_tensor_is_inference(ct_tensor tensor);

/// bias + input · weightᵀ.
ct_tensor ct_linear(ct_tensor input, ct_tensor weight, ct_tensor bias);
bool ct_backward(ct_tensor root, ct_tensor gradient, bool retain_graph, bool create_graph);
/// Backward from several tensors at once, each with the gradient that arrives at it.
bool ct_backward_all(const ct_tensor *roots, const ct_tensor *gradients, intptr_t count);
/// Gradients of `outputs` with respect to `inputs`; `results[i]` is NULL for an unused input when `allow_unused`.
bool ct_gradients(
    const ct_tensor *outputs, intptr_t output_count, const ct_tensor *inputs, intptr_t input_count,
    const ct_tensor *output_gradients, bool retain_graph, bool create_graph, bool allow_unused, ct_tensor *results);

bool ct_grad_mode(void);
void ct_set_grad_mode(bool enabled);
bool ct_inference_mode(void);
void *ct_inference_enter(bool enabled);
void ct_inference_exit(void *guard);
/// Names the forward operation when backward fails, and with `check_nan` fails on results that are not numbers.
bool ct_set_anomaly_mode(bool enabled, bool check_nan);
bool ct_anomaly_mode(void);
bool ct_anomaly_checks_nan(void);

/// Autocast of one device type for the calling thread.
bool ct_autocast_enabled(int device_kind);
void ct_set_autocast(int device_kind, bool enabled, int dtype);
int ct_autocast_dtype(int device_kind);
void ct_autocast_nesting(int delta);
/// Whether converted weights are kept until autocast ends; returns what was before.
bool ct_autocast_cache(bool enabled);

typedef void (*ct_release_callback)(void *context);
/// Called with the leaf after its gradient was accumulated; the tensor is borrowed.
typedef void (*ct_gradient_callback)(void *context, ct_tensor tensor);
/// Called with a gradient; returns an owned replacement, or NULL to keep it.
typedef ct_tensor (*ct_gradient_transform)(void *context, ct_tensor gradient);
/// Returns the key that removes the hook, or -1.
intptr_t ct_add_post_accumulate_hook(
    ct_tensor tensor, ct_gradient_callback callback, void *context, ct_release_callback release);
void ct_remove_post_accumulate_hook(ct_tensor tensor, intptr_t key);
intptr_t ct_add_gradient_hook(
    ct_tensor tensor, ct_gradient_transform transform, void *context, ct_release_callback release);
void ct_remove_gradient_hook(ct_tensor tensor, intptr_t key);

/// Computes the gradients of the inputs of an operation; `results[i]`, owned, stays NULL for none. `gradients[i]` is
/// undefined when output i has no part in the loss. All arguments are borrowed. Returns NULL, or what went wrong, allocated
/// with malloc.
typedef char *(*ct_backward_callback)(
    void *context, const ct_tensor *gradients, const ct_tensor *saved, const bool *is_needed, ct_tensor *results);
/// Makes `outputs`, new tensors without a history, the results of an operation on `inputs` whose backward is `callback`;
/// it gets `saved` back. Does nothing when no gradient is recorded.
bool ct_record_function(
    const char *name, const ct_tensor *outputs, intptr_t output_count, const ct_tensor *inputs, intptr_t input_count,
    const ct_tensor *saved, intptr_t saved_count, ct_backward_callback callback, void *context,
    ct_release_callback release);
CT_END
