// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Switches from the paths of sysfs. Peer-to-peer requests between two functions are sure to arrive only if a switch
 * can forward them; PCIe leaves it to a root complex whether it does between its ports (PCIe Base Specification,
 * "Root Complex"; docs/vfio.md of Cloud Hypervisor says the same of its x_nv_gpudirect_clique). Any switch in common
 * will do, and all functions below one root port's switch have that one in common: so the one nearest to the root
 * port makes the largest sets in which each pair has one.
 */
#include "topology.h"

/* "../../../devices/pci0000:00/0000:00:01.0/0000:02:00.0/0000:03:08.0/0000:05:00.0": parts from the end that are BDFs. */
void topology_switch(const char *path, char name[static BDF_SIZE])
{
	const char *end = path + strlen(path);
	char part[BDF_SIZE], below[2][BDF_SIZE] = { "", "" };
	unsigned int depth = 0;
	struct bdf bdf;

	name[0] = '\0';
	for (;;) {
		const char *s = end;

		while (s > path && s[-1] != '/')
			s--;
		if ((size_t)(end - s) >= sizeof(part))
			break;
		memcpy(part, s, (size_t)(end - s));
		part[end - s] = '\0';
		if (pci_parse_bdf(part, &bdf) < 0)
			break;
		/* part may be the root port; what was met before it is one step further from it. */
		memcpy(below[1], below[0], BDF_SIZE);
		pci_format_bdf(&bdf, below[0]);
		depth++;
		if (s == path)
			break;
		end = s - 1;
	}
	/* The function itself, the root port, and at least one bridge in between. */
	if (depth >= 3)
		memcpy(name, below[1], BDF_SIZE);
}

unsigned int topology_cliques(const char (*switches)[BDF_SIZE], size_t n, int *clique)
{
	unsigned int count = 0;
	size_t i, j;

	for (i = 0; i < n; i++)
		clique[i] = CLIQUE_NONE;
	for (i = 0; i < n; i++) {
		bool met = false, shared = false;

		for (j = 0; j < n && switches[i][0]; j++) {
			if (j != i && streq(switches[i], switches[j]))
				*(j < i ? &met : &shared) = true;
		}
		if (met || !shared)
			continue;
		for (j = i; j < n && count < CLIQUE_COUNT; j++) {
			if (streq(switches[i], switches[j]))
				clique[j] = (int)count;
		}
		count++;
	}
	return count;
}
