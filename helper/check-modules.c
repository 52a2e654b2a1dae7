// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio check: the kernel and its modules. Whether what VFIO needs can be had, which VFIO driver each function gets, and what
 * secure boot and drivers built into the kernel make of it.
 */
#include "check.h"

#include <fcntl.h>
#include "root.h"

static void mend_kernel_package(const struct host *host, struct finding *f)
{
	finding_mend(f, SYSTEM_DEBIAN, "apt install linux-image-%s (a cloud kernel may lack them: apt install linux-image-amd64)",
		     host->release);
	finding_mend(f, SYSTEM_FEDORA, "dnf install kernel-modules-%s", host->release);
	finding_mend(f, SYSTEM_ARCH, "pacman -S linux && reboot");
}

/* Where the line is that keeps a module out, to be taken out. */
static void mend_blacklist(const struct host *host, struct finding *f, const char *module, bool install)
{
	static const char *const keys[] = { "module_blacklist=", "modprobe.blacklist=" };
	char where[300], rest[300], list[300];
	bool found = modprobed_find(install ? "install" : "blacklist", module, NULL, where, rest) == 0;
	unsigned int i;

	if (found)
		finding_mend(f, SYSTEM_ALL, "remove the line %s (%s %s)", where, install ? "install" : "blacklist", module);
	for (i = 0; i < ARRAY_SIZE(keys) && !install; i++) {
		if (host_argument(host, keys[i], list, sizeof(list)) && strstr(list, "vfio"))
			finding_mend(f, SYSTEM_ALL, "remove %s from %s%s on the kernel command line", module, keys[i], list);
	}
}

/* "6.1" and later have the vfio-dev directory, the sign of a finished bind. */
void check_kernel(const struct host *host, struct finding *f)
{
	char path[sizeof("/lib/modules/") + sizeof(host->release)];
	unsigned int major, minor;

	if (sscanf(host->release, "%u.%u", &major, &minor) != 2) {
		finding_say(f, GRADE_NOTE, NULL, "the version of the kernel cannot be told");
		return;
	}
	snprintf(path, sizeof(path), "/lib/modules/%s", host->release);
	if (major < 6 || (major == 6 && minor < 1)) {
		finding_say(f, GRADE_PROBLEM, "nvfio needs 6.1 or newer: before, the kernel does not show that a VFIO bind is finished.",
			    "kernel %s is too old", host->release);
		finding_mend(f, SYSTEM_DEBIAN, "apt full-upgrade to Debian 12, or a newer kernel from backports");
		finding_mend(f, SYSTEM_FEDORA, "dnf upgrade kernel && reboot");
		finding_mend(f, SYSTEM_ARCH, "pacman -Syu && reboot");
	} else if (!root_exists(path)) {
		finding_say(f, GRADE_PROBLEM, "Often the kernel was upgraded, and its old modules removed, while it ran. No module loads until "
			    "the new one is booted.", "kernel %s has no modules on disk: there is no %s", host->release, path);
		finding_mend(f, SYSTEM_ALL, "reboot");
		mend_kernel_package(host, f);
	} else {
		finding_say(f, GRADE_OK, NULL, "kernel %s", host->release);
	}
}

static const char *presence_text(enum kmod_presence presence)
{
	switch (presence) {
	case KMOD_LOADED:
		return "loaded";
	case KMOD_BUILTIN:
		return "built in";
	case KMOD_LOADABLE:
		return "can be loaded";
	case KMOD_BLACKLISTED:
		return "blacklisted";
	case KMOD_INSTALL_COMMAND:
		return "has an install command";
	case KMOD_MISSING:
	default:
		return "missing";
	}
}

static bool is_kept_out(enum kmod_presence presence)
{
	return presence == KMOD_BLACKLISTED || presence == KMOD_INSTALL_COMMAND;
}

