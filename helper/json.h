/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing JSON (RFC 8259) piece by piece. Names and nesting are the caller's, commas and quotes are put here.
 */
#ifndef NVFIO_JSON_H
#define NVFIO_JSON_H

#include <stdbool.h>
#include <stdio.h>
#include "util.h"

struct json {
	FILE *to;
	bool comma; /* something stands before in this object or array */
};

/* name is NULL in an array and at the outermost level. */
void json_open(struct json *j, const char *name, char bracket);
void json_close(struct json *j, char bracket);

/* A string; NULL is written as null. What is no UTF-8 becomes U+FFFD. */
void json_string(struct json *j, const char *name, const char *value);
void json_number(struct json *j, const char *name, unsigned int value);
void json_bool(struct json *j, const char *name, bool value);

#endif
