/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By which character devices a function can be in use under its driver. Numbers, not paths: a process in another mount
 * namespace has other paths.
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
 * Everything below the function that has a `dev` attribute (DRM, framebuffer, sound, i2c, VFIO's own device, ...).
 * Where it is on VFIO, its group's node as well. Where its driver is nvidia, that driver's nodes: its own minor, and
 * nvidiactl, modeset, uvm, MIG capabilities and GPUDirect, which may hold any GPU. Takes no device lock.
 */
void nodes_find(const struct pci_function *f, struct nodes *ret);

/* The node with this number, or NULL. */
const struct node *nodes_lookup(const struct nodes *nodes, unsigned int major, unsigned int minor);

#endif
