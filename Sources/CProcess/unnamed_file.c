// Files without a name, for numbers that are kept on a disk during a run.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "disk_queue.h"

static int open_unnamed(const char *folder, int flags) {
  const int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);
  if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)) return descriptor;
  if (errno == ENOENT && access(folder, F_OK) != 0) {
    errno = ENOENT;
    return -1;
  }
  // A file system that has no files without a name.
  char *path = NULL;
  if (asprintf(&path, "%s/.stratagem-offload-XXXXXX", folder) < 0) return -1;
  const int named = mkostemp(path, O_CLOEXEC | flags);
  const int error = errno;
  if (named >= 0) unlink(path);
  free(path);
  errno = error;
  return named;
}

int cp_open_unnamed(const char *folder, bool *is_direct) {
  int descriptor = open_unnamed(folder, O_DIRECT);
  *is_direct = descriptor >= 0;
  if (descriptor < 0 && errno == EINVAL) descriptor = open_unnamed(folder, 0);
  return descriptor;
}

void cp_prefer_huge_pages(void *memory, size_t count) {
  const uintptr_t page = 2 << 20;
  const uintptr_t first = ((uintptr_t)memory + page - 1) / page * page;
  const uintptr_t last = ((uintptr_t)memory + count) / page * page;
  if (first < last) madvise((void *)first, last - first, MADV_HUGEPAGE);
}

int cp_reserve(int descriptor, off_t count) {
  if (count == 0) return 0;
  for (;;) {
    if (fallocate(descriptor, 0, 0, count) == 0) return 0;
    if (errno != EINTR) break;
  }
  // Without a way to reserve, what does not fit is told when it is written.
  if (errno == EOPNOTSUPP || errno == ENOSYS) return ftruncate(descriptor, count) == 0 ? 0 : errno;
  return errno;
}

int cp_free_space(const char *folder, uint64_t *available, uint64_t *file_limit) {
  struct statvfs space;
  struct rlimit limit;
  if (statvfs(folder, &space) != 0 || getrlimit(RLIMIT_FSIZE, &limit) != 0) return errno;
  *available = (uint64_t)space.f_bavail * space.f_frsize;
  *file_limit = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : (uint64_t)limit.rlim_cur;
  return 0;
}
