// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The record parser, through state_load() on a tree of its own: the input is the record's file.
 * What loads is about our function, its state is one there is and its strings end; saved, it loads
 * back equal. What does not load leaves the caller's record alone, and anything but "not ours"
 * (-ENOENT), "not a record" (-EBADMSG) and "a newer one" (-EPROTO) is an error of this test.
 */
#include "fuzz.h"
#include <fcntl.h>
#include <sys/stat.h>
#include "root.h"
#include "state.h"

static char root[] = "/dev/shm/nvfio-fuzz-XXXXXX"; /* a tmpfs: each run makes a dozen calls */
static char record_path[sizeof(root) + 64];

static const struct pci_function fn = {
	.name = "0000:01:00.0", .dirfd = -1, .ino = 4242, .bdf = { 0, 1, 0, 0 },
	.ids = { .vendor = 0x10de, .device = 0x2331 },
};

static void remove_tree(void)
{
	char path[sizeof(record_path)];

	(void)unlink(record_path);
	snprintf(path, sizeof(path), "%s/run/nvfio", root);
	(void)rmdir(path);
	snprintf(path, sizeof(path), "%s/run", root);
	(void)rmdir(path);
	(void)rmdir(root);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc _unused_, char ***argv _unused_)
{
	char path[sizeof(record_path)];

	umask(022);
	MUST(mkdtemp(root) && root_set(root) == 0);
	snprintf(path, sizeof(path), "%s/run", root);
	MUST(mkdir(path, 0755) == 0);
	snprintf(path, sizeof(path), "%s/run/nvfio", root);
	MUST(mkdir(path, 0755) == 0);
	snprintf(record_path, sizeof(record_path), "%s/run/nvfio/%s", root, fn.name);
	return atexit(remove_tree);
}

static void write_input(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = open(record_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	MUST(fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t)size));
}

static bool is_name(const char *s)
{
	size_t len = strnlen(s, DRIVER_NAME_SIZE);

	return len < DRIVER_NAME_SIZE && !memchr(s, '\n', len);
}

static bool same_record(const struct record *a, const struct record *b)
{
	return a->state == b->state && a->ino == b->ino && a->vendor == b->vendor && a->device == b->device &&
	       streq(a->wanted, b->wanted) && streq(a->driver, b->driver) && streq(a->override, b->override) &&
	       a->autoprobe_off == b->autoprobe_off && a->companions_stay == b->companions_stay &&
	       a->was_released == b->was_released;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record rec, again, untouched;
	int r;

	memset(&rec, 0xa5, sizeof(rec));
	untouched = rec;
	write_input(data, size);
	r = state_load(&fn, &rec);
	if (r < 0) {
		MUST(r == -ENOENT || r == -EBADMSG || r == -EPROTO);
		MUST(memcmp(&rec, &untouched, sizeof(rec)) == 0);
		return 0;
	}
	MUST(rec.state > RECORD_NONE && rec.state < RECORD_STATE_COUNT);
	MUST(rec.ino == fn.ino && rec.vendor == fn.ids.vendor && rec.device == fn.ids.device);
	MUST(is_name(rec.wanted) && is_name(rec.driver) && is_name(rec.override));
	MUST(state_save(&fn, &rec) == 0);
	MUST(state_load(&fn, &again) == 0 && same_record(&rec, &again));
	return 0;
}
