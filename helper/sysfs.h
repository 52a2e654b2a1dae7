/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only code that opens or writes below /sys. An attribute is reached through the directory descriptor of its device:
 * when the device goes, the descriptor goes dead (ENOENT on openat, ENODEV on I/O), even if another device takes the
 * same address, so nothing can be written to a stranger.
 */
#ifndef NVFIO_SYSFS_H
#define NVFIO_SYSFS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "util.h"

/* An attribute's value is at most a page (Documentation/filesystems/sysfs.rst), NUL included here. */
#define SYSFS_VALUE_SIZE 4096

/* Opens a directory by absolute path ("/sys/bus/pci/devices/0000:01:00.0"; links are followed). Descriptor or -errno. */
int sysfs_open_dir(const char *path) _must_check_;

/* Opens a directory below dirfd, or by absolute path, for reading its entries. NULL with errno set. */
DIR *sysfs_list(int dirfd, const char *name);
DIR *sysfs_list_path(const char *path);

/*
 * Reads an attribute, without its trailing newline, into buf[size]. The length (0: empty), -EOVERFLOW if it does not
 * fit, -EINVAL if it holds a NUL, -errno otherwise; buf is a string in every case.
 */
int sysfs_read(int dirfd, const char *name, char *buf, size_t size) _must_check_;

/* Reads a number as the kernel prints PCI ids ("0x10de"): 0 or -errno, -EINVAL if it is anything else or exceeds max. */
int sysfs_read_hex(int dirfd, const char *name, uint32_t max, uint32_t *ret) _must_check_;

/* The last component of a link's target (the name of a driver, a group, a function). 0, -ENOENT if there is none. */
int sysfs_read_link(int dirfd, const char *name, char *buf, size_t size) _must_check_;

/* The whole target of a link of class and bus directories, which lead to where the device is. 0 or -errno. */
int sysfs_read_target(int dirfd, const char *name, char *buf, size_t size) _must_check_;

/* Whether an entry exists. 1, 0 (also once the device is gone) or -errno. */
int sysfs_has(int dirfd, const char *name) _must_check_;

/*
 * Whether the attribute could be written, as far as its mount and mode tell; nothing of the device is asked. 0; -EROFS on a
 * read-only mount, -EACCES where it is another root's (a user namespace), -errno.
 */
int sysfs_may_write(int dirfd, const char *name) _must_check_;

/*
 * Writes value with exactly one write(2), as the kernel takes one store per call. 0, -EIO on a short write, -errno.
 */
int sysfs_write(int dirfd, const char *name, const char *value) _must_check_;

#endif
