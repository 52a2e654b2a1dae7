// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A card is passed through as a whole, so function 0 brings its companions; VFs and NVSwitches stand for themselves.
 */
#include "targets.h"

#include "columns.h"
#include "iommu.h"
#include "policy.h"
#include "siblings.h"
#include "state.h"
#include "sysfs.h"

#define DEVICES "/sys/bus/pci/devices"

static int add(struct targets *t, const char *bdf, bool named, bool asked)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		if (streq(t->list[i].bdf, bdf)) {
			t->list[i].named |= named;
			t->list[i].asked |= asked;
			return 0;
		}
	}
	if (t->n == t->room) {
		size_t room = t->room ? t->room * 2 : 16;
		struct target *list = reallocarray(t->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		t->list = list;
		t->room = room;
	}
	t->list[t->n] = (struct target){ .named = named, .asked = asked };
	snprintf(t->list[t->n++].bdf, BDF_SIZE, "%s", bdf);
	return 0;
}

/* Function 0 of the card that f is a companion of (or is function 0 of). 1 with *ret to be closed, 0: f stands alone. */
static int open_function0(const struct pci_function *f, struct pci_function *ret)
{
	struct bdf bdf = f->bdf;
	char name[BDF_SIZE];
	const char *attr;

	bdf.function = 0;
	pci_format_bdf(&bdf, name);
	if (f->ids.vendor != PCI_VENDOR_NVIDIA || f->is_vf || pci_open(name, ret, &attr) < 0)
		return 0;
	if (ret->ids.vendor == PCI_VENDOR_NVIDIA && pci_is_display(ret->class) &&
	    (f->bdf.function == 0 || policy_role(f, ret) == ROLE_COMPANION))
		return 1;
	pci_close(ret);
	return 0;
}

static int add_card(struct targets *t, const struct pci_function *f, bool asked)
{
	_cleanup_pci_ struct pci_function first = { .dirfd = -1 }, other = { .dirfd = -1 };
	struct bdf bdf;
	int r;

	if (!open_function0(f, &first))
		return 0;
	bdf = first.bdf;
	r = add(t, first.name, false, asked);
	while (r == 0 && siblings_next_companion(&first, &bdf, &other)) {
		r = add(t, other.name, false, asked);
		pci_close(&other);
	}
	return r;
}

static int add_group(struct targets *t, const struct pci_function *f, const struct target_query *q)
{
	_cleanup_dir_ DIR *dir = sysfs_list(f->dirfd, "iommu_group/devices");
	const struct dirent *de;
	int r = 0;

	while (r == 0 && dir && (errno = 0, de = readdir(dir))) {
		_cleanup_pci_ struct pci_function m = { .dirfd = -1 };
		const char *attr;
		bool nvidia;

		if (de->d_name[0] == '.' || pci_open(de->d_name, &m, &attr) < 0 || m.is_bridge)
			continue;
		nvidia = m.ids.vendor == PCI_VENDOR_NVIDIA;
		if (nvidia || !q->blockers_only || !iommu_leaves_dma_alone(&m))
			r = add(t, m.name, false, nvidia);
		if (r == 0)
			r = add_card(t, &m, true);
	}
	/* Half a list is none; what is in no group has one of its own. */
	return r < 0 || errno == ENOENT ? r : -errno;
}

static int add_named(struct targets *t, const char *bdf, const struct target_query *q)
{
	_cleanup_pci_ struct pci_function f = { .dirfd = -1 };
	const char *attr;
	int r = add(t, bdf, true, true);

	if (r < 0 || pci_open(bdf, &f, &attr) < 0)
		return r;
	if (q->scope == SCOPE_CARD || f.bdf.function == 0)
		r = add_card(t, &f, true);
	return r < 0 || !q->group ? r : add_group(t, &f, q);
}

static bool is_taken(const struct pci_function *f)
{
	struct record rec;

	return state_load(f, &rec) == 0 && state_is_act(&rec);
}

static int add_all(struct targets *t, bool taken)
{
	_cleanup_dir_ DIR *dir = sysfs_list_path(DEVICES);
	const struct dirent *de;
	struct bdf bdf;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (errno = 0, de = readdir(dir))) {
		_cleanup_pci_ struct pci_function f = { .dirfd = -1 };
		const char *attr;

		if (pci_parse_bdf(de->d_name, &bdf) < 0 || pci_open(de->d_name, &f, &attr) < 0 || f.is_bridge)
			continue;
		if (f.ids.vendor == PCI_VENDOR_NVIDIA || (taken && is_taken(&f)))
			r = add(t, de->d_name, false, false);
	}
	return r < 0 ? r : -errno;
}

static bool is_foreign(const char *bdf)
{
	_cleanup_pci_ struct pci_function f = { .dirfd = -1 };
	const char *attr;

	return pci_open(bdf, &f, &attr) == 0 && f.ids.vendor != PCI_VENDOR_NVIDIA;
}

static int compare(const void *a, const void *b)
{
	const struct target *x = a, *y = b;

	if (x->foreign != y->foreign)
		return x->foreign ? 1 : -1;
	return column_compare(COLUMN_BDF, x->bdf, y->bdf);
}

int targets_find(struct targets *ret, const struct target_query *q)
{
	struct targets t = { 0 };
	size_t i;
	int r = q->all ? add_all(&t, q->taken) : 0;

	for (i = 0; r == 0 && i < q->n; i++)
		r = add_named(&t, q->bdfs[i], q);
	if (r < 0) {
		targets_free(&t);
		return r;
	}
	for (i = 0; i < t.n; i++)
		t.list[i].foreign = is_foreign(t.list[i].bdf);
	if (t.n > 1)
		qsort(t.list, t.n, sizeof(t.list[0]), compare);
	*ret = t;
	return 0;
}

void targets_free(struct targets *t)
{
	free(t->list);
	*t = (struct targets){ 0 };
}
