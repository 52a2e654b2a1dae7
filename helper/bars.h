/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much address space the BARs of functions take in a guest. Pure: sysfs attributes in, sizes out.
 */
#ifndef NVFIO_BARS_H
#define NVFIO_BARS_H

#include <stdbool.h>
#include <stddef.h>
#include "util.h"

/* The memory BARs of one function, in bytes. */
struct bars {
	uint64_t sum32, largest32; /* 32-bit ones, and the expansion ROM, which is such a one to a VMM */
	uint64_t sum64, largest64;
};

/*
 * Reads the attribute `resource`: a line each for the six BARs and the ROM, "0x<first> 0x<last> 0x<flags>"
 * (drivers/pci/pci-sysfs.c, resource_show()); what follows is not the function's own. 0; -EINVAL if it is anything
 * else.
 */
int bars_parse(const char *resource, struct bars *ret) _must_check_;

/*
 * Bytes of 64-bit window that functions with these BARs take behind a root port of their own: a bridge's window
 * begins at a multiple of the largest BAR behind it.
 */
uint64_t bars_window64(const struct bars *bars);

/* Adds the BARs of another function behind the same port. */
void bars_add(struct bars *bars, const struct bars *other);

#define SEGMENTS_MAX 96 /* Cloud Hypervisor's own limit (MAX_NUM_PCI_SEGMENTS, vmm/src/config.rs) */

/* How functions are laid out over the PCI segments of Cloud Hypervisor. */
struct segments {
	unsigned int count;                 /* 1: nothing has to be said */
	unsigned int weight[SEGMENTS_MAX];  /* mmio32_aperture_weight; they are MiB, and add up to the aperture */
	bool fits;                          /* else the weights mean nothing */
};

/* One card of them: its functions stay together. */
struct segment_card {
	unsigned int functions;
	struct bars bars;
	unsigned int segment;               /* set by segments_plan() */
};

/*
 * Lays n cards out, in their order. aperture is what all segments have for 32-bit BARs together, in MiB.
 */
void segments_plan(struct segment_card *cards, size_t n, unsigned int aperture, struct segments *ret);

#endif
