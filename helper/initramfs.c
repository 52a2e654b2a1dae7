// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walks an initramfs. Uncompressed archives (microcode, mostly) are read header by header; where the compressed one begins is
 * known only then. Nothing is unpacked, and no program is started: filters that need one are not asked for.
 */
#include "initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <limits.h>
#include <sys/types.h>

/* A magic of six bytes and thirteen fields of eight digits, of which the seventh and the twelfth are looked at. */
#define NEWC_HEADER 110
#define NEWC_FILE_SIZE 54
#define NEWC_NAME_SIZE 94
#define BLOCK 65536

/* libarchive's functions, by their own types. */
struct library {
	void *handle;
	__typeof__(&archive_read_new) read_new;
	__typeof__(&archive_read_free) read_free;
	__typeof__(&archive_read_support_filter_gzip) filter[6];
	__typeof__(&archive_read_support_format_cpio) format_cpio;
	__typeof__(&archive_read_open_fd) open_fd;
	__typeof__(&archive_read_next_header) next_header;
	__typeof__(&archive_entry_pathname) pathname;
};

static bool find_symbol(void *handle, const char *name, void *ret)
{
	void *symbol = dlsym(handle, name);

	/* POSIX has dlsym() return functions as objects; C has no such conversion. */
	memcpy(ret, &symbol, sizeof(symbol));
	return symbol != NULL;
}

static int library_open(struct library *l)
{
	static const char *const filters[] = { "archive_read_support_filter_gzip", "archive_read_support_filter_bzip2",
					       "archive_read_support_filter_lzma", "archive_read_support_filter_xz",
					       "archive_read_support_filter_lz4", "archive_read_support_filter_zstd" };
	bool all = true;
	unsigned int i;

	*l = (struct library){ .handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL) };
	if (!l->handle)
		return -ENOPKG;
	for (i = 0; i < ARRAY_SIZE(filters); i++)
		all = find_symbol(l->handle, filters[i], &l->filter[i]) && all;
	all = find_symbol(l->handle, "archive_read_new", &l->read_new) && all;
	all = find_symbol(l->handle, "archive_read_free", &l->read_free) && all;
	all = find_symbol(l->handle, "archive_read_support_format_cpio", &l->format_cpio) && all;
	all = find_symbol(l->handle, "archive_read_open_fd", &l->open_fd) && all;
	all = find_symbol(l->handle, "archive_read_next_header", &l->next_header) && all;
	all = find_symbol(l->handle, "archive_entry_pathname", &l->pathname) && all;
	if (!all) {
		dlclose(l->handle);
		return -ENOPKG;
	}
	return 0;
}

static void say_path(const char *path, initramfs_seen *seen, void *data)
{
	while (startswith(path, "./") || path[0] == '/')
		path += path[0] == '/' ? 1 : 2;
	if (path[0])
		seen(path, data);
}

/* What follows at the descriptor's offset, whatever it is compressed with. */
static int list_compressed(int fd, initramfs_seen *seen, void *data)
{
	struct archive_entry *entry;
	struct library l;
	struct archive *a;
	unsigned int i;
	int r = library_open(&l);

	if (r < 0)
		return r;
	a = l.read_new();
	for (i = 0; a && i < ARRAY_SIZE(l.filter); i++)
		l.filter[i](a);
	r = a && l.format_cpio(a) == ARCHIVE_OK && l.open_fd(a, fd, BLOCK) == ARCHIVE_OK ? ARCHIVE_OK : ARCHIVE_FATAL;
	while (r == ARCHIVE_OK || r == ARCHIVE_WARN) {
		r = l.next_header(a, &entry);
		if ((r == ARCHIVE_OK || r == ARCHIVE_WARN) && l.pathname(entry))
			say_path(l.pathname(entry), seen, data);
	}
	l.read_free(a);
	dlclose(l.handle);
	return r == ARCHIVE_EOF ? 0 : -EBADMSG;
}

/* Eight hex digits. False for anything else. */
static bool parse_hex(const char *s, uint32_t *ret)
{
	char digits[9], *end;

	memcpy(digits, s, 8);
	digits[8] = '\0';
	if (strspn(digits, "0123456789abcdefABCDEF") != 8)
		return false;
	*ret = (uint32_t)strtoul(digits, &end, 16);
	return true;
}

static off_t align4(off_t offset)
{
	return (offset + 3) & ~(off_t)3;
}

static bool is_newc(const char *magic)
{
	return memcmp(magic, "070701", 6) == 0 || memcmp(magic, "070702", 6) == 0;
}

/* One header at *offset, which is moved behind the file it is about. 0; 1: it was the trailer; -EBADMSG. */
static int list_entry(int fd, off_t *offset, initramfs_seen *seen, void *data)
{
	char header[NEWC_HEADER], name[PATH_MAX];
	uint32_t file_size, name_size;

	if (pread(fd, header, sizeof(header), *offset) != (ssize_t)sizeof(header) || !is_newc(header) ||
	    !parse_hex(header + NEWC_FILE_SIZE, &file_size) || !parse_hex(header + NEWC_NAME_SIZE, &name_size) || name_size == 0 || name_size > sizeof(name) ||
	    pread(fd, name, name_size, *offset + NEWC_HEADER) != (ssize_t)name_size || name[name_size - 1])
		return -EBADMSG;
	*offset = align4(align4(*offset + NEWC_HEADER + name_size) + file_size);
	if (streq(name, "TRAILER!!!"))
		return 1;
	say_path(name, seen, data);
	return 0;
}

/* Archives are padded with NULs. -ENODATA at the end of the file. */
static int skip_padding(int fd, off_t *offset)
{
	char block[512];
	ssize_t n, i;

	while ((n = pread(fd, block, sizeof(block), *offset)) > 0) {
		for (i = 0; i < n && !block[i]; i++)
			;
		*offset += i;
		if (i < n)
			return 0;
	}
	return n < 0 ? -errno : -ENODATA;
}

int initramfs_list(int fd, initramfs_seen *seen, void *data)
{
	bool any = false;
	off_t offset = 0;
	char magic[6];
	int r;

	for (;;) {
		r = skip_padding(fd, &offset);
		if (r < 0)
			return r == -ENODATA && any ? 0 : r == -ENODATA ? -EBADMSG : r;
		if (pread(fd, magic, sizeof(magic), offset) != (ssize_t)sizeof(magic))
			return -EBADMSG;
		if (!is_newc(magic))
			return lseek(fd, offset, SEEK_SET) < 0 ? -errno : list_compressed(fd, seen, data);
		do {
			r = list_entry(fd, &offset, seen, data);
		} while (r == 0);
		if (r < 0)
			return r;
		any = true;
	}
}
