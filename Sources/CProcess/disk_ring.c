// io_uring by its system calls: no library has to be there.
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "disk_queue.h"

#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif

#if defined(SYS_io_uring_setup) && defined(IORING_FEAT_SINGLE_MMAP)

struct cp_disk_ring {
  int descriptor;
  void *memory;
  size_t memory_size;
  struct io_uring_sqe *entries;
  size_t entries_size;
  _Atomic uint32_t *submission_tail;
  uint32_t submission_mask;
  uint32_t *submission_array;
  _Atomic uint32_t *completion_head;
  _Atomic uint32_t *completion_tail;
  uint32_t completion_mask;
  struct io_uring_cqe *completions;
  unsigned prepared;
};

/// Whether the kernel knows the operations on plain buffers, which came after the rings.
static bool knows_operations(int descriptor) {
  const size_t size = sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op);
  struct io_uring_probe *probe = calloc(1, size);
  if (probe == NULL) return false;
  const bool answers = syscall(SYS_io_uring_register, descriptor, IORING_REGISTER_PROBE, probe, 256) == 0;
  const bool knows = answers && probe->ops_len > IORING_OP_WRITE &&
      (probe->ops[IORING_OP_READ].flags & IO_URING_OP_SUPPORTED) != 0 &&
      (probe->ops[IORING_OP_WRITE].flags & IO_URING_OP_SUPPORTED) != 0;
  free(probe);
  return knows;
}

cp_disk_ring *cp_disk_ring_create(int depth) {
  struct io_uring_params params;
  memset(&params, 0, sizeof params);
  const int descriptor = (int)syscall(SYS_io_uring_setup, depth, &params);
  if (descriptor < 0) return NULL;
  cp_disk_ring *ring = calloc(1, sizeof *ring);
  if (ring == NULL || (params.features & IORING_FEAT_SINGLE_MMAP) == 0 || !knows_operations(descriptor)) {
    free(ring);
    close(descriptor);
    return NULL;
  }
  ring->descriptor = descriptor;
  const size_t submissions = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
  const size_t completions = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
  ring->memory_size = submissions > completions ? submissions : completions;
  ring->memory = mmap(
      NULL, ring->memory_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, IORING_OFF_SQ_RING);
  ring->entries_size = params.sq_entries * sizeof(struct io_uring_sqe);
  ring->entries = mmap(
      NULL, ring->entries_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, IORING_OFF_SQES);
  if (ring->memory == MAP_FAILED || (void *)ring->entries == MAP_FAILED) {
    cp_disk_ring_free(ring);
    return NULL;
  }
  char *base = ring->memory;
  ring->submission_tail = (_Atomic uint32_t *)(base + params.sq_off.tail);
  ring->submission_mask = *(uint32_t *)(base + params.sq_off.ring_mask);
  ring->submission_array = (uint32_t *)(base + params.sq_off.array);
  ring->completion_head = (_Atomic uint32_t *)(base + params.cq_off.head);
  ring->completion_tail = (_Atomic uint32_t *)(base + params.cq_off.tail);
  ring->completion_mask = *(uint32_t *)(base + params.cq_off.ring_mask);
  ring->completions = (struct io_uring_cqe *)(base + params.cq_off.cqes);
  return ring;
}

void cp_disk_ring_free(cp_disk_ring *ring) {
  if (ring->memory != NULL && ring->memory != MAP_FAILED) munmap(ring->memory, ring->memory_size);
  if (ring->entries != NULL && (void *)ring->entries != MAP_FAILED) munmap(ring->entries, ring->entries_size);
  close(ring->descriptor);
  free(ring);
}

void cp_disk_ring_add(cp_disk_ring *ring, const cp_disk_block *block, uint64_t tag) {
  const uint32_t tail = atomic_load_explicit(ring->submission_tail, memory_order_relaxed);
  const uint32_t place = tail & ring->submission_mask;
  struct io_uring_sqe *entry = &ring->entries[place];
  memset(entry, 0, sizeof *entry);
  entry->opcode = block->is_write ? IORING_OP_WRITE : IORING_OP_READ;
  entry->fd = block->descriptor;
  entry->addr = (uint64_t)(uintptr_t)block->buffer;
  entry->len = (uint32_t)block->count;
  entry->off = (uint64_t)block->offset;
  entry->user_data = tag;
  ring->submission_array[place] = place;
  atomic_store_explicit(ring->submission_tail, tail + 1, memory_order_release);
  ring->prepared += 1;
}

int cp_disk_ring_enter(cp_disk_ring *ring) {
  const long accepted = syscall(
      SYS_io_uring_enter, ring->descriptor, ring->prepared, 1, IORING_ENTER_GETEVENTS, NULL, (size_t)0);
  if (accepted < 0) return errno;
  ring->prepared -= (unsigned)accepted;
  return 0;
}

bool cp_disk_ring_take(cp_disk_ring *ring, uint64_t *tag, int *result) {
  const uint32_t head = atomic_load_explicit(ring->completion_head, memory_order_relaxed);
  if (head == atomic_load_explicit(ring->completion_tail, memory_order_acquire)) return false;
  const struct io_uring_cqe *done = &ring->completions[head & ring->completion_mask];
  *tag = done->user_data;
  *result = done->res;
  atomic_store_explicit(ring->completion_head, head + 1, memory_order_release);
  return true;
}

#else

cp_disk_ring *cp_disk_ring_create(int depth) {
  (void)depth;
  errno = ENOSYS;
  return NULL;
}
void cp_disk_ring_free(cp_disk_ring *ring) { (void)ring; }
void cp_disk_ring_add(cp_disk_ring *ring, const cp_disk_block *block, uint64_t tag) {
  (void)ring, (void)block, (void)tag;
}
int cp_disk_ring_enter(cp_disk_ring *ring) {
  (void)ring;
  return ENOSYS;
}
bool cp_disk_ring_take(cp_disk_ring *ring, uint64_t *tag, int *result) {
  (void)ring, (void)tag, (void)result;
  return false;
}

#endif
