/// Processes for Stratagem's launcher: what Swift cannot do between fork and exec or inside a signal handler.
#ifndef STRATAGEM_CPROCESS_H
#define STRATAGEM_CPROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "disk_queue.h"

/// The descriptor on which a worker finds its report pipe.
#define CP_REPORT_DESCRIPTOR 3
/// The most workers one supervising process can have at a time.
#define CP_MAXIMUM_WORKERS 4096

/// How a worker ended, as `waitid` tells it.
typedef enum { CP_RUNNING = 0, CP_EXITED = 1, CP_SIGNALLED = 2, CP_LOST = 3 } cp_exit_kind;

/// Starts `path` as a worker: its own process group, standard input from /dev/null, the three descriptors as 1, 2
/// and CP_REPORT_DESCRIPTOR, every other one closed, default signal handling, and death by SIGKILL together with
/// the calling thread (set before exec, so there is no moment at which the worker could be orphaned).
/// With `announcement` 0 or more, a socket, the worker writes its process id and a newline there before exec.
/// Returns 0 or an errno value. `pidfd` becomes -1 on a kernel without pidfd_open.
int cp_spawn(
    const char *path, char *const *arguments, char *const *environment, int standard_output, int standard_error,
    int report, int announcement, pid_t *pid, int *pidfd);

/// Forks this process as a worker: its own process group, standard input from /dev/null, the given descriptors as 1
/// and 2, default signal handling, no workers of its own, and death by SIGKILL together with the calling thread.
/// Returns twice when it succeeds, with `*pid` 0 in the worker. Returns 0 or an errno value.
int cp_fork(int standard_output, int standard_error, pid_t *pid, int *pidfd);

/// Tells how the worker ended without reaping it; `value` is its exit status or signal number.
cp_exit_kind cp_peek_exit(pid_t pid, int *value);

/// Reaps a worker that has ended.
void cp_reap(pid_t pid);

/// Sends a signal to a worker that has not been reaped.
void cp_signal(pid_t pid, int signal);

/// Kills the worker's whole process group with SIGKILL. Only for a worker that has not been reaped.
void cp_kill_group(pid_t pid);

/// Kills the process groups of all workers with SIGKILL (async-signal-safe).
void cp_kill_all_workers(void);

/// Makes a close-on-exec pipe with descriptors above the standard ones. Returns 0 or an errno value.
int cp_pipe(int *read_end, int *write_end);

/// Makes a non-blocking, close-on-exec eventfd, or returns -1.
int cp_event(void);

/// Puts a new eventfd in the place of the one that a forked process shares with its parent.
void cp_renew_event(int descriptor);

/// Runs `body(context)` on a new detached thread that takes no signals meant for the program. Returns 0 or an errno value.
int cp_start_thread(const char *name, void (*body)(void *), void *context);

/// Registers `handler`, called with the exit status when the process ends through `exit`. Returns 0 on success.
int cp_on_exit(void (*handler)(int status));

/// Writes prefix, bytes and a newline as one piece to standard output (1) or standard error (2), in order with what
/// this process prints itself.
void cp_write_line(int stream, const char *prefix, size_t prefix_count, const uint8_t *bytes, size_t count);

/// Flushes standard output (1) or standard error (2).
void cp_flush(int stream);

/// Flushes standard output and returns the errno value of the first of these functions that could not write to it, or 0.
int cp_output_failure(void);

/// Ends the process at once with `status`; flushes standard output only when nobody holds its lock.
_Noreturn void cp_end_now(int status);

/// Registers what `cp_end_now` calls first, because handlers of `exit` do not run then.
void cp_before_end(void (*handler)(void));

/// The processors this process may run on.
int cp_available_processors(void);

/// Makes a close-on-exec queue of descriptors that have something to read (an epoll instance), or returns -1.
int cp_news_create(void);

/// Adds a descriptor under a number. Returns 0 or an errno value.
int cp_news_add(int queue, int descriptor, uint32_t number);

/// Removes a descriptor. Returns 0 or an errno value.
int cp_news_remove(int queue, int descriptor);

/// Writes the numbers of the descriptors that have something to read, in the order in which they came to have it, and
/// returns how many; -1 without memory. Does not wait.
int cp_news_take(int queue, uint32_t *numbers, int capacity);

/// Nanoseconds of the monotonic clock.
uint64_t cp_now(void);

/// The environment as it is now: a null-terminated array.
char **cp_environment(void);

/// The name of a signal without "SIG" ("KILL"), or NULL.
const char *cp_signal_name(int signal);

/// Catches SIGINT and SIGTERM unless they are ignored: the first is recorded and `notify` (an eventfd) written; the
/// second kills all workers and ends the process with 128 + signal. With `announce`, the first one is acknowledged
/// by a line on standard error.
void cp_interrupts_install(int notify, int announce);

/// Puts the previous handlers back and forgets a recorded signal.
void cp_interrupts_restore(void);

/// The recorded signal, or 0.
int cp_interrupt_pending(void);

/// A counter on which threads wait until another thread has counted far enough.
typedef struct cp_gate cp_gate;

/// A gate at 0, or NULL without memory.
cp_gate *cp_gate_create(void);
void cp_gate_free(cp_gate *gate);
uint32_t cp_gate_value(const cp_gate *gate);

/// Counts one further and wakes the threads that wait. What this thread wrote before, they see.
void cp_gate_advance(cp_gate *gate);

/// Returns when the gate has come to `target`: watches it for some time before it sleeps.
void cp_gate_wait(cp_gate *gate, uint32_t target, uint64_t spin_nanoseconds);

#endif
