/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which kernel module drives a function over VFIO, and loading it. The only user of libkmod.
 */
#ifndef NVFIO_KMOD_H
#define NVFIO_KMOD_H

#include <stdbool.h>
#include "util.h"

struct vfio_driver {
	char module[DRIVER_NAME_SIZE]; /* "vfio_pci"; always with underscores */
	char driver[DRIVER_NAME_SIZE]; /* "vfio-pci", as below /sys/bus/pci/drivers; empty until the module is there */
};

/*
 * The best VFIO driver for a function: of all modules with a "vfio_pci:" alias that matches and no blacklist, the one
 * whose alias has the fewest wildcards (a variant driver names its device, vfio-pci names none); else vfio_pci by name,
 * as on kernels without such aliases (before 5.16). pinned is a driver name from the configuration, or NULL or "" for
 * the best; one that is in the kernel already is taken whatever the blacklists say.
 * modalias is as sysfs prints it ("pci:v000010DEd...").
 * 0; -ENOENT: no such module; -EACCES: blacklisted (modprobe.d, or either key on the kernel command line); -ENOEXEC: it would
 * have to be loaded by an `install` command; -EINVAL: no
 * modalias; -ENOPKG: no libkmod; -errno. Loads nothing. ret->driver is filled in if the module is loaded or built in already.
 */
int kmod_choose(const char *modalias, const char *pinned, struct vfio_driver *ret) _must_check_;

/*
 * Loads the module (no `install` command is ever run, blacklists hold, a busy one is tried twice) and fills in
 * drv->driver, where it is empty, from /sys/module/<module>/drivers/pci:*. 0 also if it was there.
 * -ENOENT no module, -EACCES blacklisted, -EPERM refused by the kernel (lockdown, signature, modules_disabled),
 * -ENOEXEC `install` command configured, -EINVAL it does not fit this kernel (version, symbols), -ENXIO module without
 * PCI driver, -ENOPKG no libkmod, -errno.
 * Under --sysroot nothing is inserted: a module is there if the tree has /sys/module/<module>.
 */
int kmod_load(struct vfio_driver *drv) _must_check_;

/* Whether a module of this name is loaded, built in, or could be loaded. 1, 0, -ENOPKG: no libkmod, or -errno. */
int kmod_exists(const char *module) _must_check_;

/* How a module is to be had. */
enum kmod_presence {
	KMOD_MISSING,
	KMOD_LOADED,          /* or on its way */
	KMOD_BUILTIN,
	KMOD_LOADABLE,
	KMOD_BLACKLISTED,     /* and not there */
	KMOD_INSTALL_COMMAND, /* it would have to be loaded by an `install` command */
};

/*
 * That, by the module's name. signed is set for one on disk that has a signature; whose is not asked. Under --sysroot built-in
 * modules are those of the tree's modules.builtin, and its /sys/module.
 */
enum kmod_presence kmod_find(const char *module, bool *ret_signed);

/*
 * Keeps indexes, modprobe.d and what kmod_choose() answered for all later calls, once they are asked for, until called with
 * false; a driver that was there is taken to be there still. For who asks about hundreds of functions at once.
 */
void kmod_keep(bool keep);

/*
 * For a process that is one event: indexes and modprobe.d are read once, when they are first asked for, and not at all for
 * what an earlier event has noted, as long as they have not changed (kmod-notes.h). note: what is found out is noted.
 */
void kmod_begin_event(bool note);

/*
 * Wildcard fields ('*') of an alias pattern if it matches name, -1 if it does not. Pure; for ranking and its tests.
 */
int kmod_rank_alias(const char *pattern, const char *name);

#endif
