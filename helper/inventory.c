// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walks /sys/bus/pci/devices, then from each NVIDIA function to its group and up to its root port.
 */
#include "inventory.h"

#include <limits.h>
#include "exit-code.h"
#include "host.h"
#include "say.h"
#include "sysfs.h"

#define DEVICES "/sys/bus/pci/devices"

struct item *inventory_find(const struct inventory *inv, const char *bdf)
{
	size_t i;

	for (i = 0; i < inv->n; i++) {
		if (streq(inv->items[i].bdf, bdf))
			return &inv->items[i];
	}
	return NULL;
}

static struct item *new_item(struct inventory *inv)
{
	if (inv->n == inv->room) {
		size_t room = inv->room ? inv->room * 2 : 64;
		struct item *items = reallocarray(inv->items, room, sizeof(*items));

		if (!items)
			return NULL;
		inv->items = items;
		inv->room = room;
	}
	inv->items[inv->n] = (struct item){ .bdf = "" };
	return &inv->items[inv->n++];
}

/*
 * The bridge in front of a function: the last but one part of where its entry leads
 * ("../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0"). Empty for one on a root bus.
 */
static void find_bridge(const char *bdf, char above[static BDF_SIZE])
{
	_cleanup_close_ int devices = sysfs_open_dir(DEVICES);
	char target[PATH_MAX], *slash;
	struct bdf bridge;

	above[0] = '\0';
	if (devices < 0 || sysfs_read_target(devices, bdf, target, sizeof(target)) < 0 || !(slash = strrchr(target, '/')))
		return;
	*slash = '\0';
	slash = strrchr(target, '/');
	if (slash && pci_parse_bdf(slash + 1, &bridge) == 0)
		pci_format_bdf(&bridge, above);
}

static void find_above(const struct status *s, char above[static BDF_SIZE])
{
	const struct judgement *j = &s->judgement;

	if (j->self.fn.physfn[0])
		snprintf(above, BDF_SIZE, "%s", j->self.fn.physfn);
	else if (j->self.facts.role == ROLE_COMPANION)
		snprintf(above, BDF_SIZE, "%s", j->function0.fn.name);
	else
		find_bridge(j->self.fn.name, above);
}

/* Said, and remembered for the exit code; the others are listed. */
static int cannot_look(struct inventory *inv, const char *bdf, const char *attr, int r)
{
	int code = status_say_error(bdf, attr, r);

	inv->worst = code > inv->worst ? code : inv->worst;
	return 0;
}

/* One function. 0, also where it cannot be read, which is said; -ENOMEM. */
static int add_function(struct inventory *inv, const struct selection *selection, const char *bdf)
{
	const struct look look = { .event = EVENT_REAPPLY, .quick = true, .off = inv->off,
				   .no_name = !(selection->columns & 1U << COLUMN_NAME),
				   .no_message = !(selection->columns & 1U << COLUMN_MESSAGE) };
	_cleanup_status_ struct status s;
	struct item *item;
	char text[1024];
	const char *attr;
	unsigned int i;
	int r;

	r = status_read(&s, bdf, &look, &attr);
	if (r == -ENODEV) /* it went away since it was listed */
		return 0;
	if (r < 0)
		return cannot_look(inv, bdf, attr, r);
	item = new_item(inv);
	if (!item)
		return -ENOMEM;
	snprintf(item->bdf, sizeof(item->bdf), "%s", bdf);
	if (selection->bridges)
		find_above(&s, item->above);
	for (i = 0; i < COLUMN_COUNT; i++) {
		if (!(selection->columns & 1U << i))
			continue;
		column_text((enum column)i, &s, text, sizeof(text));
		item->text[i] = strdup(text);
		if (!item->text[i])
			return -ENOMEM;
	}
	return 0;
}

static bool take_name(const struct dirent *de, char name[static BDF_SIZE])
{
	struct bdf bdf;

	if (pci_parse_bdf(de->d_name, &bdf) < 0)
		return false;
	pci_format_bdf(&bdf, name);
	return true;
}

/* 1, 0 or -errno. */
static int is_nvidia(int devices, const char *bdf)
{
	char path[BDF_SIZE + 16];
	uint32_t vendor = 0;
	int r;

	snprintf(path, sizeof(path), "%s/vendor", bdf);
	r = sysfs_read_hex(devices, path, 0xffff, &vendor);
	/* It went away, or whoever made it is no vendor we know. */
	if (r == -ENOENT || r == -ENODEV || r == -EINVAL)
		return 0;
	return r < 0 ? r : vendor == PCI_VENDOR_NVIDIA;
}

static int add_nvidia(struct inventory *inv, const struct selection *selection)
{
	_cleanup_dir_ DIR *dir = sysfs_list_path(DEVICES);
	const struct dirent *de;
	char name[BDF_SIZE];
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (errno = 0, de = readdir(dir))) {
		int ours = take_name(de, name) ? is_nvidia(dirfd(dir), name) : 0;

		if (ours < 0)
			r = cannot_look(inv, name, NULL, ours);
		else if (ours > 0)
			r = add_function(inv, selection, name);
	}
	return r < 0 ? r : -errno;
}

static int add_group_members(struct inventory *inv, const struct selection *selection, const char *bdf)
{
	char path[sizeof(DEVICES) + BDF_SIZE + 32];
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *de;
	char member[BDF_SIZE];
	int r = 0;

	snprintf(path, sizeof(path), DEVICES "/%s/iommu_group/devices", bdf);
	dir = sysfs_list_path(path);
	if (!dir)
		return errno == ENOENT ? 0 : cannot_look(inv, bdf, NULL, -errno);
	while (r == 0 && (errno = 0, de = readdir(dir))) {
		if (take_name(de, member) && !inventory_find(inv, member))
			r = add_function(inv, selection, member);
	}
	return r < 0 || !errno ? r : cannot_look(inv, bdf, NULL, -errno);
}

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return column_compare(COLUMN_BDF, x->bdf, y->bdf);
}

int inventory_read(struct inventory *ret, const struct selection *selection)
{
	struct inventory inv = { .worst = EXIT_CODE_OK };
	char above[BDF_SIZE];
	size_t i, nvidia;
	int r;

	r = host_is_off();
	if (r < 0)
		return r;
	inv.off = r > 0;
	r = add_nvidia(&inv, selection);
	nvidia = inv.n;
	for (i = 0; r == 0 && selection->foreign && i < nvidia; i++) {
		memcpy(above, inv.items[i].bdf, sizeof(above)); /* adding moves the items */
		r = add_group_members(&inv, selection, above);
	}
	for (i = 0; r == 0 && selection->bridges && i < inv.n; i++) {
		memcpy(above, inv.items[i].above, sizeof(above));
		if (above[0] && !inventory_find(&inv, above))
			r = add_function(&inv, selection, above);
	}
	if (r < 0) {
		inventory_free(&inv);
		return r;
	}
	if (inv.n > 0)
		qsort(inv.items, inv.n, sizeof(inv.items[0]), compare_items);
	*ret = inv;
	return 0;
}

void inventory_free(struct inventory *inv)
{
	size_t i;
	unsigned int c;

	for (i = 0; i < inv->n; i++) {
		for (c = 0; c < COLUMN_COUNT; c++)
			free(inv->items[i].text[c]);
	}
	free(inv->items);
	*inv = (struct inventory){ .n = 0 };
}
