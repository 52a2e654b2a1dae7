// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Facts about the host, and the one place that remembers them. What is remembered lives until host_keep(false).
 */
#include "host.h"

#include <sys/utsname.h>
#include "console.h"
#include "iommu.h"
#include "kmod.h"
#include "root.h"

static struct {
	bool on;
	bool has_off, has_config, has_iommu, has_late, has_vgpu; /* which of the answers below are known */
	int off;
	struct config *config;
	int config_result;
	char config_error[512];
	bool iommu, late;
	const char *vgpu;
	struct pci_function *pfs;
	size_t n_pfs;
} kept;

void host_keep(bool keep)
{
	kmod_keep(keep);
	console_keep(keep);
	config_free(kept.config);
	free(kept.pfs);
	memset(&kept, 0, sizeof(kept));
	kept.on = keep;
}

static int read_off(void)
{
	char line[8192], *token, *save = NULL;
	ssize_t n = root_read("/proc/cmdline", line, sizeof(line));

	if (n < 0)
		return n == -ENOENT ? 0 : (int)n;
	for (token = strtok_r(line, " \n", &save); token; token = strtok_r(NULL, " \n", &save)) {
		if (streq(token, "nvfio=off"))
			return 1;
	}
	return 0;
}

int host_is_off(void)
{
	if (!kept.on)
		return read_off();
	if (!kept.has_off)
		kept.off = read_off();
	kept.has_off = true;
	return kept.off;
}

int host_config(struct config **ret, char *error, size_t error_size)
{
	if (!kept.on)
		return config_load(ret, error, error_size);
	if (!kept.has_config)
		kept.config_result = config_load(&kept.config, kept.config_error, sizeof(kept.config_error));
	kept.has_config = true;
	if (kept.config_result < 0)
		snprintf(error, error_size, "%s", kept.config_error);
	else
		*ret = kept.config;
	return kept.config_result;
}

void host_config_done(struct config *config)
{
	if (config != kept.config)
		config_free(config);
}

bool host_has_iommu(void)
{
	if (!kept.on)
		return iommu_present();
	if (!kept.has_iommu)
		kept.iommu = iommu_present();
	kept.has_iommu = true;
	return kept.iommu;
}

/* Up to 6.14 fwspec is parsed at the first probe there, and the group made with it (of_iommu_configure, iort). */
bool host_groups_come_late(void)
{
	struct utsname u;

	if (!kept.has_late)
		kept.late = uname(&u) == 0 && (startswith(u.machine, "aarch64") || startswith(u.machine, "arm"));
	kept.has_late = kept.on;
	return kept.late;
}

static const char *find_vgpu_sign(void)
{
	int installed = kmod_exists("nvidia_vgpu_vfio");

	if (installed > 0)
		return "nvidia_vgpu_vfio is installed";
	if (root_exists("/usr/lib/nvidia/sriov-manage"))
		return "sriov-manage is installed";
	/* In doubt it is one: a VF of a vGPU host is not to be taken. */
	return installed < 0 ? "libkmod cannot tell whether nvidia_vgpu_vfio is installed" : NULL;
}

const char *host_vgpu_sign(void)
{
	if (!kept.on)
		return find_vgpu_sign();
	if (!kept.has_vgpu)
		kept.vgpu = find_vgpu_sign();
	kept.has_vgpu = true;
	return kept.vgpu;
}

int host_pf(const char *name, struct pci_function *ret)
{
	struct pci_function *more;
	const char *attr;
	size_t i;
	int r;

	for (i = 0; i < kept.n_pfs; i++) {
		if (streq(kept.pfs[i].name, name)) {
			*ret = kept.pfs[i];
			return 0;
		}
	}
	r = pci_open(name, ret, &attr);
	if (r < 0)
		return r;
	pci_close(ret);
	more = kept.on ? reallocarray(kept.pfs, kept.n_pfs + 1, sizeof(*more)) : NULL;
	if (more) {
		kept.pfs = more;
		kept.pfs[kept.n_pfs++] = *ret;
	}
	return 0;
}
