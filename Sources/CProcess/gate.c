#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CProcess.h"

struct cp_gate {
  _Atomic uint32_t value;
  _Atomic uint32_t sleepers;
};

cp_gate *cp_gate_create(void) {
  // A cache line of its own: whoever watches a gate must not slow down those who use its neighbour.
  cp_gate *gate = aligned_alloc(128, 128);
  if (gate != NULL) *gate = (cp_gate){0, 0};
  return gate;
}

void cp_gate_free(cp_gate *gate) { free(gate); }

uint32_t cp_gate_value(const cp_gate *gate) { return atomic_load_explicit(&gate->value, memory_order_acquire); }

void cp_gate_advance(cp_gate *gate) {
  atomic_fetch_add(&gate->value, 1);
  if (atomic_load(&gate->sleepers) > 0) {
    syscall(SYS_futex, &gate->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  }
}

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Watches the gate for up to `nanoseconds`; other threads that are ready to run on this processor go first.
static int watch(const cp_gate *gate, uint32_t target, uint64_t nanoseconds) {
  if (nanoseconds == 0) return 0;
  const uint64_t end = cp_now() + nanoseconds;
  do {
    for (int turn = 0; turn < 64; turn++) {
      if ((int32_t)(cp_gate_value(gate) - target) >= 0) return 1;
      relax();
    }
    sched_yield();
  } while (cp_now() < end);
  return 0;
}

void cp_gate_wait(cp_gate *gate, uint32_t target, uint64_t spin_nanoseconds) {
  if ((int32_t)(cp_gate_value(gate) - target) >= 0 || watch(gate, target, spin_nanoseconds)) return;
  atomic_fetch_add(&gate->sleepers, 1);
  for (;;) {
    const uint32_t value = atomic_load(&gate->value);
    if ((int32_t)(value - target) >= 0) break;
    syscall(SYS_futex, &gate->value, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
  }
  atomic_fetch_sub(&gate->sleepers, 1);
}
