#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "CProcess.h"

extern char **environ;

int cp_pipe(int *read_end, int *write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  *read_end = fcntl(ends[0], F_DUPFD_CLOEXEC, 10);
  *write_end = fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
  int failure = *read_end < 0 || *write_end < 0 ? errno : 0;
  close(ends[0]);
  close(ends[1]);
  if (failure != 0) {
    if (*read_end >= 0) close(*read_end);
    if (*write_end >= 0) close(*write_end);
    return failure;
  }
  fcntl(*read_end, F_SETFL, O_NONBLOCK);
  return 0;
}

int cp_event(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void cp_renew_event(int descriptor) {
  int fresh = cp_event();
  if (fresh < 0) return;
  dup3(fresh, descriptor, O_CLOEXEC);
  close(fresh);
}

struct thread_start {
  void (*body)(void *);
  void *context;
};

static void *run_thread(void *argument) {
  struct thread_start start = *(struct thread_start *)argument;
  free(argument);
  start.body(start.context);
  return NULL;
}

int cp_start_thread(const char *name, void (*body)(void *), void *context) {
  struct thread_start *start = malloc(sizeof *start);
  if (start == NULL) return ENOMEM;
  *start = (struct thread_start){body, context};

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  // Not all signals: a crash reporter stops every thread with one.
  const int blocked[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGCHLD, SIGTSTP, SIGWINCH};
  sigset_t mask, before;
  sigemptyset(&mask);
  for (size_t index = 0; index < sizeof blocked / sizeof blocked[0]; index++) sigaddset(&mask, blocked[index]);
  pthread_sigmask(SIG_BLOCK, &mask, &before);
  pthread_t thread;
  int failure = pthread_create(&thread, &attributes, run_thread, start);
  char shown[16];  // a longer name would be refused
  snprintf(shown, sizeof shown, "%s", name);
  if (failure == 0) pthread_setname_np(thread, shown);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (failure != 0) free(start);
  return failure;
}

static void forward_exit(int status, void *handler) { ((void (*)(int))handler)(status); }

int cp_on_exit(void (*handler)(int status)) { return on_exit(forward_exit, (void *)handler); }

static _Atomic int output_failure;

static void note_output(int succeeded, FILE *file) {
  int none = 0, code = errno;
  if (!succeeded && file == stdout) atomic_compare_exchange_strong(&output_failure, &none, code);
}

void cp_write_line(int stream, const char *prefix, size_t prefix_count, const uint8_t *bytes, size_t count) {
  FILE *file = stream == 2 ? stderr : stdout;
  // Standard error is unbuffered; a buffer of our own keeps the line in one write.
  char small[4096];
  size_t total = prefix_count + count + 1;
  char *line = total <= sizeof small ? small : malloc(total);
  if (line == NULL) return;
  memcpy(line, prefix, prefix_count);
  if (count > 0) memcpy(line + prefix_count, bytes, count);
  line[total - 1] = '\n';
  note_output(fwrite(line, 1, total, file) == total, file);
  if (line != small) free(line);
}

void cp_flush(int stream) {
  FILE *file = stream == 2 ? stderr : stdout;
  note_output(fflush(file) == 0, file);
}

int cp_output_failure(void) {
  cp_flush(1);
  return atomic_load(&output_failure);
}

static void (*_Atomic before_end)(void);

void cp_before_end(void (*handler)(void)) { atomic_store(&before_end, handler); }

void cp_end_now(int status) {
  void (*handler)(void) = atomic_exchange(&before_end, NULL);
  if (handler != NULL) handler();
  if (ftrylockfile(stdout) == 0) fflush_unlocked(stdout);
  _exit(status);
}

int cp_available_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}

uint64_t cp_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

char **cp_environment(void) { return environ; }

const char *cp_signal_name(int signal) { return sigabbrev_np(signal); }
