/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An inventory as a table, a tree, pairs, or JSON. The only user of libsmartcols.
 */
#ifndef NVFIO_TABLE_H
#define NVFIO_TABLE_H

#include "inventory.h"

struct table_view {
	enum column column[COLUMN_COUNT];
	unsigned int n_columns;
	bool sorted;
	enum column sort;     /* with sorted, else by address */
	bool tree, json, raw, pairs, no_headings;
};

/* Prints it on standard output. Sorts inv. 0 or -errno. */
int table_print(struct inventory *inv, const struct table_view *view) _must_check_;

#endif
