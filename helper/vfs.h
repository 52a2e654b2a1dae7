/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VFs of one PF, taken by one process. They come in one burst, and the kernel sends a `change` event of the PF after the last
 * (sriov_enable() in drivers/pci/iov.c): until then 70-nvfio.rules have them wait.
 */
#ifndef NVFIO_VFS_H
#define NVFIO_VFS_H

#include "util.h"

/* NVFIO_REASON of a VF that waits for its PF's event; its NVFIO_STATE is "claimed" then. */
#define VFS_WAITING "with-pf"

/*
 * Judges each VF of this PF that waits, and acts as its own event would, one after the other in a child; while that child is
 * at one VF for long, others go on with the rest. What comes of a VF is written for its next event to import
 * (state_save_properties()): its `bind` event, or one that is asked for. A VF that udev's rules have not seen to the end is
 * told to come by itself.
 * Waits for the end, but not longer than the PF's configured timeout for any VF to be done: the children go on alone.
 * An exit code (exit-code.h); where it is not EXIT_CODE_OK the log says why.
 */
int vfs_take(const char *pf) _must_check_;

#endif
