/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the three files of the configuration share; nobody else includes this. config-keys.c knows
 * the keys and their values, config-parse.c turns a text into sections, config.c finds the files
 * and asks the sections.
 */
#ifndef NVFIO_CONFIG_INTERNAL_H
#define NVFIO_CONFIG_INTERNAL_H

#include <sys/stat.h>
#include "config.h"

/* One section of one file. Of bdf and ids only what the level means is set, the rest is zero. */
struct section {
	enum config_level level;         /* POLICY, MODEL, SUBSYSTEM or ADDRESS */
	struct bdf bdf;
	struct pci_ids ids;
	const char *file;
	unsigned int line;               /* of its header */
	struct pci_ids guard;            /* `id`: vendor and device */
	unsigned int guard_line;         /* 0: no guard */
	struct setting key[KEY_COUNT];   /* set where .file is */
};

struct config {
	struct section *sections;        /* in the order they were read: of equals the later wins */
	size_t n_sections, room;
	struct kept_string *strings;
};

/* Keeps a copy as long as the config lives. NULL on ENOMEM. */
const char *config_keep(struct config *cfg, const char *text);

/* The key of that name in ret. 0 or -ENOENT. */
int config_key_find(const char *name, enum config_key *ret) _must_check_;

/* Whether the key is for [policy] only, being no property of a function. */
bool config_key_is_policy_only(enum config_key key);

/* What to write instead of a bad value: "vfio or native". */
const char *config_key_expects(enum config_key key);

/* The setting before anybody set it. */
struct setting config_key_default(enum config_key key);

/*
 * Sets choice, ms and text of ret from a value as written; text points into the value or to a
 * constant. 0, or -EINVAL with *ret untouched.
 */
int config_key_parse(enum config_key key, const char *value, struct setting *ret) _must_check_;

/* Parses "vvvv:dddd[:ssss:ssss]". The number of ids (2 or 4), or -EINVAL with *ret untouched. */
int config_parse_ids(const char *text, struct pci_ids *ret) _must_check_;

/* NULL if only root can have written it (under --sysroot: or the caller), else what is wrong. */
const char *config_distrust(const struct stat *st);

static inline bool config_same_bdf(const struct bdf *a, const struct bdf *b)
{
	return pci_same_card(a, b) && a->function == b->function;
}

static inline bool config_same_model(const struct pci_ids *a, const struct pci_ids *b)
{
	return a->vendor == b->vendor && a->device == b->device;
}

static inline bool config_same_ids(const struct pci_ids *a, const struct pci_ids *b)
{
	return config_same_model(a, b) && a->subvendor == b->subvendor &&
	       a->subdevice == b->subdevice;
}

#endif
