/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which functions `nvfio bind` and `nvfio unbind` are about: from the addresses given, or from --all, with those that
 * go with them.
 */
#ifndef NVFIO_TARGETS_H
#define NVFIO_TARGETS_H

#include "pci.h"

struct target {
	char bdf[BDF_SIZE];
	bool named;    /* its own address was given */
	bool asked;    /* its own, its card's or, for NVIDIA's, its group's: not only --all */
	bool foreign;  /* not NVIDIA's */
};

struct targets {
	struct target *list; /* by address, another vendor's functions last: they follow the GPU that names them */
	size_t n, room;
};

enum target_scope {
	SCOPE_CARD,      /* with all that belongs to the card of a function named */
	SCOPE_FUNCTION,  /* with the card only where function 0 is named */
};

/* What was asked for. */
struct target_query {
	char **bdfs;             /* as address_parse() writes them */
	size_t n;
	bool all, group;         /* every NVIDIA function; the members of the groups as well */
	bool taken;              /* with all: another vendor's that nvfio took, too */
	bool blockers_only;      /* of another vendor's group members: those that are in the group's way */
	enum target_scope scope;
};

/* 0 with *ret to be freed, or -errno. An address without function is kept: whoever acts on it says so. */
int targets_find(struct targets *ret, const struct target_query *query) _must_check_;
void targets_free(struct targets *t);

#define _cleanup_targets_ __attribute__((cleanup(targets_free)))

#endif
