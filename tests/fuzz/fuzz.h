/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets share: the entry point libFuzzer calls, and a check that ends the run.
 */
#ifndef NVFIO_FUZZ_H
#define NVFIO_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include "util.h"

/* Called with each input; always 0 (https://llvm.org/docs/LibFuzzer.html). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): NDEBUG must not make a run pass. libFuzzer keeps the input of an abort. */
#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: violated: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

/* A copy of exactly n bytes on the heap, so that ASan sees the first byte read past it; or as a string. */
static inline char *fuzz_copy(const uint8_t *data, size_t n, bool terminated)
{
	char *copy = malloc(n + terminated);

	MUST(copy || n + terminated == 0);
	if (n > 0)
		memcpy(copy, data, n);
	if (terminated)
		copy[n] = '\0';
	return copy;
}

#endif
