// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The members of a GPU's IOMMU group that go with it, from both sides: whom function 0 tells, and who names a function.
 * Decides nothing: what a function that was told does about it is policy.c's business.
 */
#include "siblings.h"

#include "log.h"
#include "policy.h"
#include "sysfs.h"
#include "uevent.h"

static bool is_gpu_function0(const struct pci_function *f)
{
	return f->bdf.function == 0 && !f->is_vf && f->ids.vendor == PCI_VENDOR_NVIDIA && pci_is_display(f->class);
}

static bool names(const struct config *config, const struct pci_function *function0, const struct bdf *bdf)
{
	struct config_subject who = { .bdf = function0->bdf, .ids = function0->ids };
	struct settings settings;

	config_resolve(config, &who, &settings);
	return config_siblings_name(&settings.key[KEY_SIBLINGS], bdf);
}

int siblings_find_namer(const struct pci_function *f, const struct config *config, struct pci_function *ret)
{
	_cleanup_dir_ DIR *dir = sysfs_list(f->dirfd, "iommu_group/devices");
	const struct dirent *de;

	ret->dirfd = -1;
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((ret->dirfd < 0 || !ret->on_vfio) && (errno = 0, de = readdir(dir))) {
		struct pci_function member = { .dirfd = -1 };
		const char *attr;

		/* A member that is no PCI function or has just gone names nobody. */
		if (de->d_name[0] == '.' || pci_open(de->d_name, &member, &attr) < 0)
			continue;
		if (is_gpu_function0(&member) && (ret->dirfd < 0 || member.on_vfio) && names(config, &member, &f->bdf)) {
			pci_close(ret);
			*ret = member;
		} else {
			pci_close(&member);
		}
	}
	return ret->dirfd >= 0 ? 1 : -errno;
}

static void tell(const struct pci_function *f)
{
	int r = uevent_follow_up(f->dirfd);

	if (r < 0 && r != -ENODEV && r != -ENOENT)
		log_message(LOG_WARNING, f->name, "could not send a follow-up event: %s; `udevadm trigger` does", strerror(-r));
}

int siblings_next_companion(const struct pci_function *function0, struct bdf *bdf, struct pci_function *ret)
{
	while (++bdf->function < 8) {
		char name[BDF_SIZE];
		const char *attr;

		pci_format_bdf(bdf, name);
		if (pci_open(name, ret, &attr) < 0)
			continue;
		if (policy_role(ret, function0) == ROLE_COMPANION)
			return 1;
		pci_close(ret);
	}
	return 0;
}

static void tell_companions(const struct pci_function *function0)
{
	_cleanup_pci_ struct pci_function other = { .dirfd = -1 };
	struct bdf bdf = function0->bdf;

	while (siblings_next_companion(function0, &bdf, &other)) {
		if (!other.on_vfio)
			tell(&other);
		pci_close(&other);
	}
}

static void tell_named(const struct pci_function *function0, const struct setting *siblings)
{
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *de;

	if (siblings->choice != CHOICE_LIST)
		return;
	dir = sysfs_list(function0->dirfd, "iommu_group/devices");
	while (dir && (de = readdir(dir))) {
		_cleanup_pci_ struct pci_function member = { .dirfd = -1 };
		const char *attr;

		if (de->d_name[0] == '.' || pci_open(de->d_name, &member, &attr) < 0 || member.on_vfio ||
		    member.is_bridge)
			continue;
		/* NVIDIA's own functions are judged by their own events; those that are no GPU's have none that takes them. */
		if (config_siblings_name(siblings, &member.bdf) &&
		    policy_needs_naming(policy_role(&member, pci_same_card(&member.bdf, &function0->bdf) ? function0 : NULL)))
			tell(&member);
	}
}

void siblings_follow_up(const struct pci_function *function0, const struct setting *siblings, bool companions)
{
	if (!is_gpu_function0(function0))
		return;
	if (companions)
		tell_companions(function0);
	tell_named(function0, siblings);
}
