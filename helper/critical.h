/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the host lives on a foreign function: what it carries that nobody has to have open for it to be in use.
 */
#ifndef NVFIO_CRITICAL_H
#define NVFIO_CRITICAL_H

#include "pci.h"

struct critical {
	bool found;     /* something was found, or something could not be looked at */
	char text[256]; /* the first of it: "file system /srv on /dev/nvme0n1p1"; empty if there is nothing */
};

/*
 * Looks at all that is below the function (and the disks of its NVMe subsystem) for
 * - a mounted file system, swap, a holder (LVM, MD, dm, bcache), a loop device or an NVMe target on a disk or partition,
 *   or any other claim of the kernel on it, such as a mount in another namespace, btrfs or ZFS (open(2), O_EXCL);
 * - the kernel's console on a serial port;
 * - a network interface that is up, has an address or a route, or is below another interface (bridge, bond, VLAN);
 *   one that is not to be seen from here (another network namespace), or a network function on a driver without any;
 * - a USB device for input or storage.
 * In an initramfs everything is needed: what is there to be found comes with the root file system. The `add` that is
 * replayed after switch-root asks again.
 * Some of these questions wait in the kernel (a disk in error recovery, the routing lock), so a child asks them; no answer
 * in time is something found. 0 with *ret filled in, or -errno.
 */
int critical_find(const struct pci_function *f, struct critical *ret) _must_check_;

#endif
