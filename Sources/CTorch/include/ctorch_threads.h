#pragma once
#include "ctorch_types.h"
CT_BEGIN
/// A pointer of the calling thread, kept for the Swift side; NULL at first.
void *ct_thread_slot_get(void);
void ct_thread_slot_set(void *value);

typedef struct ct_thread_state_s *ct_thread_state;
/// What libtorch keeps for the calling thread: gradient, inference and autocast modes and the like.
ct_thread_state ct_thread_state_capture(void);
void ct_thread_state_release(ct_thread_state state);
/// Gives the calling thread `state` until `ct_thread_state_exit` is called with the answer.
void *ct_thread_state_enter(ct_thread_state state);
void ct_thread_state_exit(void *guard);

/// Lets operations of the calling thread that are given no generator draw from `generator`, which is seeded with `seed`
/// before the first of them. CPU only. Returns false when libtorch refuses.
bool ct_thread_generator_enter(ct_generator generator, uint64_t seed);
void ct_thread_generator_exit(void);
/// The state of the generator on the CPU that operations of the calling thread draw from when they are given none.
ct_tensor ct_random_state(void);
/// Lets these operations draw once more what they drew from that state on, until `ct_random_replay_exit` is called with
/// the answer; NULL on failure.
void *ct_random_replay_enter(ct_tensor state);
void ct_random_replay_exit(void *guard);

/// A leaf on the same storage, with a gradient of its own; it requires one if `tensor` does.
ct_tensor ct_replica_alias(ct_tensor tensor);
/// A copy on a device that is in no graph, also in inference mode.
ct_tensor ct_replica_copy(ct_tensor tensor, ct_device device);
/// Counts the changes in place of the tensor's numbers; -1 for a tensor that does not count.
int64_t ct_tensor_version(ct_tensor tensor);
/// Adds to the gradients of `targets` those of as many `sources` of each of `replica_count` replicas, replica after
/// replica, and takes them from the sources; for the positions in `indices` only.
bool ct_take_gradients(
    const ct_tensor *targets, const ct_tensor *sources, intptr_t count, intptr_t replica_count,
    const intptr_t *indices, intptr_t index_count);
CT_END
