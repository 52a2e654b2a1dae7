/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function's event, whoever asks for it: judged, acted on, said in the log, and told udev in properties.
 */
#ifndef NVFIO_EVENT_H
#define NVFIO_EVENT_H

#include <stdio.h>
#include "bind.h"

struct event {
	const char *bdf;
	struct occasion occasion; /* but for `off`, which is found out */
	bool may_act;             /* or only judge */
	const char *state;        /* NVFIO_STATE before, which a judgement alone does not change */
	FILE *to;                 /* gets the properties as udev imports them; what is there counts with EXIT_CODE_OK only */
	const char *reason;       /* is set to NVFIO_REASON, static text */

	/* Who acts: as bind_function(), which NULL stands for. */
	int (*bind)(struct judgement *j, struct bind_result *ret, void *arg);
	void *arg;
};

/* An exit code (exit-code.h); where it is not EXIT_CODE_OK the log says why. */
int event_run(struct event *e) _must_check_;

struct event_result {
	const char *state;  /* bound claimed left deferred refused failed; "" where it is not known to have changed */
	const char *reason; /* a token of policy.c, or bound, claimed, load, failed */
	const char *driver; /* the VFIO driver it is, or would be, on */
	const char *message;
};

/* The properties of a result, as event_run() writes them. */
void event_print_result(FILE *to, const struct judgement *j, const struct event_result *res);

/* One property as udev reads it: KEY="value" in one line, with other characters for those that it would trip over. */
void event_print(FILE *to, const char *key, const char *value);

/* judge() failed, or what leads to it: says what is wrong with which function (attr as judge() has it) and returns the exit code. */
int event_failed(const char *bdf, const char *attr, int r);

/* The function was removed: what is known about it goes, unless that is about its successor at the address. An exit code. */
int event_forget(const char *bdf);

#endif
