/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is the same for all functions of the host. Each question is looked up anew, as an event has it; while host_keep()
 * is on, it is looked up once: for a program that asks about hundreds of functions and is done in a moment.
 */
#ifndef NVFIO_HOST_H
#define NVFIO_HOST_H

#include "config.h"

/*
 * Keeps answers from here on (kmod.h's and console.h's as well), or lets go of them; judgements made meanwhile are to be
 * freed before. For one who looks, or acts on functions that came in one event.
 */
void host_keep(bool keep);

/* Whether nvfio=off is on the kernel command line. 1, 0 (also without /proc) or -errno. */
int host_is_off(void) _must_check_;

/* As config_load(), to be given back by host_config_done() instead of config_free(). */
int host_config(struct config **ret, char *error, size_t error_size) _must_check_;
void host_config_done(struct config *config);

/* iommu_present(). */
bool host_has_iommu(void);

/* Whether IOMMU groups are made at the first probe only (Arm, up to 6.14). */
bool host_groups_come_late(void);

/* A sign that the host is for vGPUs, whatever the function; a sentence, static. NULL: none. */
const char *host_vgpu_sign(void);

/* Looks at a VF's PF, as pci_open(), but ret->dirfd is -1: it is closed already. 0 or -errno. */
int host_pf(const char *name, struct pci_function *ret) _must_check_;

#endif
