#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "CProcess.h"

static const int signals[] = {SIGINT, SIGTERM};
enum { SIGNAL_COUNT = sizeof signals / sizeof signals[0] };
enum { SILENT, IN_LOG, ON_TERMINAL };

static struct sigaction previous[SIGNAL_COUNT];
static int replaced[SIGNAL_COUNT];
static _Atomic int pending;
static _Atomic int notification = -1;
static _Atomic int announcing;

static void say(const char *text, size_t count) {
  ssize_t written = write(2, text, count);
  (void)written;
}

// Async-signal-safe: atomics, write, kill and _exit only.
static void handle(int number) {
  int error = errno;
  int none = 0;
  if (!atomic_compare_exchange_strong(&pending, &none, number)) {
    cp_kill_all_workers();
    _exit(128 + number);
  }
  if (atomic_load(&announcing)) {
    static const char interrupt[] = "Stratagem: stopping after this batch (Ctrl-C again ends the run at once)\n";
    static const char termination[] = "Stratagem: asked to terminate, stopping after this batch\n";
    if (atomic_load(&announcing) == ON_TERMINAL) say("\n", 1);  // behind the ^C, or a progress bar
    if (number == SIGINT)
      say(interrupt, sizeof interrupt - 1);
    else
      say(termination, sizeof termination - 1);
  }
  uint64_t one = 1;
  ssize_t written = write(atomic_load(&notification), &one, sizeof one);
  (void)written;
  errno = error;
}

void cp_interrupts_install(int notify, int announce) {
  atomic_store(&pending, 0);
  atomic_store(&notification, notify);
  atomic_store(&announcing, !announce ? SILENT : isatty(2) ? ON_TERMINAL : IN_LOG);
  for (int index = 0; index < SIGNAL_COUNT; index++) {
    struct sigaction action = {0};
    sigaction(signals[index], NULL, &previous[index]);
    replaced[index] = previous[index].sa_handler != SIG_IGN;
    if (!replaced[index]) continue;
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(signals[index], &action, NULL);
  }
}

void cp_interrupts_restore(void) {
  for (int index = 0; index < SIGNAL_COUNT; index++)
    if (replaced[index]) sigaction(signals[index], &previous[index], NULL);
  atomic_store(&pending, 0);
}

int cp_interrupt_pending(void) { return atomic_load_explicit(&pending, memory_order_relaxed); }
