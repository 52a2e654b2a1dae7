/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of the files in an initramfs. Cpio archives (newc) one after the other, of which the last one may be compressed
 * (Documentation/driver-api/early-userspace/buffer-format.rst). The only user of libarchive, which is loaded when a
 * compressed one is met: nobody else pays for it, and nvfio works without.
 */
#ifndef NVFIO_INITRAMFS_H
#define NVFIO_INITRAMFS_H

#include "util.h"

typedef void initramfs_seen(const char *path, void *data);

/*
 * Calls seen for each path in the image, without a leading "./" or "/". 0; -ENOPKG: there is no libarchive to decompress it;
 * -EBADMSG: it is nothing of the kind; -errno. What was seen before an error was there.
 */
int initramfs_list(int fd, initramfs_seen *seen, void *data) _must_check_;

#endif
