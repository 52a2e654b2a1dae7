/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function's drop-in of --persist: /etc/nvfio.conf.d/50-bind-<BDF>.conf, which has it on VFIO from the next boot on.
 */
#ifndef NVFIO_PERSIST_H
#define NVFIO_PERSIST_H

#include "judge.h"

#define PERSIST_PATH_SIZE (sizeof("/etc/nvfio.conf.d/50-bind-.conf") + BDF_SIZE)

void persist_path(const char *bdf, char path[static PERSIST_PATH_SIZE]);

/*
 * Writes it in one rename, and to disk. The section has the device's ids as a guard, so that it does not speak for another
 * card at the address. 0 or -errno.
 */
int persist_write(const struct judgement *j) _must_check_;

/* 1: removed; 0: there was none; -errno. */
int persist_remove(const char *bdf) _must_check_;

/* 1 if there is one, 0 if there is none or that cannot be found out. */
int persist_exists(const char *bdf);

/*
 * What the configuration, as it is now on disk, says of the function at boot: true if it would be taken. *ret_at is
 * "file:line" of what says so, or "the default".
 */
bool persist_boot_is_vfio(const struct judgement *j, char *ret_at, size_t size);

#endif
