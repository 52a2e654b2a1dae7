/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What udev remembers of a function, read from /run/udev/data/+pci:<BDF> as text: libudev would read `uevent` first.
 */
#ifndef NVFIO_UDEVDB_H
#define NVFIO_UDEVDB_H

#include <stdbool.h>
#include "util.h"

/* The properties of 70-nvfio.rules, empty where not set. */
struct udevdb {
	bool known;          /* udev has an entry for it */
	char state[16];      /* NVFIO_STATE */
	char verdict[16];
	char reason[32];
	char driver[DRIVER_NAME_SIZE];
	char message[768];
	char admin[16];      /* NVFIO, from an administrator's rule */
	char model[128];     /* ID_MODEL_FROM_DATABASE, as the hardware database had it then */
};

/* 0, also where there is no entry; -errno. */
int udevdb_read(const char *bdf, struct udevdb *ret) _must_check_;

#endif
