/// Reads and writes of files that go on while the program computes.
#ifndef STRATAGEM_DISK_QUEUE_H
#define STRATAGEM_DISK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct cp_disk_queue cp_disk_queue;
typedef struct cp_disk_job cp_disk_job;

/// Starts the threads of a queue that moves blocks of `block` bytes, `depth` at a time: each of `thread_count` threads by an
/// io_uring of its own, or `depth` threads by blocking calls when the kernel has none or `allows_ring` is false. Returns NULL
/// when no thread can be started.
cp_disk_queue *cp_disk_queue_create(size_t block, int depth, int thread_count, bool allows_ring, bool *uses_ring);

/// Ends the threads when all jobs are done.
void cp_disk_queue_free(cp_disk_queue *queue);

/// Starts to move `count` bytes between `buffer` and the file; both have to stay until `cp_disk_wait` returns. Jobs are begun
/// in order and may overlap. Returns NULL without memory.
cp_disk_job *cp_disk_start(
    cp_disk_queue *queue, int descriptor, bool is_write, void *buffer, size_t count, off_t offset);

/// Waits for a job and frees it. Returns 0 or an errno value; ENODATA when the file ends before the bytes do.
int cp_disk_wait(cp_disk_queue *queue, cp_disk_job *job);

/// Opens a file in `folder` that nobody else sees and that is gone when it is closed, also when the process is killed.
/// `is_direct` tells whether it passes by the page cache: buffers, counts and offsets are then multiples of 4096. Returns -1
/// with errno.
int cp_open_unnamed(const char *folder, bool *is_direct);

/// Asks for huge pages in the middle of some memory. A device takes a request in a limited number of pieces, and of small
/// pages each is one, so that a block of them becomes several requests.
void cp_prefer_huge_pages(void *memory, size_t count);

/// Reserves `count` bytes of a file. Returns 0 or an errno value; ENOSPC when the disk is too small, EFBIG when the process
/// may not write that much.
int cp_reserve(int descriptor, off_t count);

/// The bytes that an unprivileged process can write into a folder's file system, and the largest file that this process may
/// write; UINT64_MAX for no limit. Returns 0 or an errno value.
int cp_free_space(const char *folder, uint64_t *available, uint64_t *file_limit);

// Of the queue: blocks by io_uring.
typedef struct {
  cp_disk_job *job;
  int descriptor;
  bool is_write;
  char *buffer;
  size_t count;
  off_t offset;
} cp_disk_block;

typedef struct cp_disk_ring cp_disk_ring;

/// A ring for `depth` blocks; NULL when the kernel refuses.
cp_disk_ring *cp_disk_ring_create(int depth);
void cp_disk_ring_free(cp_disk_ring *ring);
/// Prepares a block; there must be room.
void cp_disk_ring_add(cp_disk_ring *ring, const cp_disk_block *block, uint64_t tag);
/// Hands over what was prepared and waits until at least one block is done. Returns 0 or an errno value.
int cp_disk_ring_enter(cp_disk_ring *ring);
/// Takes the result of a block that is done: bytes, or minus an errno value. False when there is none.
bool cp_disk_ring_take(cp_disk_ring *ring, uint64_t *tag, int *result);

#endif
