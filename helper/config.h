/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /etc/nvfio.conf and its drop-ins, and what they say about one function. The only user of libinih.
 */
#ifndef NVFIO_CONFIG_H
#define NVFIO_CONFIG_H

#include <stdbool.h>
#include "pci.h"

/* Values of the keys that are a choice. */
enum choice {
	CHOICE_NATIVE, CHOICE_VFIO, CHOICE_AUTO,   /* gpu, companion, vf, nvswitch, boot-vga, boot */
	CHOICE_HOTPLUG, CHOICE_IDLE, CHOICE_NEVER, /* takeover */
	CHOICE_KEEP, CHOICE_OFF,                   /* vf-autoprobe, besides auto */
	CHOICE_CARD, CHOICE_GROUP, CHOICE_LIST,    /* siblings */
};

enum config_key {
	KEY_GPU, KEY_COMPANION, KEY_VF, KEY_NVSWITCH, KEY_BOOT_VGA, KEY_TAKEOVER, KEY_SIBLINGS, KEY_DRIVER, KEY_BOOT,
	KEY_VF_AUTOPROBE, KEY_TIMEOUT, KEY_NODE_GROUP, KEY_NODE_MODE,
	KEY_COUNT
};

/* How specific the place of a setting is; of two the higher wins, of equals the later file and line. */
enum config_level {
	LEVEL_DEFAULT,    /* compiled in */
	LEVEL_POLICY,     /* [policy] */
	LEVEL_MODEL,      /* [device 10de:2331] */
	LEVEL_SUBSYSTEM,  /* [device 10de:2331:10de:1626] */
	LEVEL_PF_ADDRESS, /* [device <BDF of the VF's PF>], for vf only */
	LEVEL_ADDRESS,    /* [device 0000:41:00.0] */
};

struct setting {
	enum config_level level;
	enum choice choice;  /* keys that are a choice */
	unsigned int ms;     /* timeout */
	const char *text;    /* driver ("" for auto), node-group, node-mode, siblings where a list; else "". Lives as long as the config */
	const char *file;    /* where it was set; NULL for a default. Lives as long as the config */
	unsigned int line;
};

/* What the configuration says about one function. */
struct settings {
	struct setting key[KEY_COUNT];
	const char *id_guard_file; /* an address section whose `id` names another device was left out: its file, else NULL */
	unsigned int id_guard_line;
};

/* Whom the settings are for. A VF's PF speaks for it where its section says vf. */
struct config_subject {
	struct bdf bdf;
	struct pci_ids ids;
	bool is_vf;
	bool has_pf;
	struct bdf pf;
	struct pci_ids pf_ids;
};

struct config;

/*
 * Reads the configuration in its lookup order: /etc/nvfio.conf, or where there is none /usr/lib/nvfio/nvfio.conf
 * (neither is fine), then the drop-ins nvfio.conf.d/X.conf of /etc, /run and /usr/lib, sorted by name, where the same
 * name in /etc shadows /run shadows /usr/lib and a link to /dev/null masks it.
 * 0 with a config to free; -EINVAL with "file:line: message" (or "file: message") in error[] and *ret untouched;
 * -errno likewise with a text (-EPERM: not root's alone). An error in any file is an error of the whole: nothing is
 * taken on half a configuration. error[] is not written to on success.
 */
int config_load(struct config **ret, char *error, size_t error_size) _must_check_;

/*
 * Parses one text as if it were the file `name`, on top of cfg; on an error cfg says what it said before. For
 * config_load, its tests and the fuzzer.
 */
int config_parse(struct config *cfg, const char *name, const char *text, size_t len, char *error, size_t error_size)
	_must_check_;

/* An empty configuration: every key at its default. NULL on ENOMEM. */
struct config *config_new(void);
void config_free(struct config *cfg);

/* The settings for one function. cfg may be NULL: the defaults. Always complete. */
void config_resolve(const struct config *cfg, const struct config_subject *subject, struct settings *ret);

/* A key's or choice's name as written in the file. */
const char *config_key_name(enum config_key key);
const char *config_choice_name(enum choice choice);

/* A setting's value as it would be written in the file: "vfio", "10s", "auto". */
void config_value(enum config_key key, const struct setting *setting, char *buf, size_t size);

/* One section as it stands. */
struct config_section {
	char name[48];               /* "policy", "device 0000:41:00.0" */
	const char *file;            /* lives as long as the config, as all here */
	unsigned int line;
	char id[16];                 /* the guard, "10de:2331"; empty if there is none */
	unsigned int id_line;
	const struct setting *key;   /* KEY_COUNT of them; those without file are not set here */
};

/* Section i, in the order they were read. 0, or -ENOENT after the last. */
int config_section(const struct config *cfg, size_t i, struct config_section *ret) _must_check_;

/* Whether `siblings` is a list that names this function. */
bool config_siblings_name(const struct setting *siblings, const struct bdf *bdf);

static inline void cleanup_configp(struct config **cfg)
{
	config_free(*cfg);
}
#define _cleanup_config_ __attribute__((cleanup(cleanup_configp)))

#endif
