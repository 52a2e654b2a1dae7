/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IOMMU group of a function: what isolates it, and whether VFIO could hand it out.
 */
#ifndef NVFIO_IOMMU_H
#define NVFIO_IOMMU_H

#include <stdbool.h>
#include "config.h"

/* Whether any IOMMU came up (/sys/class/iommu has an entry). */
bool iommu_present(void);

/*
 * Whether a function leaves DMA alone and so is in nobody's way: without driver, on a VFIO driver, or on one with
 * .driver_managed_dma.
 */
bool iommu_leaves_dma_alone(const struct pci_function *member);

struct iommu_viability {
	bool viable;          /* no member is on a driver that does its own DMA */
	char blockers[256];   /* "0000:01:00.1 (snd_hda_intel)", comma separated; of many the first few */
};

/*
 * Whether every member of f's group is unbound, on a VFIO driver, or on one that leaves DMA alone (pci-stub, pcieport:
 * those with .driver_managed_dma, iommu_group_claim_dma_owner() in drivers/iommu/iommu.c refuses the others).
 * NVIDIA's own functions of f's card, and the members that `siblings` names, do not count: they may be on their way.
 * 0, -ENOENT without a group, -errno.
 */
int iommu_viability(const struct pci_function *f, const struct setting *siblings, struct iommu_viability *ret)
	_must_check_;

#endif
