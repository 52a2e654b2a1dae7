/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that may block without end in the kernel, done in a child with a deadline for the one who waits, not for the work:
 * a writer that sits in a driver's remove() cannot be stopped, and killing it makes nvidia's wait spin.
 */
#ifndef NVFIO_CHILD_H
#define NVFIO_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "util.h"

/*
 * What the parent of an act waits beyond the configured timeout, in ms: a child's own deadline comes first, and its word is
 * better than the parent's.
 */
#define CHILD_GRACE_MS 500

/*
 * From here on children have standard error on /dev/null as well: for a program that tells people itself, and whose pipe is
 * not to stay open for as long as a child waits.
 */
void child_off_stderr(void);

/* Zeroed memory that parent and child both see. NULL on failure. Freed by the exit of both. */
void *child_memory(size_t size);

/*
 * Runs work(arg) in a child and waits for it up to timeout_ms. The child is out of reach before it begins: its own
 * process session, in the root cgroup (udevd kills what is left in its own once it is idle), standard input and
 * output on /dev/null. It finishes also when the parent has gone, and keeps every other descriptor open until
 * then (but see child_keep()).
 * 0: it has finished; -ETIMEDOUT: it goes on alone; -ECHILD: it died before it finished; -errno: it never began.
 */
int child_run(void (*work)(void *arg), void *arg, unsigned int timeout_ms) _must_check_;

/*
 * The same, with somebody in the parent who is asked each second, and whenever a signal came, whether to wait on: it gets
 * work's arg and the time waited so far. -EINTR: it said no, the child goes on alone.
 */
typedef bool (*child_watch)(void *arg, unsigned int waited_ms);
int child_run_watched(void (*work)(void *arg), void *arg, unsigned int timeout_ms, child_watch watch) _must_check_;

/*
 * The same for who has several children, and waits for them himself: end is a pipe that is at its end once the child has
 * ended, for poll(2) and the caller to close. 0 or -errno: it never began.
 */
struct child {
	pid_t pid;
	int end;
};
int child_start(void (*work)(void *arg), void *arg, struct child *ret) _must_check_;

/* Of a child whose pipe is at its end, which is closed: 0; -ECHILD: it died before it had finished; -errno. */
int child_reap(struct child *child) _must_check_;

/*
 * In a child: this descriptor (the function's lock) is the child's alone. A child that the child itself starts closes it,
 * so that one that blocks does not keep the lock. -1: none any more.
 */
void child_keep(int fd);

#endif
