/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator's command says besides its output: errors and notes on standard error, in words or as JSON.
 */
#ifndef NVFIO_SAY_H
#define NVFIO_SAY_H

#include <stdbool.h>
#include "util.h"

/* With json each is an object of its own line: {"error":{"code":...,"function":...,"message":...}}. */
void say_setup(bool json);

/*
 * code is a short stable token ("usage", "no-such-function", ...); about names a function, a file or an option, and may
 * be NULL. An error is what makes the exit status something else than 0; a warning does not.
 */
void say_error(const char *code, const char *about, const char *format, ...) _printf_(3, 4);
void say_warning(const char *code, const char *about, const char *format, ...) _printf_(3, 4);

/* Prints text on standard output, with '?' for control characters: process names are whatever their owners like. */
void say_plain(const char *text);

/* Whether all that was printed on standard output got out. 0, or -errno with an error said. */
int say_flush(void) _must_check_;

#endif