/* Of containers type1 and iommufd one is enough: a VMM uses this one or that. */
void check_vfio(const struct host *host, struct finding *f)
{
	static const char *const modules[] = { "vfio", "vfio_pci", "vfio_iommu_type1", "iommufd" };
	enum kmod_presence found[ARRAY_SIZE(modules)];
	struct crowd text = { .n = 0 };
	bool missing, kept_out = false, is_signed;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		found[i] = kmod_find(modules[i], &is_signed);
		kept_out |= i < 3 && is_kept_out(found[i]);
		crowd_add(&text, "%s %s", modules[i], presence_text(found[i]));
	}
	missing = found[0] == KMOD_MISSING || found[1] == KMOD_MISSING || (found[2] == KMOD_MISSING && found[3] == KMOD_MISSING);
	if (!missing && !kept_out) {
		finding_say(f, GRADE_OK, NULL, "%s", crowd_text(&text));
		return;
	}
	finding_say(f, GRADE_PROBLEM, missing ? "This kernel has no VFIO for PCI: nvfio refuses every function." :
		    "nvfio honours blacklists, and never runs install commands: it refuses functions whose driver is kept out, and VMs do "
		    "not start without the others.", "%s", crowd_text(&text));
	for (i = 0; i < 3; i++) {
		if (is_kept_out(found[i]))
			mend_blacklist(host, f, modules[i], found[i] == KMOD_INSTALL_COMMAND);
	}
	if (missing)
		mend_kernel_package(host, f);
}

void check_drivers(const struct host *host, struct finding *f)
{
	struct crowd bad = { .n = 0 }, good = { .n = 0 };
	size_t i;

	for (i = 0; i < host->n; i++) {
		const struct function *fn = &host->functions[i];

		if (!fn->wanted)
			continue;
		if (fn->driver_status == DRIVER_FOUND)
			crowd_add(&good, "%s: %s", fn->bdf, fn->vfio.driver[0] ? fn->vfio.driver : fn->vfio.module);
		else
			crowd_add(&bad, "%s (%s)", fn->bdf, fn->driver_status == DRIVER_BLACKLISTED ? "blacklisted" :
				  fn->driver_status == DRIVER_INSTALL_COMMAND ? "has an install command" :
				  fn->driver_status == DRIVER_NO_MODULE ? "no such module" : "could not be told");
	}
	if (bad.n > 0) {
		finding_say(f, GRADE_PROBLEM, "nvfio refuses these functions. Their native drivers load as ever.",
			    "no VFIO driver for %s", crowd_text(&bad));
		finding_mend(f, SYSTEM_ALL, "nvfio explain BDF; see the finding vfio, and the key driver in nvfio.conf(5)");
	} else if (good.n > 0) {
		finding_say(f, GRADE_OK, NULL, "%s", crowd_text(&good));
	} else {
		finding_say(f, GRADE_OK, NULL, "no function is wanted on VFIO");
	}
}

/*
 * Functions whose memory is part of the processor's, by the table of drivers/vfio/pci/nvgrace-gpu/main.c up to 7.3. Under plain
 * vfio-pci a VM gets them without that memory.
 */
static bool is_grace(const struct pci_ids *ids)
{
	static const uint16_t devices[] = { 0x2342, 0x2345, 0x2348, 0x2941, 0x31c2 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		if (ids->device == devices[i])
			return true;
	}
	return false;
}

void check_grace(const struct host *host, struct finding *f)
{
	struct crowd plain = { .n = 0 };
	bool is_signed;
	size_t i;

	for (i = 0; i < host->n; i++) {
		const struct function *fn = &host->functions[i];

		if (fn->wanted && is_grace(&fn->ids) && fn->driver_status == DRIVER_FOUND && streq(fn->vfio.module, "vfio_pci"))
			crowd_add(&plain, "%s", fn->bdf);
	}
	if (plain.n == 0) {
		finding_say(f, GRADE_OK, NULL, "no function needs a VFIO variant driver that the kernel does not have");
		return;
	}
	finding_say(f, GRADE_NOTE, "On vfio-pci a VM has these Grace GPUs without their coherent memory.",
		    "nvgrace_gpu_vfio_pci would fit, vfio-pci is all there is: %s", crowd_text(&plain));
	if (is_kept_out(kmod_find("nvgrace_gpu_vfio_pci", &is_signed)))
		mend_blacklist(host, f, "nvgrace_gpu_vfio_pci", false);
	else
		finding_mend(f, SYSTEM_ALL, "a kernel with CONFIG_NVGRACE_GPU_VFIO_PCI (arm64; 6.10, for GB200 and GB300 6.14 or newer)");
}

