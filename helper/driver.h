/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of modules and of the PCI drivers they register, and which of them the kernel has. Part of
 * kmod.c's job, without libkmod; used by nobody else.
 */
#ifndef NVFIO_DRIVER_H
#define NVFIO_DRIVER_H

#include <stdbool.h>
#include "util.h"

/*
 * "vfio-pci" and "vfio_pci" are one name to modprobe: copies src with '_' for '-', save inside
 * [...] of a pattern, where it is a range. 0 or -ENAMETOOLONG.
 */
int driver_normalise(const char *src, char *dst, size_t size) _must_check_;
bool driver_same_name(const char *a, const char *b);

/*
 * The driver a module has registered, as below /sys/bus/pci/drivers. Of several the one named like
 * the module, else the first by name. 0 if the module is in the kernel; -EBUSY if it is on its way
 * in or out; -ENXIO if it is there without a PCI driver; -ENOENT if it is not there. driver is
 * empty on failure.
 */
int driver_find(const char *module, char driver[static DRIVER_NAME_SIZE]);

/* The module behind a driver that is there: 0, or -ENOENT if no driver of this name is. */
int driver_module(const char *driver, char module[static DRIVER_NAME_SIZE]) _must_check_;

#endif
