// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Group, users and writes of one function. Reads only, and nothing that waits for a device lock.
 */
#include "explain-parts.h"

#include <limits.h>
#include "iommu.h"
#include "node-access.h"
#include "plan.h"
#include "say.h"
#include "sysfs.h"

static int compare_names(const void *a, const void *b)
{
	const char *x = a, *y = b;

	return strcmp(x, y);
}

static void show_member(struct json *json, const struct status *s, const char *bdf)
{
	_cleanup_pci_ struct pci_function m = { .dirfd = -1 };
	const char *attr, *what, *whose;
	bool alone, named;
	int r = pci_open(bdf, &m, &attr);

	if (r == -ENODEV) /* it went away since it was listed */
		return;
	if (r < 0) {
		(void)status_say_error(bdf, attr, r);
		return;
	}
	named = config_siblings_name(&s->judgement.self.settings.key[KEY_SIBLINGS], &m.bdf);
	whose = m.ids.vendor == PCI_VENDOR_NVIDIA ? "" : ", not NVIDIA's";
	alone = iommu_leaves_dma_alone(&m);
	what = m.on_vfio ? "on VFIO" : !m.driver[0] ? "nobody's" : alone ? "leaves DMA alone" : "does its own DMA";
	if (json) {
		json_open(json, NULL, '{');
		json_string(json, "bdf", m.name);
		json_string(json, "driver", m.driver[0] ? m.driver : NULL);
		json_bool(json, "nvidia", m.ids.vendor == PCI_VENDOR_NVIDIA);
		json_bool(json, "sibling", named);
		json_bool(json, "in_the_way", !alone);
		json_close(json, '}');
		return;
	}
	printf("    %-12s  %-14s %s%s%s%s\n", m.name, m.driver[0] ? m.driver : "no driver", what, whose,
	       named ? ", named by siblings" : "",
	       streq(m.name, s->judgement.self.fn.name) ? " (this one)" : "");
}

static void show_members(struct json *json, const struct status *s)
{
	const struct pci_function *fn = &s->judgement.self.fn;
	_cleanup_dir_ DIR *dir = sysfs_list(fn->dirfd, "iommu_group/devices");
	_cleanup_free_ char (*names)[BDF_SIZE] = NULL;
	const struct dirent *de;
	size_t n = 0, room = 0, i;
	struct bdf bdf;

	while (dir && (errno = 0, de = readdir(dir))) {
		if (pci_parse_bdf(de->d_name, &bdf) < 0)
			continue;
		if (n == room) {
			void *more = reallocarray(names, room += 64, sizeof(*names));

			if (!more)
				return;
			names = more;
		}
		pci_format_bdf(&bdf, names[n++]);
	}
	if (errno && errno != ENOENT)
		say_error("failed", fn->name, "the members of its group cannot be listed: %s", strerror(errno));
	if (n > 0)
		qsort(names, n, sizeof(*names), compare_names);
	for (i = 0; i < n; i++)
		show_member(json, s, names[i]);
}

void explain_group(struct json *json, const struct status *s)
{
	const struct pci_function *fn = &s->judgement.self.fn;
	struct iommu_viability v = { .viable = false };
	const struct setting *siblings = &s->judgement.self.settings.key[KEY_SIBLINGS];
	int r = fn->has_group ? iommu_viability(fn, siblings, &v) : -ENOENT;

	if (json) {
		json_open(json, "group", '{');
		json_string(json, "number", fn->group[0] ? fn->group : NULL);
		json_bool(json, "viable", r == 0 && v.viable);
		json_open(json, "members", '[');
		show_members(json, s);
		json_close(json, ']');
		json_close(json, '}');
		return;
	}
	if (fn->has_group && r < 0) {
		show_members(json, s);
		return;
	}
	if (r < 0) {
		printf("  group: %s\n", fn->group[0] ? "one that vfio made up; nothing translates there" : "none");
		return;
	}
	printf("  group %s: %s%s\n", fn->group, !v.viable ? "not viable because of " :
	       siblings->choice == CHOICE_LIST ? "viable once this card and its siblings are on VFIO" :
	       "viable once this card is on VFIO", v.blockers);
	show_members(json, s);
}

void explain_users(struct json *json, struct status *s)
{
	struct subject *self = &s->judgement.self;
	const char *text = self->holders.text;

	if (self->facts.held == TRI_UNKNOWN && judge_gather(&self->facts, NEED_HOLDERS) < 0)
		text = "could not be looked for";
	if (json) {
		json_open(json, "users", '{');
		json_number(json, "found", self->holders.found);
		json_bool(json, "doubt", self->holders.doubt);
		json_string(json, "text", text[0] ? text : NULL);
		json_close(json, '}');
		return;
	}
	fputs("  users: ", stdout);
	say_plain(text[0] ? text : "none");
	putchar('\n');
	if (self->holders.doubt && geteuid() != 0)
		puts("    other people's processes can be looked at by root only");
}

void explain_writes(struct json *json, struct status *s)
{
	struct judgement *j = &s->judgement;
	const struct vfio_driver *drv = &j->self.facts.driver;
	bool there = j->self.fn.on_vfio, known;

	if (j->self.facts.driver_status == DRIVER_UNKNOWN && !there && judge_gather(&j->self.facts, NEED_DRIVER) < 0)
		known = false;
	else
		known = j->self.facts.driver_status == DRIVER_FOUND;
	if (json) {
		json_string(json, "load", known && !there && !drv->driver[0] ? drv->module : NULL);
		json_open(json, "writes", '[');
	} else if (there) {
		puts("  to take it: nothing has to be written, it is on VFIO");
	} else if (!known) {
		puts("  to take it: cannot be said, there is no VFIO driver for it");
	} else {
		printf("  %s\n", j->verdict.code == VERDICT_BIND ? "taking it writes, in this order" :
		       "if it were taken, this would be written, in this order");
		if (!drv->driver[0])
			printf("    load module %s\n", drv->module);
	}
	if (known && !there)
		plan_bind(json, j, drv->driver[0] ? drv->driver : drv->module);
	if (json)
		json_close(json, ']');
}
