#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Seconds for one `add` of two float32 tensors of `elements` numbers, called `iterations` times.
double floor_add(intptr_t iterations, intptr_t elements, int requires_grad);

/// Trains the digits MLP (64-128-10, SGD with momentum) by a plain C++ loop.
///
/// - images: rows × 64 float32; labels: rows int64.
/// - window_seconds: filled with the seconds of each of `windows` windows of `window` steps, after `warmup` steps.
/// - parts: 5 sums of seconds over all windows: loading, forward, zero gradients, backward, optimizer; null: not measured.
/// - Returns the last loss.
double floor_train(
    const float *images, const int64_t *labels, intptr_t rows, intptr_t batch_size, intptr_t warmup, intptr_t window,
    intptr_t windows, double *window_seconds, double *parts);

/// A new file for reading and writing past the page cache, or through it where the disk refuses; -1 with errno.
int floor_open_direct(const char *path);

#ifdef __cplusplus
}
#endif
