/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The columns of `nvfio list`: their names, what they say of a function, how they sort.
 */
#ifndef NVFIO_COLUMNS_H
#define NVFIO_COLUMNS_H

#include "status.h"

enum column {
	COLUMN_BDF, COLUMN_ROLE, COLUMN_DRIVER, COLUMN_WANTED, COLUMN_GROUP, COLUMN_STATE, COLUMN_REASON, COLUMN_NAME,
	COLUMN_IDS, COLUMN_SUBSYS, COLUMN_CLASS, COLUMN_CARD, COLUMN_PF, COLUMN_NODE, COLUMN_VERDICT, COLUMN_MESSAGE,
	COLUMN_NOTE,
	COLUMN_COUNT
};

/* The columns shown unless others are asked for are the first so many of the enum. */
#define COLUMN_DEFAULT_COUNT (COLUMN_NAME + 1)

const char *column_name(enum column column);
const char *column_help(enum column column);

/* Whether it may be cut where the terminal is too narrow: no identifier, to be read by people. */
bool column_is_prose(enum column column);

/* The column of that name, in either case. 0 or -ENOENT. */
int column_find(const char *name, size_t len, enum column *ret) _must_check_;

/* What it says. buf is empty where there is nothing to say. */
void column_text(enum column column, const struct status *s, char *buf, size_t size);

/* How two of its texts sort, "" before everything: <0, 0, >0. */
int column_compare(enum column column, const char *a, const char *b);

#endif
