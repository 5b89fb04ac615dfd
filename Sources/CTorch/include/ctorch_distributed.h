#pragma once
#include "ctorch_types.h"
CT_BEGIN
typedef struct ct_store_s *ct_store;
typedef struct ct_group_s *ct_group;
typedef struct ct_work_s *ct_work;
typedef struct ct_reducer_s *ct_reducer;

/// A client of the TCP store at host:port, or its server when `server`; port 0 lets the system choose. A server takes
/// over `listen_descriptor`, a bound and listening socket, unless it is -1.
ct_store ct_store_tcp(
    const char *host, int port, bool server, int listen_descriptor, int64_t timeout_milliseconds, int *bound_port);
/// A view of `store` in which every key starts with `prefix`.
ct_store ct_store_prefix(const char *prefix, ct_store store);
void ct_store_release(ct_store store);
bool ct_store_set(ct_store store, const char *key, const void *bytes, intptr_t count);
/// Waits for the key. The bytes are allocated with malloc and freed by the caller.
bool ct_store_get(ct_store store, const char *key, void **bytes, intptr_t *count);
bool ct_store_add(ct_store store, const char *key, int64_t amount, int64_t *result);
/// 1 when the key is there, 0 when not, -1 on failure.
int ct_store_check(ct_store store, const char *key);
bool ct_store_wait(ct_store store, const char *key, int64_t timeout_milliseconds);
bool ct_store_delete(ct_store store, const char *key);

/// A process group on Gloo; with `nccl`, NCCL moves the tensors of GPUs. `address` is the local address to bind, or NULL for
/// Gloo's own choice.
ct_group ct_group_make(
    ct_store store, int rank, int size, int64_t timeout_milliseconds, const char *address, bool nccl, const char *name);
/// Why NCCL cannot be used by this program on any machine; NULL when it can.
const char *ct_nccl_problem(void);
/// Connects the GPUs of a group with NCCL now instead of in the first collective. Waits for all its ranks.
bool ct_group_connect(ct_group group, int cuda_device);
/// Lets go of what is under way on GPUs in all groups of this process, which cannot be used for GPUs any more.
void ct_nccl_abort(void);
/// A group of some processes of `parent`, over the same store and interface; `name` is different for each.
ct_group ct_group_subgroup(ct_group parent, int rank, int size, int64_t timeout_milliseconds, const char *name);
void ct_group_release(ct_group group);

enum { ct_reduce_sum = 0, ct_reduce_mean = 1, ct_reduce_product = 2, ct_reduce_minimum = 3, ct_reduce_maximum = 4 };
ct_work ct_all_reduce(ct_group group, ct_tensor tensor, int operation);
ct_work ct_broadcast(ct_group group, ct_tensor tensor, int source);
ct_work ct_all_gather(ct_group group, ct_tensor output, ct_tensor input);
ct_work ct_reduce_scatter(ct_group group, ct_tensor output, ct_tensor input, int operation);
ct_work ct_all_to_all(ct_group group, ct_tensor output, ct_tensor input);
ct_work ct_send(ct_group group, ct_tensor tensor, int destination, int tag);
ct_work ct_receive(ct_group group, ct_tensor tensor, int source, int tag);
/// What is sent and received on GPUs between these two, in a group with NCCL, is under way together as one work; the works of
/// the parts are empty.
bool ct_batch_begin(ct_group group);
ct_work ct_batch_end(ct_group group);
/// Ends a batch of which a part could not be started.
void ct_batch_cancel(ct_group group);
ct_work ct_barrier(ct_group group);
bool ct_broadcast_coalesced(ct_group group, const ct_tensor *tensors, intptr_t count, size_t buffer_bytes, int source);

bool ct_work_wait(ct_work work);
bool ct_work_is_completed(ct_work work);
void ct_work_release(ct_work work);

typedef struct ct_reducer_options {
  intptr_t first_bucket_bytes;
  intptr_t bucket_bytes;
  bool find_unused_parameters;
  bool gradient_as_bucket_view;
  bool static_graph;
} ct_reducer_options;
/// Verifies the parameters across processes and assigns them to buckets. `names[i]` names parameter i in errors. With
/// `order` and `buckets`, both of `count`, parameter `order[i]` goes into bucket `buckets[i]`, counted up from 0; NULL
/// assigns by size.
ct_reducer ct_reducer_create(
    ct_group group, const ct_tensor *parameters, const char *const *names, intptr_t count, ct_reducer_options options,
    const intptr_t *order, const intptr_t *buckets);
void ct_reducer_release(ct_reducer reducer);
bool ct_reducer_prepare_forward(ct_reducer reducer);
bool ct_reducer_prepare_backward(ct_reducer reducer, const ct_tensor *outputs, intptr_t count);
/// Ends the first backward of a static graph.
bool ct_reducer_finish_static_graph(ct_reducer reducer);
intptr_t ct_reducer_bucket_count(ct_reducer reducer);
/// Tells the assignment as `ct_reducer_create` takes it.
bool ct_reducer_assignment(ct_reducer reducer, intptr_t *order, intptr_t *buckets);

/// A bucket whose gradients are complete on this rank; everything in it is borrowed.
typedef struct ct_gradient_bucket {
  ct_tensor buffer;
  /// The numbers of the parameters whose gradients follow each other in the buffer.
  const intptr_t *parameters;
  intptr_t count;
} ct_gradient_bucket;
/// Starts the reduction of a bucket. Returns NULL, or what went wrong, allocated with malloc.
typedef char *(*ct_hook_start)(void *context, const ct_gradient_bucket *bucket);
/// Waits for the reduction of the next bucket and returns the reduced buffer, owned; or NULL and what went wrong, allocated
/// with malloc. Called for every bucket, in the order in which they were started, after the last one was.
typedef ct_tensor (*ct_hook_finish)(void *context, char **problem);
/// Lets a hook reduce the buckets, and average them, instead of the reducer. At most once, before the first forward.
bool ct_reducer_set_hook(
    ct_reducer reducer, ct_hook_start start, ct_hook_finish finish, void *context,
    void (*release)(void *context));
CT_END
