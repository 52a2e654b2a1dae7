/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs of the operator's command. Each prints on standard output, says errors on standard error, and returns the
 * exit code (exit-code.h).
 */
#ifndef NVFIO_VERBS_H
#define NVFIO_VERBS_H

#include "policy.h"
#include "table.h"

enum vmm { VMM_NONE, VMM_QEMU, VMM_CLOUD_HYPERVISOR, VMM_LIBVIRT };

struct options {
	bool json;
	const char *columns;       /* --output; NULL: the default ones */
	const char *sort;          /* --sort; NULL: by address */
	bool all_columns, foreign; /* --output-all, --all */
	bool tree, raw, pairs, no_headings;
	enum event_kind event;     /* --event */
	const char *check;         /* --check */
	const char *user;          /* --user */
	enum vmm vmm;              /* --vmm */
	bool iommufd;              /* --iommufd */
	char **device_ids;         /* --device-id, each */
	size_t n_device_ids;
	bool card, group, force, dry_run, persist; /* of bind and unbind, as is foreign: --all */
	const char *to;            /* --to; NULL: the driver of before */
};

int verb_list(const struct options *opt);
int verb_explain(const struct options *opt, char **bdfs, int n);
int verb_config(const struct options *opt);
int verb_check(const struct options *opt);
int verb_args(const struct options *opt, char **bdfs, int n);

/* What --vmm takes ("qemu", "cloud-hypervisor", "libvirt"). 0 or -ENOENT. */
int vmm_find(const char *word, enum vmm *ret) _must_check_;
int verb_bind(const struct options *opt, char **bdfs, int n);
int verb_unbind(const struct options *opt, char **bdfs, int n);

/* What --event takes ("hotplug", "trigger", "boot", "release"). 0 or -ENOENT. */
int event_find(const char *word, enum event_kind *ret) _must_check_;
const char *event_word(enum event_kind event);

/*
 * An address as typed: as sysfs spells it, or without its domain, which then is 0000. EXIT_CODE_OK; EXIT_CODE_USAGE after
 * it was said what is wrong with which part.
 */
int address_parse(const char *text, char bdf[static BDF_SIZE]) _must_check_;

/*
 * Whether the configuration can be read by this user at all. EXIT_CODE_OK, also where it does not parse, which is
 * warned of: then nothing is taken, and that is what there is to be shown.
 */
int config_readable(void);

#endif
