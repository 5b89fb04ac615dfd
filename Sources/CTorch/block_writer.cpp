// Blocks of memory that a thread writes while the next ones are filled.
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "ctorch_files.h"

namespace {

/// Memory that begins at a huge page. A device takes a request in a limited number of pieces, and of small pages each is
/// one, so that a block of them becomes several requests.
class Pages {
 public:
  explicit Pages(size_t count) : size(count + alignment) {
    void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return;
    memory = static_cast<char*>(mapped);
    start = memory + (alignment - reinterpret_cast<uintptr_t>(memory) % alignment) % alignment;
    madvise(start, count, MADV_HUGEPAGE);
  }
  ~Pages() {
    if (memory) munmap(memory, size);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  /// NULL without memory.
  char* start = nullptr;

 private:
  static constexpr size_t alignment = 2 << 20;
  const size_t size;
  char* memory = nullptr;
};

/// Keeps signals meant for the program, and that of a file that is too large, from the threads started in its life.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t mask;
    sigemptyset(&mask);
    // Not all: a crash reporter stops every thread with one. Without the last, a file that gets larger than the process
    // may write ends it; with it, the write fails.
    for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGCHLD, SIGTSTP, SIGWINCH, SIGXFSZ}) {
      sigaddset(&mask, signal);
    }
    pthread_sigmask(SIG_BLOCK, &mask, &before);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }

 private:
  sigset_t before;
};

}  // namespace

struct ct_block_writer_s {
  ct_block_writer_s(size_t block, size_t count, ct_block_callback write, void* context)
      : pages(block * count), block(block), counts(count), write(write), context(context) {
    if (!pages.start) return;
    BlockedSignals blocked;
    try {
      thread = std::thread([this] { work(); });
      pthread_setname_np(thread.native_handle(), "file-blocks");
    } catch (const std::system_error&) {
      // Without a thread, blocks are written by whoever gives them.
    }
  }

  ~ct_block_writer_s() {
    {
      std::lock_guard guard(mutex);
      isAbandoned = true;
    }
    end();
  }

  void* take() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return hasFailed || given - written < counts.size(); });
    return hasFailed ? nullptr : place(given);
  }

  void give(size_t count) {
    if (!thread.joinable()) {
      if (!hasFailed) hasFailed = !write(context, place(given), count);
      return;
    }
    std::lock_guard guard(mutex);
    counts[given++ % counts.size()] = count;
    changed.notify_all();
  }

  bool failed() {
    std::lock_guard guard(mutex);
    return hasFailed;
  }

  /// Ends the thread when it has done what it was given.
  bool end() {
    {
      std::lock_guard guard(mutex);
      isEnding = true;
      changed.notify_all();
    }
    if (thread.joinable()) thread.join();
    return !hasFailed;
  }

  const Pages pages;

 private:
  char* place(size_t number) const { return pages.start + number % counts.size() * block; }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return isEnding || given > written; });
      if (given == written || isAbandoned) return;
      char* const bytes = place(written);
      const size_t count = counts[written % counts.size()];
      lock.unlock();
      const bool succeeded = write(context, bytes, count);
      lock.lock();
      written += 1;
      hasFailed = !succeeded;
      changed.notify_all();
      if (hasFailed) return;
    }
  }

  const size_t block;
  /// The bytes in each block.
  std::vector<size_t> counts;
  const ct_block_callback write;
  void* const context;
  std::mutex mutex;
  /// Something of what follows has changed.
  std::condition_variable changed;
  /// Numbers of blocks so far.
  size_t given = 0, written = 0;
  bool hasFailed = false, isEnding = false, isAbandoned = false;
  std::thread thread;
};

ct_block_writer ct_block_writer_create(
    size_t block_bytes, size_t block_count, ct_block_callback write, void* context) {
  try {
    auto writer = new ct_block_writer_s(block_bytes, block_count, write, context);
    if (writer->pages.start) return writer;
    delete writer;
  } catch (const std::bad_alloc&) {
  }
  return nullptr;
}

void* ct_block_writer_take(ct_block_writer writer) { return writer->take(); }
void ct_block_writer_give(ct_block_writer writer, size_t count) { writer->give(count); }
bool ct_block_writer_has_failed(ct_block_writer writer) { return writer->failed(); }
bool ct_block_writer_finish(ct_block_writer writer) { return writer->end(); }
void ct_block_writer_release(ct_block_writer writer) { delete writer; }
