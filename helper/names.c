// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names by modalias. The database is opened on first use: whoever wants no names does not map its 10 MB.
 */
#include "names.h"

#include <libudev.h>

static struct udev *udev;
static struct udev_hwdb *hwdb;

int names_find(const char *modalias, char *buf, size_t size)
{
	struct udev_list_entry *list, *entry;
	const char *name;

	buf[0] = '\0';
	if (!udev) {
		udev = udev_new();
		hwdb = udev ? udev_hwdb_new(udev) : NULL;
	}
	if (!hwdb)
		return -ENOENT;
	list = udev_hwdb_get_properties_list_entry(hwdb, modalias, 0);
	entry = udev_list_entry_get_by_name(list, "ID_MODEL_FROM_DATABASE");
	name = entry ? udev_list_entry_get_value(entry) : NULL;
	if (!name)
		return -ENOENT;
	snprintf(buf, size, "%s", name);
	return 0;
}

void names_close(void)
{
	udev_hwdb_unref(hwdb);
	udev_unref(udev);
	hwdb = NULL;
	udev = NULL;
}
