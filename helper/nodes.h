/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By which devices a function can be in use under its driver: character devices, and the disks of what is no GPU. Numbers,
 * not paths: a process in another mount namespace has other paths.
 */
#ifndef NVFIO_NODES_H
#define NVFIO_NODES_H

#include "pci.h"

#define NODES_MAX 128

struct node {
	bool block; /* major numbers of block and character devices are counted apart */
	unsigned int major, minor_first, minor_last;
	char name[48]; /* as udev calls it, "/dev/dri/card0", to be read by people */
};

struct nodes {
	struct node node[NODES_MAX];
	unsigned int count;
	char doubt[48]; /* what could not be looked at, empty if nothing: there may be more nodes */
};

/*
 * Everything below the function that has a `dev` attribute (DRM, framebuffer, sound, i2c, disks and partitions, VFIO's own
 * device, ...) but for what is below a USB root hub, and the disks of an NVMe subsystem of which it is a controller.
 * Where it is on VFIO, its group's node as well. Where its driver is nvidia, that driver's nodes: its own minor, and
 * nvidiactl, modeset, uvm, MIG capabilities and GPUDirect, which may hold any GPU. Takes no device lock.
 */
void nodes_find(const struct pci_function *f, struct nodes *ret);

/* The node with this number, or NULL. */
const struct node *nodes_lookup(const struct nodes *nodes, bool block, unsigned int major, unsigned int minor);

#endif
