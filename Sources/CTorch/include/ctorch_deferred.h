#pragma once
#include "ctorch_autograd.h"
CT_BEGIN
/// How tensors without memory are made: the operations that made them, to be run when their numbers are asked for.
typedef struct ct_tape_s *ct_tape;

ct_tape ct_tape_create(void);
/// What `ct_tape_current` and `ct_tape_of` answer.
void ct_tape_set_owner(ct_tape tape, void *owner);
void ct_tape_release(ct_tape tape);
/// From here to `ct_tape_exit`, tensors that operations of the calling thread make on the CPU get no memory (they are on
/// the meta device), and what is done with them is recorded. Random numbers are drawn, so that generators go on as if
/// the tensors were made.
bool ct_tape_enter(ct_tape tape);
void ct_tape_exit(void);
/// The owner of the tape that the calling thread records on, or NULL.
void *ct_tape_current(void);
/// The owner of the tape that knows how `tensor` is made, or NULL.
void *ct_tape_of(ct_tensor tensor);
/// Bytes of the tensors with memory that are needed to make `tensor`.
intptr_t ct_tape_constant_bytes(ct_tape tape, ct_tensor tensor);
/// Makes the numbers of a tensor that the tape knows; the answer is owned.
ct_tensor ct_tape_replay(ct_tape tape, ct_tensor tensor);

/// Overwrites the numbers of a tensor, which is borrowed; random numbers come from `generator`, the default one if NULL.
typedef void (*ct_fill_callback)(void *context, ct_tensor tensor, ct_generator generator);
/// Records that `callback` overwrites `tensor`, which the current tape knows.
bool ct_tape_fill(
    ct_tape tape, ct_tensor tensor, ct_generator generator, ct_fill_callback callback, void *context,
    ct_release_callback release);
CT_END
