// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * udev's database of one function. A line is "E:KEY=VALUE" for a property; the other letters are none of ours.
 */
#include "udevdb.h"

#include "root.h"

#define DB_MAX ((size_t)64 * 1024)

static void take_property(struct udevdb *db, const char *key, const char *value)
{
	const struct {
		const char *key;
		char *to;
		size_t size;
	} field[] = {
		{ "NVFIO_STATE", db->state, sizeof(db->state) },
		{ "NVFIO_VERDICT", db->verdict, sizeof(db->verdict) },
		{ "NVFIO_REASON", db->reason, sizeof(db->reason) },
		{ "NVFIO_DRIVER", db->driver, sizeof(db->driver) },
		{ "NVFIO_MESSAGE", db->message, sizeof(db->message) },
		{ "NVFIO", db->admin, sizeof(db->admin) },
		{ "ID_MODEL_FROM_DATABASE", db->model, sizeof(db->model) },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(field); i++) {
		if (streq(key, field[i].key))
			snprintf(field[i].to, field[i].size, "%s", value);
	}
}

int udevdb_read(const char *bdf, struct udevdb *ret)
{
	_cleanup_free_ char *text = malloc(DB_MAX);
	char path[64], *line, *save = NULL;
	struct udevdb db = { .known = true };
	ssize_t n;

	*ret = (struct udevdb){ .known = false };
	if (!text)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/run/udev/data/+pci:%s", bdf);
	n = root_read(path, text, DB_MAX);
	if (n < 0)
		return n == -ENOENT ? 0 : (int)n;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');

		if (!startswith(line, "E:") || !value)
			continue;
		*value++ = '\0';
		take_property(&db, line + 2, value);
	}
	*ret = db;
	return 0;
}
