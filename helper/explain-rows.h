/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each row of policy's table looked at, in words. Says nothing about what follows from it.
 */
#ifndef NVFIO_EXPLAIN_ROWS_H
#define NVFIO_EXPLAIN_ROWS_H

#include "status.h"

/* The facts behind the row of this name; empty for a row that this file does not know. */
void explain_row_facts(const char *row, const struct status *s, char *buf, size_t size);

#endif
