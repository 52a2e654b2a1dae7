/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people call a function, from udev's hardware database. The only user of libudev, and of that only udev_hwdb: its
 * device getters read `uevent`, which waits for the device lock on kernels up to 6.11.
 */
#ifndef NVFIO_NAMES_H
#define NVFIO_NAMES_H

#include "util.h"

/* "GH100 [H100 PCIe]" for a modalias ("pci:v000010DEd00002331..."). 0, or -ENOENT with buf empty. */
int names_find(const char *modalias, char *buf, size_t size) _must_check_;

/* Lets go of the database. */
void names_close(void);

#endif
