// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * IOMMU facts. Reads only; says nothing about what should happen.
 */
#include "iommu.h"

#include "sysfs.h"

bool iommu_present(void)
{
	_cleanup_dir_ DIR *dir = sysfs_list_path("/sys/class/iommu");
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] != '.')
			return true;
	}
	return false;
}

bool iommu_leaves_dma_alone(const struct pci_function *member)
{
	return member->driver[0] == '\0' || member->on_vfio || streq(member->driver, "pci-stub") ||
	       streq(member->driver, "pcieport");
}

static void add_blocker(struct iommu_viability *v, const struct pci_function *member)
{
	size_t used = strlen(v->blockers);

	/* What no longer fits is left out: the first few names are enough to act on. */
	if (used + BDF_SIZE + DRIVER_NAME_SIZE + 6 > sizeof(v->blockers))
		return;
	snprintf(v->blockers + used, sizeof(v->blockers) - used, "%s%s (%s)", used ? ", " : "", member->name,
		 member->driver);
}

static bool on_its_way(const struct pci_function *member, const struct pci_function *f, const struct setting *siblings)
{
	return (member->ids.vendor == PCI_VENDOR_NVIDIA && pci_same_card(&member->bdf, &f->bdf)) ||
	       config_siblings_name(siblings, &member->bdf);
}

int iommu_viability(const struct pci_function *f, const struct setting *siblings, struct iommu_viability *ret)
{
	struct iommu_viability v = { .viable = true };
	_cleanup_dir_ DIR *dir = sysfs_list(f->dirfd, "iommu_group/devices");
	struct dirent *de;

	if (!dir)
		return -errno;
	while (errno = 0, (de = readdir(dir))) {
		_cleanup_pci_ struct pci_function member = { .dirfd = -1 };
		const char *attr;

		/* The function itself is known. A member that is no PCI function or has just gone cannot be in its way. */
		if (de->d_name[0] == '.' || (streq(de->d_name, f->name) && iommu_leaves_dma_alone(f)) ||
		    pci_open(de->d_name, &member, &attr) < 0)
			continue;
		if (iommu_leaves_dma_alone(&member) || on_its_way(&member, f, siblings))
			continue;
		v.viable = false;
		add_blocker(&v, &member);
	}
	if (errno)
		return -errno;
	*ret = v;
	return 0;
}
