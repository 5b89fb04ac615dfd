// Reads and writes of files that go on while the program computes: blocks of one size, several at a time, by io_uring, or by
// threads where the kernel does not let us.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk_queue.h"

struct cp_disk_job {
  int descriptor;
  bool is_write;
  char *buffer;
  size_t count;
  off_t offset;
  /// What has been handed out, and what is on its way.
  size_t next;
  int running;
  int error;
  bool is_done;
  struct cp_disk_job *following;
};

struct cp_disk_queue {
  size_t block;
  int depth;
  pthread_mutex_t mutex;
  /// There is work, or the end.
  pthread_cond_t work;
  /// A job has ended.
  pthread_cond_t ended;
  /// Jobs with blocks that nobody works on yet, oldest first.
  cp_disk_job *first, *last;
  bool is_closing;
  int thread_count;
  pthread_t *threads;
  cp_disk_ring **rings;
};

/// Takes the next block, or waits for one if `waits`; false when there is none. Called with the lock.
static bool take(cp_disk_queue *queue, bool waits, cp_disk_block *block) {
  while (queue->first == NULL) {
    if (!waits || queue->is_closing) return false;
    pthread_cond_wait(&queue->work, &queue->mutex);
  }
  cp_disk_job *job = queue->first;
  const size_t rest = job->count - job->next;
  *block = (cp_disk_block){
      .job = job, .descriptor = job->descriptor, .is_write = job->is_write, .buffer = job->buffer + job->next,
      .count = rest < queue->block ? rest : queue->block, .offset = job->offset + (off_t)job->next};
  job->next += block->count;
  job->running += 1;
  if (job->next == job->count) {
    queue->first = job->following;
    if (queue->first == NULL) queue->last = NULL;
  }
  return true;
}

/// Notes the end of a block. Called with the lock.
static void finish(cp_disk_queue *queue, const cp_disk_block *block, int error) {
  cp_disk_job *job = block->job;
  job->running -= 1;
  if (error != 0 && job->error == 0) job->error = error;
  if (job->running == 0 && job->next == job->count) {
    job->is_done = true;
    pthread_cond_broadcast(&queue->ended);
  }
}

/// Does a block whole; returns 0 or an errno value.
static int transfer(cp_disk_block block) {
  while (block.count > 0) {
    const ssize_t moved = block.is_write ? pwrite(block.descriptor, block.buffer, block.count, block.offset)
                                         : pread(block.descriptor, block.buffer, block.count, block.offset);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) return errno;
    if (moved == 0) return block.is_write ? ENOSPC : ENODATA;
    block.buffer += moved;
    block.count -= (size_t)moved;
    block.offset += moved;
  }
  return 0;
}

static void *work_blocking(void *context) {
  cp_disk_queue *queue = context;
  cp_disk_block block;
  pthread_mutex_lock(&queue->mutex);
  while (take(queue, true, &block)) {
    pthread_mutex_unlock(&queue->mutex);
    const int error = transfer(block);
    pthread_mutex_lock(&queue->mutex);
    finish(queue, &block, error);
  }
  pthread_mutex_unlock(&queue->mutex);
  return NULL;
}

struct ring_worker {
  cp_disk_queue *queue;
  cp_disk_ring *ring;
};

static void *work_with_ring(void *context) {
  struct ring_worker worker = *(struct ring_worker *)context;
  free(context);
  cp_disk_queue *queue = worker.queue;
  cp_disk_block *blocks = calloc((size_t)queue->depth, sizeof *blocks);
  int *vacant = calloc((size_t)queue->depth, sizeof *vacant);
  int vacant_count = queue->depth;
  for (int place = 0; place < queue->depth; ++place) vacant[place] = place;

  pthread_mutex_lock(&queue->mutex);
  for (;;) {
    const int running = queue->depth - vacant_count;
    cp_disk_block block;
    int added = 0;
    while (vacant_count > 0 && take(queue, running + added == 0, &block)) {
      const int place = vacant[--vacant_count];
      blocks[place] = block;
      cp_disk_ring_add(worker.ring, &blocks[place], (uint64_t)place);
      added += 1;
    }
    if (vacant_count == queue->depth) break;
    pthread_mutex_unlock(&queue->mutex);
    const int entered = cp_disk_ring_enter(worker.ring);
    pthread_mutex_lock(&queue->mutex);
    uint64_t place;
    int result;
    while (cp_disk_ring_take(worker.ring, &place, &result)) {
      cp_disk_block *done = &blocks[place];
      if (result == -EINTR || result == -EAGAIN) result = 0;
      if (result > 0 && (size_t)result < done->count) {
        // A part was moved: the rest is moved here, which also tells why there was no more.
        done->buffer += result;
        done->count -= (size_t)result;
        done->offset += result;
        result = 0;
      }
      if (result == 0 && done->count > 0) {
        pthread_mutex_unlock(&queue->mutex);
        result = -transfer(*done);
        pthread_mutex_lock(&queue->mutex);
      }
      finish(queue, done, result < 0 ? -result : 0);
      vacant[vacant_count++] = (int)place;
    }
    if (entered != 0 && entered != EINTR && entered != EAGAIN && entered != EBUSY) {
      // The ring does not work: what is in it cannot be taken back, so the jobs fail.
      for (int index = 0; index < queue->depth; ++index) {
        bool is_vacant = false;
        for (int other = 0; other < vacant_count; ++other) is_vacant = is_vacant || vacant[other] == index;
        if (!is_vacant) {
          finish(queue, &blocks[index], entered);
          vacant[vacant_count++] = index;
        }
      }
    }
  }
  pthread_mutex_unlock(&queue->mutex);
  free(blocks);
  free(vacant);
  return NULL;
}

