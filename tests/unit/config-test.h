/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the configuration share: a GPU to ask for, and a text to ask.
 */
#ifndef NVFIO_CONFIG_TEST_H
#define NVFIO_CONFIG_TEST_H

#include "test.h"

#include "config.h"

static const struct config_subject gpu = {
	.bdf = { .bus = 0x41 },
	.ids = { .vendor = 0x10de, .device = 0x2331, .subvendor = 0x10de, .subdevice = 0x1626 },
};

/* A configuration and what it says. */
struct answer {
	struct config *cfg;
	struct settings says;
	char error[512];
};

static inline void answer_free(struct answer *a)
{
	config_free(a->cfg);
}

#define ANSWER(name) __attribute__((cleanup(answer_free))) struct answer name = { 0 }

static inline int add(struct answer *a, const char *file, const char *text, size_t len)
{
	if (!a->cfg)
		a->cfg = config_new();
	return config_parse(a->cfg, file, text, len, a->error, sizeof(a->error));
}

/* Adds a text and asks. Whether it parses. */
static inline bool ask(struct answer *a, const char *text, const struct config_subject *subject)
{
	if (add(a, "a.conf", text, strlen(text)) < 0) {
		printf("# %s\n", a->error);
		return false;
	}
	config_resolve(a->cfg, subject, &a->says);
	return true;
}

static inline void refuses_bytes(const char *text, size_t len, const char *message)
{
	ANSWER(a);
	int r = add(&a, "a.conf", text, len);

	CHECK_STR(a.error, message);
	CHECK(r == -EINVAL);
}

static inline void refuses(const char *text, const char *message)
{
	refuses_bytes(text, strlen(text), message);
}

#endif
