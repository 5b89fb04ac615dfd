#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CProcess.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4U
#endif

// Process ids of the running workers, kept here because a signal handler must be able to read them.
static _Atomic pid_t workers[CP_MAXIMUM_WORKERS];

struct start {
  const char *path;
  char *const *arguments;
  char *const *environment;
  int input, output, error, report, announcement;
  pid_t parent;
};

// Writes a process id and a newline. Only system calls.
static void announce(int descriptor, pid_t pid) {
  char text[16];
  size_t first = sizeof text;
  text[--first] = '\n';
  for (; pid > 0; pid /= 10) text[--first] = (char)('0' + pid % 10);
  ssize_t sent;
  do sent = send(descriptor, text + first, sizeof text - first, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
}

// The child between vfork and exec. It shares the parent's memory, so it only makes system calls.
static _Noreturn void become_worker(const struct start *start, volatile int *failure) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != start->parent) _exit(127);
  setpgid(0, 0);
  if (start->announcement >= 0) announce(start->announcement, getpid());

  for (int number = 1; number < NSIG; number++) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_DFL) continue;
    // nohup, and a limit of file sizes that is to be an error of the write instead of the end
    if ((number == SIGHUP || number == SIGXFSZ) && action.sa_handler == SIG_IGN) continue;
    action.sa_handler = SIG_DFL;
    action.sa_flags = 0;
    sigaction(number, &action, NULL);
  }

  if (dup2(start->input, 0) < 0 || dup2(start->output, 1) < 0 || dup2(start->error, 2) < 0
      || dup2(start->report, CP_REPORT_DESCRIPTOR) < 0) {
    *failure = errno;
    _exit(127);
  }
  if (syscall(SYS_close_range, CP_REPORT_DESCRIPTOR + 1U, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
    long limit = sysconf(_SC_OPEN_MAX);
    if (limit < 0 || limit > 65536) limit = 65536;
    for (int descriptor = CP_REPORT_DESCRIPTOR + 1; descriptor < limit; descriptor++)
      fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }

  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(start->path, start->arguments, start->environment);
  *failure = errno;
  _exit(127);
}

static _Atomic pid_t *find_slot(pid_t value, pid_t replacement) {
  for (int index = 0; index < CP_MAXIMUM_WORKERS; index++) {
    pid_t expected = value;
    if (atomic_compare_exchange_strong(&workers[index], &expected, replacement)) return &workers[index];
  }
  return NULL;
}

int cp_spawn(
    const char *path, char *const *arguments, char *const *environment, int standard_output, int standard_error,
    int report, int announcement, pid_t *pid, int *pidfd) {
  *pid = -1;
  *pidfd = -1;
  _Atomic pid_t *slot = find_slot(0, -1);
  if (slot == NULL) return EAGAIN;

  int opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int input = opened < 0 ? -1 : fcntl(opened, F_DUPFD_CLOEXEC, 10);
  int problem = input < 0 ? errno : 0;
  if (opened >= 0) close(opened);
  if (problem != 0) {
    atomic_store(slot, 0);
    return problem;
  }

  struct start start = {path,   arguments,    environment, input,   standard_output, standard_error,
                        report, announcement, getpid()};
  volatile int failure = 0;
  sigset_t all, before;
  int cancellation;
  sigfillset(&all);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pid_t child = vfork();
  if (child == 0) become_worker(&start, &failure);
  if (child < 0) failure = errno;
  if (child > 0 && failure == 0) atomic_store(slot, child);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_setcancelstate(cancellation, NULL);
  close(input);

  if (failure != 0) {
    if (child > 0) waitpid(child, NULL, 0);
    atomic_store(slot, 0);
    return failure;
  }
  *pid = child;
  *pidfd = (int)syscall(SYS_pidfd_open, child, 0);  // close-on-exec by itself
  return 0;
}

// What a forked worker must not share with its parent: signal handlers, the list of workers, the terminal.
static int become_forked_worker(pid_t parent, int input, int output, int error) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  setpgid(0, 0);
  for (int index = 0; index < CP_MAXIMUM_WORKERS; index++) atomic_store(&workers[index], 0);
  static const int numbers[] = {SIGINT, SIGTERM};
  for (size_t index = 0; index < sizeof numbers / sizeof numbers[0]; index++) signal(numbers[index], SIG_DFL);
  if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(error, 2) < 0) return errno;
  setvbuf(stdout, NULL, _IOLBF, 0);
  return 0;
}

int cp_fork(int standard_output, int standard_error, pid_t *pid, int *pidfd) {
  *pid = -1;
  *pidfd = -1;
  _Atomic pid_t *slot = find_slot(0, -1);
  if (slot == NULL) return EAGAIN;
  int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int problem = input < 0 ? errno : 0;
  if (problem == 0) {
    pid_t parent = getpid();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t child = fork();
    if (child < 0) problem = errno;
    if (child > 0) {
      setpgid(child, child);  // here too, so that the group can be killed from now on
      atomic_store(slot, child);
    }
    if (child == 0 && (problem = become_forked_worker(parent, input, standard_output, standard_error)) != 0)
      _exit(127);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(input);
    *pid = child;
  }
  if (problem != 0)
    atomic_store(slot, 0);
  else if (*pid > 0)
    *pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);  // close-on-exec by itself
  return problem;
}

cp_exit_kind cp_peek_exit(pid_t pid, int *value) {
  siginfo_t info = {0};
  int result;
  do result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
  while (result != 0 && errno == EINTR);
  if (result != 0) return CP_LOST;
  if (info.si_pid == 0) return CP_RUNNING;
  *value = info.si_status;
  return info.si_code == CLD_EXITED ? CP_EXITED : CP_SIGNALLED;
}

void cp_reap(pid_t pid) {
  find_slot(pid, 0);  // first, so that a signal handler never kills a process that took over the number
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
  }
}

void cp_signal(pid_t pid, int signal) {
  if (pid > 1) kill(pid, signal);
}

void cp_kill_group(pid_t pid) {
  if (pid > 1) kill(-pid, SIGKILL);
}

void cp_kill_all_workers(void) {
  for (int index = 0; index < CP_MAXIMUM_WORKERS; index++) cp_kill_group(atomic_load(&workers[index]));
}

// In a worker: lines appear when they are printed, and the worker's own children do not inherit the report pipe.
__attribute__((constructor)) static void prepare_worker(void) {
  const char *supervisor = getenv("STRATAGEM_SUPERVISOR");
  if (supervisor == NULL || atoi(supervisor) != getppid()) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // again: exec clears it for programs with file capabilities
  fcntl(CP_REPORT_DESCRIPTOR, F_SETFD, FD_CLOEXEC);
  setvbuf(stdout, NULL, _IOLBF, 0);
}