cp_disk_queue *cp_disk_queue_create(size_t block, int depth, int thread_count, bool allows_ring, bool *uses_ring) {
  cp_disk_queue *queue = calloc(1, sizeof *queue);
  if (queue == NULL) return NULL;
  queue->block = block;
  queue->depth = depth;
  pthread_mutex_init(&queue->mutex, NULL);
  pthread_cond_init(&queue->work, NULL);
  pthread_cond_init(&queue->ended, NULL);
  *uses_ring = false;
  if (allows_ring) {
    queue->rings = calloc((size_t)thread_count + 1, sizeof *queue->rings);
    *uses_ring = queue->rings != NULL;
    for (int index = 0; *uses_ring && index < thread_count; ++index) {
      queue->rings[index] = cp_disk_ring_create(depth);
      *uses_ring = queue->rings[index] != NULL;
    }
  }
  const int wanted = *uses_ring ? thread_count : depth;
  queue->threads = calloc((size_t)wanted, sizeof *queue->threads);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (int index = 0; queue->threads != NULL && index < wanted; ++index) {
    int failure;
    if (*uses_ring) {
      struct ring_worker *worker = malloc(sizeof *worker);
      *worker = (struct ring_worker){queue, queue->rings[index]};
      failure = pthread_create(&queue->threads[index], NULL, work_with_ring, worker);
      if (failure != 0) free(worker);
    } else {
      failure = pthread_create(&queue->threads[index], NULL, work_blocking, queue);
    }
    if (failure != 0) break;
    queue->thread_count += 1;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (queue->thread_count == 0) {
    cp_disk_queue_free(queue);
    return NULL;
  }
  return queue;
}

void cp_disk_queue_free(cp_disk_queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  queue->is_closing = true;
  pthread_cond_broadcast(&queue->work);
  pthread_mutex_unlock(&queue->mutex);
  for (int index = 0; index < queue->thread_count; ++index) pthread_join(queue->threads[index], NULL);
  for (int index = 0; queue->rings != NULL && queue->rings[index] != NULL; ++index) cp_disk_ring_free(queue->rings[index]);
  free(queue->rings);
  free(queue->threads);
  pthread_cond_destroy(&queue->ended);
  pthread_cond_destroy(&queue->work);
  pthread_mutex_destroy(&queue->mutex);
  free(queue);
}

cp_disk_job *cp_disk_start(
    cp_disk_queue *queue, int descriptor, bool is_write, void *buffer, size_t count, off_t offset) {
  cp_disk_job *job = calloc(1, sizeof *job);
  if (job == NULL) return NULL;
  job->descriptor = descriptor;
  job->is_write = is_write;
  job->buffer = buffer;
  job->count = count;
  job->offset = offset;
  job->is_done = count == 0;
  if (count == 0) return job;
  pthread_mutex_lock(&queue->mutex);
  if (queue->last == NULL) {
    queue->first = job;
  } else {
    queue->last->following = job;
  }
  queue->last = job;
  pthread_cond_broadcast(&queue->work);
  pthread_mutex_unlock(&queue->mutex);
  return job;
}

int cp_disk_wait(cp_disk_queue *queue, cp_disk_job *job) {
  pthread_mutex_lock(&queue->mutex);
  while (!job->is_done) pthread_cond_wait(&queue->ended, &queue->mutex);
  pthread_mutex_unlock(&queue->mutex);
  const int error = job->error;
  free(job);
  return error;
}
