/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving back what nvfio changed and is not wanted any more.
 */
#ifndef NVFIO_UNDO_H
#define NVFIO_UNDO_H

#include "judge.h"

/*
 * Where an interrupted or claimed act of ours meets a verdict to leave, defer or refuse: gives driver_override its
 * earlier value and the function a driver, in a child with the configured timeout, and removes the record.
 * 1 if it did, 0 if there was nothing of ours (or somebody is acting on the function), -errno.
 */
int undo_interrupted(struct judgement *j) _must_check_;

#endif
