/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who holds a function's lock. The kernel does not say so of an open-file-description lock (F_GETLK and /proc/locks have
 * -1 for its pid), but /proc/<pid>/fdinfo/<fd> lists the locks that were taken through that descriptor (fs/proc/fd.c).
 */
#ifndef NVFIO_LOCK_OWNER_H
#define NVFIO_LOCK_OWNER_H

#include "util.h"

/* "pid 812 (nvfio-udev)", or "another process" where that cannot be seen. This process does not count. */
void lock_owner(const char *bdf, char *buf, size_t size);

#endif
