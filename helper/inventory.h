/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every function that `nvfio list` shows, with the text of every column. No descriptor stays open: a host may have more
 * VFs than a process may have files.
 */
#ifndef NVFIO_INVENTORY_H
#define NVFIO_INVENTORY_H

#include "columns.h"

struct item {
	char bdf[BDF_SIZE];
	char above[BDF_SIZE];      /* with selection.bridges: function 0 of its card, its PF, else the bridge; empty: nothing */
	char *text[COLUMN_COUNT];
};

struct inventory {
	struct item *items;        /* in the order of their addresses */
	size_t n, room;
	bool off;                  /* nvfio=off on the kernel command line */
	int worst;                 /* exit code: what could not be read was said, the rest is here */
};

struct selection {
	bool foreign;              /* the other members of the NVIDIA functions' groups as well */
	bool bridges;              /* and what carries them */
	uint32_t columns;          /* a bit each, 1U << COLUMN_...; the texts of the others are NULL */
};

/* 0 with *ret to be freed, or -errno where not even the list of functions can be read. Starts no process. */
int inventory_read(struct inventory *ret, const struct selection *selection) _must_check_;
void inventory_free(struct inventory *inv);

/* NULL if it is not in there. */
struct item *inventory_find(const struct inventory *inv, const char *bdf);

#define _cleanup_inventory_ __attribute__((cleanup(inventory_free)))

#endif
