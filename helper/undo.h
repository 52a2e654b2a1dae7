/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving back what nvfio changed and is not wanted any more.
 */
#ifndef NVFIO_UNDO_H
#define NVFIO_UNDO_H

#include "judge.h"

/*
 * Where an interrupted or claimed act of ours meets a verdict to leave, defer or refuse: gives driver_override its
 * earlier value and the function a driver, in a child with the configured timeout. A function that is on VFIO is not
 * touched. 1 if it did, 0 if there was nothing of ours (or somebody is acting on the function), -errno.
 */
int undo_interrupted(struct judgement *j) _must_check_;

/* The same for the holder of the function's lock, in a child: may block. */
int undo_locked(struct judgement *j) _must_check_;

/*
 * Function 0 is left for a reason that its companions' own events do not show (an administrator's rule for it alone,
 * somebody else's driver_override, a user who came late, a failed bind): says so in its record, and takes back companions
 * that were faster, each in a child. One that is being taken at this moment looks at the record itself before it lets go
 * of its lock (undo_if_alone). With left false the mark goes. 0 or -errno.
 */
int undo_companions(struct judgement *j, bool left) _must_check_;

/*
 * For a companion that has just been taken, by the holder of its lock in the acting child: gives it back if function 0
 * stays. 1 if it did, 0 if function 0 does not stay, -errno if it could not be given back.
 */
int undo_if_alone(struct judgement *j, struct record *record) _must_check_;

#endif
