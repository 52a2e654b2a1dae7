/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who goes with a GPU: the companions of its card, and the members of its IOMMU group that its `siblings` names. They do
 * not see function 0 land, so they are told.
 */
#ifndef NVFIO_SIBLINGS_H
#define NVFIO_SIBLINGS_H

#include "config.h"
#include "pci.h"

/*
 * Looks in the function's IOMMU group for function 0 of a GPU card whose `siblings` names the function; of several for one
 * that is on VFIO. 1 with *ret open, the caller's to pci_close(); 0 with ret->dirfd -1: there is none; -errno likewise.
 * config may be NULL: the defaults, which name nobody.
 */
int siblings_find_namer(const struct pci_function *f, const struct config *config, struct pci_function *ret) _must_check_;

/*
 * The companions of a card one after the other: begin with *bdf being function 0's. 1 with *ret to be closed, 0 when there
 * are no more.
 */
int siblings_next_companion(const struct pci_function *function0, struct bdf *bdf, struct pci_function *ret)
	_must_check_;

/*
 * Once function 0 is on VFIO: sends a follow-up event to each companion (unless the caller sees to those) and each named
 * member of its group that is not.
 * Receivers are no function 0 of a GPU and send none, so nothing loops. What fails is logged.
 */
void siblings_follow_up(const struct pci_function *function0, const struct setting *siblings, bool companions);

#endif