/* Why the kernel takes signed modules only, or NULL. 1 in *none where it takes no module any more. */
static const char *enforcement(char *buf, size_t size, bool *none)
{
	static const char efi[] = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
	_cleanup_close_ int fd = root_open(efi, O_RDONLY);
	char value[64];
	uint8_t variable[5];

	*none = host_line("/proc/sys/kernel/modules_disabled", value, sizeof(value)) == 0 && value[0] == '1';
	if (*none)
		return "modules_disabled is set";
	if (host_line("/sys/kernel/security/lockdown", value, sizeof(value)) == 0 && !strstr(value, "[none]") && strchr(value, '[')) {
		snprintf(buf, size, "lockdown is %.*s", (int)strcspn(strchr(value, '[') + 1, "]"), strchr(value, '[') + 1);
		return buf;
	}
	if (host_line("/sys/module/module/parameters/sig_enforce", value, sizeof(value)) == 0 && host_is_yes(value))
		return "module.sig_enforce is set";
	/* Four bytes of attributes, then the value. Without lockdown secure boot alone refuses nothing. */
	if (fd >= 0 && read(fd, variable, sizeof(variable)) == sizeof(variable) && variable[4] == 1)
		snprintf(buf, size, "secure boot is on, and the kernel does not enforce signatures");
	return NULL;
}

void check_signatures(const struct host *host _unused_, struct finding *f)
{
	static const char *const modules[] = { "vfio_pci", "vfio_iommu_type1" };
	char buf[96] = "";
	bool none, is_signed;
	const char *why = enforcement(buf, sizeof(buf), &none);
	struct crowd bad = { .n = 0 };
	unsigned int i;

	for (i = 0; why && i < ARRAY_SIZE(modules); i++) {
		enum kmod_presence found = kmod_find(modules[i], &is_signed);

		if (found == KMOD_LOADABLE && (none || !is_signed))
			crowd_add(&bad, "%s", modules[i]);
	}
	if (!why) {
		finding_say(f, GRADE_OK, NULL, "%s", buf[0] ? buf : "unsigned modules may be loaded");
	} else if (bad.n == 0) {
		finding_say(f, GRADE_NOTE, none ? NULL : "Only signed modules load: those of the distribution, not what DKMS builds without an "
			    "enrolled key. VFIO itself is not restricted.", "%s; the VFIO modules are %s", why,
			    none ? "loaded or built in" : "loaded, built in or signed");
	} else {
		finding_say(f, GRADE_PROBLEM, "nvfio refuses functions whose driver the kernel refuses to load.", "%s, and %s",
			    why, crowd_text(&bad));
		snprintf(f->text, sizeof(f->text), "%s: %s cannot be loaded", why, bad.text);
		if (none)
			finding_mend(f, SYSTEM_ALL, "load them earlier at boot: printf 'vfio_pci\\nvfio_iommu_type1\\n' "
				     ">/etc/modules-load.d/vfio.conf");
		else
			finding_mend(f, SYSTEM_ALL, "use the distribution's signed kernel, or sign the modules and enrol the key: mokutil "
				     "--import KEY.der");
	}
}

/* What of those that come to a GPU before udev does is built in. What the companions have is taken over with the GPU. */
void check_native(const struct host *host, struct finding *f)
{
	static const char *const modules[] = { "nouveau", "nova_core", "nvidiafb" };
	struct crowd builtin = { .n = 0 };
	bool at_boot = false, takes = false, is_signed;
	unsigned int i;
	size_t k;

	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		if (kmod_find(modules[i], &is_signed) == KMOD_BUILTIN)
			crowd_add(&builtin, "%s", modules[i]);
	}
	for (k = 0; k < host->n; k++) {
		at_boot |= host->functions[k].wanted && !host->functions[k].left_at_boot;
		takes |= host->functions[k].wanted && host->functions[k].takeover == CHOICE_IDLE;
	}
	if (builtin.n == 0) {
		finding_say(f, GRADE_OK, NULL, "no native GPU driver is built into the kernel");
		return;
	}
	finding_say(f, at_boot && !takes ? GRADE_PROBLEM : GRADE_NOTE, "It has every GPU before udev begins. With boot = vfio a GPU is then "
		    "deferred, unless takeover = idle.", "built into the kernel: %s", crowd_text(&builtin));
	finding_mend(f, SYSTEM_ALL, "in the [policy] section of /etc/nvfio.conf: takeover = idle");
	if (strstr(builtin.text, "nouveau"))
		finding_add_argument(f, "nouveau.modeset=0");
}
