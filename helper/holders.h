/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who uses a function through its native driver, by name and pid, found by device number so that neither the path nor
 * the namespace matters. Unbinding under a user is what hangs hosts: nvidia's remove() waits for ever
 * (kernel-open/nvidia/nv-pci.c, nv_pci_remove_helper), snd_card_free() and i2c_del_adapter() wait for the last close.
 */
#ifndef NVFIO_HOLDERS_H
#define NVFIO_HOLDERS_H

#include <stdbool.h>
#include "pci.h"

struct holders {
	unsigned int found;   /* users seen: processes and USB devices */
	bool doubt;           /* something could not be looked at: treat as used */
	char text[256];       /* "/dev/nvidia0 open in pid 812 (sleep)", or what the doubt is; of several the first
				 few and "N more"; empty if none */
};

/*
 * Looks for open descriptors and mappings of the function's nodes (see nodes.h) in every process but this one, and for
 * USB devices below it. Without a node to look for no process is looked at. Takes no device lock. The mappings are
 * looked at by a child, as map_files waits (killably) for the mmap_lock of the process (proc_map_files_readdir() in the
 * kernel's fs/proc/base.c): after 2 seconds they are in doubt, and the child ends with this process at the latest.
 * 0 with *ret filled in (found == 0 and !doubt: free), or -errno where even /proc cannot be read.
 */
int holders_find(const struct pci_function *f, struct holders *ret) _must_check_;

/*
 * The gate a vGPU host's nvidia driver offers (/proc/driver/nvidia/gpus/<BDF>/unbindLock): writing 1 refuses new users
 * if there is none, the read back tells. 1: taken; 0: not offered; -EBUSY: refused, the GPU is in use; -errno.
 * Sleeps while nvidia initialises the GPU (it holds ldata_lock then): only where a deadline watches.
 */
int holders_lock_unbind(const char *bdf) _must_check_;

/* Gives it back where the unbind does not happen after all. */
void holders_unlock_unbind(const char *bdf);

#endif
