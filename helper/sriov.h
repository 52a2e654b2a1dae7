/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PF's sriov_drivers_autoprobe: whether the kernel offers each new VF to the native driver first.
 */
#ifndef NVFIO_SRIOV_H
#define NVFIO_SRIOV_H

#include "judge.h"

/*
 * Sets it as policy says for a PF that stays native, and remembers in the PF's record that it was us who switched it
 * off. 1 if it was changed, 0 if not, -errno. The attribute takes no device lock (drivers/pci/iov.c,
 * sriov_drivers_autoprobe_store), and functions with a driver_override are probed all the same
 * (drivers/pci/pci-driver.c, pci_device_can_probe).
 */
int sriov_settle_autoprobe(struct judgement *j) _must_check_;

#endif
