/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One judgement: gathers the facts policy.c asks for, as it asks for them, and keeps them together with the verdict.
 * Changes nothing. What `event` acts on, what `decide` prints, and what `nvfio list` and `explain` show are this.
 */
#ifndef NVFIO_JUDGE_H
#define NVFIO_JUDGE_H

#include "critical.h"
#include "holders.h"
#include "policy.h"
#include "state.h"

/* What is known about the event before looking at the function. */
struct occasion {
	enum event_kind event;
	enum admin admin;      /* ENV{NVFIO} of an administrator's rule */
	bool off;              /* host_is_off() */
	bool asked, forced;    /* of a request, as in struct facts */
	bool was_deferred;     /* NVFIO_STATE of the function's last event was "deferred" */
	bool was_met;          /* it was anything at all */
	bool locked;           /* the caller itself holds the function's lock */
	bool quick;            /* start no process: what takes one is not gathered, the verdict may then be VERDICT_NEED */
	bool no_driver;        /* judge as if no driver were bound: what if its native driver let go? */
	bool read_override;    /* read driver_override of a driverless function too (an acting child does that itself) */
};

/* A function and all that was found out about it. */
struct subject {
	struct pci_function fn;
	struct settings settings;
	struct facts facts;
	struct record record;           /* all zero without has_record */
	bool has_record;
	bool bad_record;                /* there is something in its place that is none */
	char override[DRIVER_NAME_SIZE];
	struct holders holders;
	struct critical critical;
	char console[128];              /* what is on it */
	char vgpu[128];                 /* the sign */
};

struct judgement {
	struct config *config;
	char config_error[512];         /* "file:line: message"; empty if it parses */
	char config_version[48];        /* with config_error: changes when the file does; fit for a file name */
	struct subject self;
	struct subject function0;       /* of the same slot; its fn.dirfd is -1 where there is none */
	struct pci_function namer;      /* a GPU's function 0 that names it as a sibling; dirfd -1 where there is none */
	struct verdict verdict;
	bool quick;                     /* as the occasion said */
	bool locked;                    /* in an acting child, which holds the lock of self */
};

/*
 * Judges the function with this name. 0 with *j to be freed; -ENODEV: no such function, or it went away;
 * -EINVAL: an attribute is not what the kernel prints, *ret_attr names it; -errno.
 * *j holds pointers into itself: it must not be copied.
 */
int judge(struct judgement *j, const char *name, const struct occasion *occasion, const char **ret_attr) _must_check_;

/*
 * Judges once more what may have changed (driver, record, holders), with the same configuration, for the holder of the
 * function's lock. 0, -ENODEV or -errno.
 */
int judge_again(struct judgement *j) _must_check_;

void judge_free(struct judgement *j);

/* Gathers one fact of a subject that policy asked for. 0 or -errno. */
int judge_gather(struct facts *facts, enum need need) _must_check_;

/* What judge() failed with, a negative errno, in words. Valid until the next call of strerror(3). */
const char *judge_error_text(int r);

/* The verdict as a sentence for people, with file and line, holders, sign or neighbour named. */
void judge_text(const struct judgement *j, char *buf, size_t size);

#define _cleanup_judge_ __attribute__((cleanup(judge_free)))

#endif
