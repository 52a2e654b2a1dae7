/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests that speak TAP. A test program is a table of functions; a failed CHECK ends its function, says where, and
 * the program's exit status tells.
 *
 *	static void parses_plain(void) { CHECK(f(1) == 2); }
 *	TEST_MAIN(TEST(parses_plain), TEST(...))
 */
#ifndef NVFIO_TEST_H
#define NVFIO_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*run)(void);
};

static bool test_failed;

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
			test_failed = true; \
			return; \
		} \
	} while (0)

#define CHECK_STR(a, b) \
	do { \
		const char *test_a = (a), *test_b = (b); \
		if (strcmp(test_a, test_b) != 0) { \
			printf("# %s:%d: '%s' is not '%s'\n", __FILE__, __LINE__, test_a, test_b); \
			test_failed = true; \
			return; \
		} \
	} while (0)

#define TEST(f) { #f, f }

#define TEST_MAIN(...) \
	int main(void) \
	{ \
		static const struct test_case cases[] = { __VA_ARGS__ }; \
		unsigned int i, n = sizeof(cases) / sizeof(cases[0]), failed = 0; \
		printf("1..%u\n", n); \
		for (i = 0; i < n; i++) { \
			test_failed = false; \
			cases[i].run(); \
			printf("%s %u - %s\n", test_failed ? "not ok" : "ok", i + 1, cases[i].name); \
			failed += test_failed; \
		} \
		return failed ? 1 : 0; \
	}

#endif
