/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By which character devices a function can be in use under its native driver. Numbers, not paths:
 * a process in another mount namespace has other paths.
 */
#ifndef NVFIO_NODES_H
#define NVFIO_NODES_H

#include "pci.h"

#define NODES_MAX 128

struct node {
	unsigned int major, minor_first, minor_last;
	char name[48]; /* as udev calls it, "/dev/dri/card0", to be read by people */
};

struct nodes {
	struct node node[NODES_MAX];
	unsigned int count;
	char doubt[48]; /* what could not be looked at, empty if nothing: there may be more nodes */
};

/*
 * Everything below the function that has a `dev` attribute (DRM, framebuffer, sound, i2c, ...) and,
 * where its driver is nvidia, that driver's nodes: its own minor, and nvidiactl, modeset and uvm,
 * which may hold any GPU. Reads nothing that takes a device lock.
 */
void nodes_find(const struct pci_function *f, struct nodes *ret);

/* The node with this number, or NULL. */
const struct node *nodes_lookup(const struct nodes *nodes, unsigned int major, unsigned int minor);

#endif
