/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the fake kernel share. fakekernel.c stands between a process and its system calls, fakefault.c
 * counts, fails, blocks and hooks them, fakebus.c is the PCI core: what a write to an attribute does to the tree.
 *
 * Paths are relative to the root of the fake tree ("sys/bus/pci/drivers_probe") unless a name says otherwise.
 */
#ifndef FAKEKERNEL_H
#define FAKEKERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The fake tree, canonical and absolute; empty where FAKE_ROOT is not set and everything passes through. */
extern char fake_root[];

/* Writes "<root>/<formatted path>" into buf, which holds PATH_MAX; too long a path ends the process. Returns buf. */
char *fake_path(char *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads a file by absolute path, as a string without its trailing newline. Its length or -errno. */
ssize_t fake_load(const char *path, char *buf, size_t size);

/* Replaces the content of a file by absolute path, making it if need be. 0 or -errno. */
int fake_store(const char *path, const char *text);

/* Appends a line to a log in the root (".fake_writes"), in one write so that parent and child do not mix. */
void fake_log(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool starts_with(const char *s, const char *prefix);

/* Whether s ends in the first suffix_len bytes of suffix; never in nothing. */
bool ends_with(const char *s, const char *suffix, size_t suffix_len);

/* Reads the FAKE_ variables and maps the counter. Once, before anything else here but fake_root. */
void fault_setup(void);

#define FAULT_SHORT 10000 /* no errno: the operation does half of its work */

/* Counts an operation, runs what is to happen before it, and returns 0, an errno, or FAULT_SHORT. */
int fault_before(const char *op, const char *path);

/* The number of an errno's name ("EINVAL"), 0 if there is none of that name. */
int fake_errno(const char *name);

/* Waits for <root>/.fake_release if path ends in FAKE_BLOCK: a sleep on the device lock. */
void fake_block(const char *path);

/*
 * What the kernel does with a write of value (a string of len bytes, which may hold NULs) to the attribute. The number
 * of bytes taken or -errno.
 */
ssize_t bus_write(const char *path, const char *value, size_t len);

/* Whether a write to this attribute sleeps in the middle of its work, where bus_write() calls fake_block() itself. */
bool bus_blocks_itself(const char *path);

/* The function leaves the bus: directory, links, group membership. Descriptors held on it go dead. */
void bus_remove(const char *bdf);

/* Another function of the same ids takes the address: new inode, no override, and its native driver if bound. */
void bus_replace(const char *bdf, bool bound);

#endif
