/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the host needs a disk or a serial port. For critical.c alone.
 */
#ifndef NVFIO_CRITICAL_NODES_H
#define NVFIO_CRITICAL_NODES_H

#include "critical.h"

/*
 * Looks at every node of the function (nodes.h): mounts, swap, holders, loop devices, NVMe targets, consoles, and whatever
 * has claimed a disk. May wait for the disk.
 */
void critical_nodes_use(const struct pci_function *f, struct critical *ret);

/* Says what was found, or what could not be looked at, which is the same. */
_printf_(2, 3) void critical_found(struct critical *c, const char *format, ...);
void critical_doubt(struct critical *c, const char *what);

#endif
