/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where functions hang in the PCIe tree, and which GPUs reach each other without leaving a switch. Pure.
 */
#ifndef NVFIO_TOPOLOGY_H
#define NVFIO_TOPOLOGY_H

#include <stddef.h>
#include "pci.h"

/*
 * The switch that a function is behind, by the address of its upstream port: the first bridge below the root port.
 * path is where the function's entry in /sys/bus/pci/devices leads. Empty where no bridge is between function and
 * root port: what such functions say to each other goes through the root complex, which need not forward it.
 */
void topology_switch(const char *path, char name[static BDF_SIZE]);

#define CLIQUE_NONE (-1)
#define CLIQUE_COUNT 16 /* the guest's capability has four bits for it */

/*
 * Puts GPUs into cliques: those behind the same switch, also where further switches are below it. switches[i] is that
 * of GPU i, empty for none. clique[i] becomes its number, in the order in which the GPUs come, or CLIQUE_NONE: behind
 * no switch, alone behind it, or of a switch for which there is no number left. How many cliques there would be.
 */
unsigned int topology_cliques(const char (*switches)[BDF_SIZE], size_t n, int *clique);

#endif
