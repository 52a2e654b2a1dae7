/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The act: putting a judged function on VFIO, with everything that may go wrong on the way. The order of writes is
 * documented in docs/ARCHITECTURE.md.
 */
#ifndef NVFIO_BIND_H
#define NVFIO_BIND_H

#include "judge.h"

enum bind_state {
	BIND_RUNNING,  /* not over at the deadline: a child goes on alone, holding the lock */
	BIND_BOUND,    /* on VFIO, verified */
	BIND_CLAIMED,  /* override in place; the kernel has not attached drivers to it yet and will honour it */
	BIND_LEFT,     /* somebody else's, or function 0 of its card stays; as it was before */
	BIND_DEFERRED, /* in use; as it was before */
	BIND_REFUSED,  /* the VFIO module cannot be loaded, or a request met a user; as it was before */
	BIND_FAILED,   /* a step failed; rolled back */
	BIND_GONE,     /* the function went away */
	BIND_STATE_COUNT
};

struct bind_result {
	enum bind_state state;
	const char *step;              /* the last step begun; static text */
	int error;                     /* of that step, a positive errno; 0 for none */
	const char *reason;            /* policy's token, or "bound", "claimed", "failed", "gone", "in-flight" */
	char driver[DRIVER_NAME_SIZE]; /* the VFIO driver */
	char message[768];             /* what, why, what happens next */
};

/*
 * Acts on a verdict of VERDICT_BIND. Takes the function's lock, does the work in a child, and waits for it at most the
 * configured timeout and half a second. The child sends the log record when it ends, also after this returned
 * BIND_RUNNING (for which the record is sent here). 0 with *ret filled in; -EBUSY: somebody else acts on the function,
 * nothing was done; -errno: nothing was done.
 */
int bind_function(struct judgement *j, struct bind_result *ret) _must_check_;

/*
 * The same act in the calling process: a child that takes one function after the other, has this one's lock, and keeps it to
 * itself (child_keep()). While it goes on *ret, which may be shared memory, says at which step it is.
 */
void bind_here(struct judgement *j, struct bind_result *ret);

/* What bind_here() will say if nothing comes between. The driver is empty if its module is not loaded. */
void bind_expect(struct judgement *j, struct bind_result *ret);

/*
 * The word on an act whose child has none: -ETIMEDOUT if it has not come to its end in time, or how it died. Fills in *res,
 * which says at which step it was, and sends the log record.
 */
void bind_report_child(const char *bdf, enum event_kind event, int r, struct bind_result *res);

/*
 * Who is asked while bind_function() waits, each second and when a signal came, whether to wait on: gets the function's
 * name and the step that the child is at (NULL before the first). NULL, the default: nobody, it waits.
 */
typedef bool (*bind_watch)(const char *bdf, const char *step, unsigned int waited_ms);
void bind_set_watch(bind_watch watch);

/* "bound", "claimed", "left", "deferred", "refused", "failed", "gone"; running counts as claimed. */
const char *bind_state_name(enum bind_state state);

#endif
