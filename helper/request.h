/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `nvfio bind` and `nvfio unbind` have in common: who is meant, waiting where it can be seen and interrupted, and a
 * line for each function as it happens.
 */
#ifndef NVFIO_REQUEST_H
#define NVFIO_REQUEST_H

#include "judge.h"
#include "targets.h"
#include "verbs.h"

/* What became of one function. */
struct outcome {
	const char *bdf;
	const char *state;   /* as NVFIO_STATE */
	const char *reason;  /* one word */
	const char *driver;  /* that it is on, or would be; "" for none */
	const char *message;
	const char *drop_in; /* written or removed by --persist; NULL for none */
	int code;            /* exit code: other than 0 is said on standard error */
};

/*
 * Looks at the command line and the rights of the caller. EXIT_CODE_OK with *ret to be freed; another exit code, the error
 * said. From then on signals do not end the process, but the waiting.
 */
int request_begin(const struct options *opt, char **words, int n, struct target_query *query, struct targets *ret);

/*
 * Looks at one target, acts, and says what came of it: its exit code, or -EBUSY if somebody else acts on it, and nothing was
 * said. *ret_timeout_ms is how long to wait for them then.
 */
typedef int (*request_act)(const struct options *opt, const struct target *target, unsigned int *ret_timeout_ms);

/*
 * Each target one after the other; where somebody else acts on one, that is waited for, with a word about who it is. The worst
 * of the exit codes; EXIT_CODE_INTERRUPTED, with those that were not begun said, after a signal.
 */
int request_run(const struct options *opt, const struct targets *targets, request_act act);

/* Judges a target for EVENT_REQUEST as opt has it. As judge(); quick: without looking for users. */
int request_judge(struct judgement *j, const struct options *opt, const struct target *target, bool quick,
		  const char **ret_attr) _must_check_;

/* The watch (bind.h): says once for each step what is waited for, after a second; false after a signal. */
bool request_watch(const char *bdf, const char *step, unsigned int waited_ms);

/* Prints the outcome; its code. */
int request_show(const struct options *opt, const struct outcome *o);

/* Begins and ends what a dry run prints of a function: with --json an object with an array of writes. NULL: in words. */
struct json;
void request_dry_begin(struct json *json, const char *bdf, const char *text, bool writes);
void request_dry_end(struct json *json);

#endif
