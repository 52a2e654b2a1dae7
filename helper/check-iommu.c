// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio check: what isolates a VM's device from the host. Whether an IOMMU is on, what it translates, which functions it
 * can tell apart, and whether interrupts are remapped.
 */
#include "check.h"

#include "root.h"
#include "sysfs.h"

/* The argument that keeps the IOMMU off, if one does. */
static const char *off_argument(const struct host *host, char *buf, size_t size)
{
	static const char *const names[] = { "intel_iommu=", "amd_iommu=", "iommu=" };
	char value[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (host_argument(host, names[i], value, sizeof(value)) && startswith(value, "off")) {
			snprintf(buf, size, "%s%s", names[i], value);
			return buf;
		}
	}
	return NULL;
}

static void say_no_iommu(const struct host *host, struct finding *f)
{
	static const char means[] = "Without an IOMMU a device reaches all of the host's memory. VFIO hands out nothing then, and nvfio "
				    "refuses every function, which stays with its native driver.";
	/* The firmware describes its IOMMUs in these (ACPI tables of VT-d and AMD-Vi); their names are there for everybody. */
	bool dmar = root_exists("/sys/firmware/acpi/tables/DMAR"), ivrs = root_exists("/sys/firmware/acpi/tables/IVRS");
	char argument[80];

	if (off_argument(host, argument, sizeof(argument))) {
		finding_say(f, GRADE_PROBLEM, means, "no IOMMU is on: the kernel command line has %s", argument);
		finding_remove_argument(f, argument);
		if (host->machine != MACHINE_INTEL)
			return;
	} else {
		finding_say(f, GRADE_PROBLEM, means, "no IOMMU is on%s", dmar || ivrs ? ", though the firmware offers one" : "");
	}
	if (host->machine == MACHINE_INTEL && !dmar)
		finding_mend(f, SYSTEM_ALL, "firmware setup: enable VT-d (Intel Virtualization Technology for Directed I/O)");
	if (host->machine == MACHINE_INTEL)
		finding_add_argument(f, "intel_iommu=on");
	else if (host->machine == MACHINE_AMD && !ivrs)
		finding_mend(f, SYSTEM_ALL, "firmware setup: enable IOMMU (AMD-Vi), with SVM; the kernel needs no argument for it");
	else if (!dmar && !ivrs)
		finding_mend(f, SYSTEM_ALL, "firmware setup: enable the IOMMU (VT-d, AMD-Vi, SMMU)");
}

void check_iommu(const struct host *host, struct finding *f)
{
	_cleanup_dir_ DIR *dir = sysfs_list_path("/sys/class/iommu");
	struct crowd units = { .n = 0 };
	const struct dirent *de;

	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] != '.')
			crowd_add(&units, "%s", de->d_name);
	}
	if (units.n == 0)
		say_no_iommu(host, f);
	else
		finding_say(f, GRADE_OK, NULL, "IOMMU on: %s", crowd_text(&units));
}

/* Functions without a group that isolates them. */
static bool say_no_group(const struct host *host, struct finding *f)
{
	struct crowd none = { .n = 0 }, unsafe = { .n = 0 };
	size_t i;

	for (i = 0; i < host->n; i++) {
		if (!host->functions[i].has_group)
			crowd_add(host->functions[i].group[0] ? &unsafe : &none, "%s", host->functions[i].bdf);
	}
	if (unsafe.n > 0) {
		finding_say(f, GRADE_PROBLEM, "VFIO made these groups up (no-IOMMU mode): a VM that has such a function can read and "
			    "write all memory of the host.", "no IOMMU isolates %s", crowd_text(&unsafe));
	} else if (none.n > 0 && host->machine == MACHINE_ARM) {
		finding_say(f, GRADE_NOTE, "On Arm, kernels before 6.15 make the group at the first probe, so this may be no fault.",
			    "no IOMMU group yet: %s", crowd_text(&none));
	} else if (none.n > 0) {
		finding_say(f, GRADE_PROBLEM, "The IOMMU that is on is not responsible for these functions; nvfio refuses them.",
			    "no IOMMU group: %s", crowd_text(&none));
		finding_mend(f, SYSTEM_ALL, "firmware setup: enable the IOMMU for all of PCI Express; a newer firmware may list more of it");
	}
	return unsafe.n > 0 || none.n > 0;
}

void check_translation(const struct host *host, struct finding *f)
{
	struct crowd identity = { .n = 0 };
	char type[24] = "", argument[64], value[32];
	size_t i;

	if (!iommu_present()) {
		finding_say(f, GRADE_NOTE, NULL, "nothing translates: no IOMMU is on");
		return;
	}
	if (say_no_group(host, f))
		return;
	for (i = 0; i < host->n; i++) {
		const struct function *fn = &host->functions[i];

		if (streq(fn->group_type, "identity"))
			crowd_add(&identity, "%s", fn->bdf);
		else if (fn->group_type[0] && !type[0])
			memcpy(type, fn->group_type, sizeof(type));
	}
	if (identity.n == 0) {
		if (host->n == 0)
			finding_say(f, GRADE_OK, NULL, "no NVIDIA function to look at");
		else
			finding_say(f, GRADE_OK, NULL, "every function is in an IOMMU group%s%s", type[0] ? ", of type " : "", type);
		return;
	}
	finding_say(f, GRADE_NOTE, "While a VM has the function, VFIO gives it translation of its own: VMs are as isolated as ever. "
		    "Under a driver of the host, DMA is not translated, which is faster and guards against nothing.",
		    "IOMMU groups of type identity: %s", crowd_text(&identity));
	snprintf(argument, sizeof(argument), "%s",
		 host_argument(host, "iommu.passthrough=", value, sizeof(value)) ? "iommu.passthrough=1" : "iommu=pt");
	finding_mend(f, SYSTEM_ALL, "none is needed; to have the host's DMA translated as well:");
	finding_remove_argument(f, argument);
}

/* "0000:03:00.0 (mlx5_core), 0000:04:00.0 (nvme)": the addresses alone, as `siblings` takes them. */
static void addresses_of(const char *blockers, char *buf, size_t size)
{
	bool inside = false;
	size_t n = 0;

	for (; *blockers && n + 1 < size; blockers++) {
		inside = *blockers == '(' || (inside && *blockers != ')');
		if (!inside && *blockers != ')' && !(*blockers == ' ' && blockers[1] == '('))
			buf[n++] = *blockers;
	}
	buf[n] = '\0';
}

/* `siblings` counts for function 0 of a GPU, and takes only functions of which it can be told whether the host needs them. */
static bool can_be_siblings(const struct function *fn, const char *members)
{
	char list[256], *token, *save = NULL;

	snprintf(list, sizeof(list), "%s", members);
	for (token = strtok_r(list, ", ", &save); token; token = strtok_r(NULL, ", ", &save)) {
		_cleanup_pci_ struct pci_function member = { .dirfd = -1 };
		const char *attr;

		if (pci_open(token, &member, &attr) < 0 || member.is_bridge || !pci_is_judgeable(member.class))
			return false;
	}
	return fn->role == ROLE_GPU;
}

void check_groups(const struct host *host, struct finding *f)
{
	struct crowd bad = { .n = 0 };
	const struct function *first = NULL;
	char members[256];
	size_t i;

	for (i = 0; i < host->n; i++) {
		const struct function *fn = &host->functions[i];

		if (!fn->has_group || fn->viability.viable || !(fn->wanted || fn->on_vfio) || fn->role == ROLE_COMPANION)
			continue;
		first = first ? first : fn;
		crowd_add(&bad, "%s with %s", fn->bdf, fn->viability.blockers);
	}
	if (!first) {
		finding_say(f, GRADE_OK, NULL, "no wanted function shares its group with one on a native driver");
		return;
	}
	finding_say(f, GRADE_PROBLEM, "VFIO hands out whole IOMMU groups. While another member is on a driver that does its own DMA, a VM "
		    "that is given the function does not start (\"group is not viable\").",
		    "IOMMU group shared: %s", crowd_text(&bad));
	addresses_of(first->viability.blockers, members, sizeof(members));
	finding_mend(f, SYSTEM_ALL, "another slot for the card, or firmware setup: enable ACS");
	if (!can_be_siblings(first, members)) {
		finding_mend(f, SYSTEM_ALL, "only if the host can do without %s: blacklist that driver in /etc/modprobe.d, and "
			     "reboot", first->viability.blockers);
		return;
	}
	finding_mend(f, SYSTEM_ALL, "only if the host can do without %s, in /etc/nvfio.conf.d/siblings.conf: [device %s]", members,
		     first->bdf);
	finding_mend(f, SYSTEM_ALL, "siblings = %s", members);
}

enum remapping { REMAPPING_UNKNOWN, REMAPPING_OFF, REMAPPING_ON };

/*
 * Interrupt controllers behind remapping hardware have names of their own: IR-IO-APIC, IR-PCI-MSI (arch/x86/kernel/apic/io_apic.c,
 * msi.c). On Arm the GICv3's ITS knows which device an interrupt is from.
 */
static enum remapping find_remapping(void)
{
	char text[65536];

	/* The first line is the timer's, or another one of the IO-APIC. */
	if (host_beginning("/proc/interrupts", text, sizeof(text)) < 0)
		return REMAPPING_UNKNOWN;
	if (strstr(text, " IR-") || strstr(text, "ITS-"))
		return REMAPPING_ON;
	return strstr(text, "IO-APIC") || strstr(text, "PCI-MSI") ? REMAPPING_OFF : REMAPPING_UNKNOWN;
}

/* Of vfio_iommu_type1 and of iommufd: as it is, or, before the module is loaded, as it will be. */
static bool allows_unsafe(const struct host *host, struct crowd *where)
{
	static const char *const modules[] = { "vfio_iommu_type1", "iommufd" };
	char path[96], value[16], name[64], file[300], rest[300];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s/parameters/allow_unsafe_interrupts", modules[i]);
		if (host_line(path, value, sizeof(value)) == 0) {
			if (host_is_yes(value))
				crowd_add(where, "%s", path);
			continue;
		}
		snprintf(name, sizeof(name), "%s.allow_unsafe_interrupts=", modules[i]);
		if (host_argument(host, name, value, sizeof(value)) && host_is_yes(value))
			crowd_add(where, "%s%s", name, value);
		if (modprobed_find("options", modules[i], "allow_unsafe_interrupts=", file, rest) == 0 &&
		    !strstr(rest, "allow_unsafe_interrupts=0") && !strstr(rest, "allow_unsafe_interrupts=N"))
			crowd_add(where, "%s", file);
	}
	return where->n > 0;
}

void check_interrupts(const struct host *host, struct finding *f)
{
	struct crowd where = { .n = 0 };
	bool unsafe = allows_unsafe(host, &where);
	enum remapping remapping = find_remapping();
	char value[64];

	if (!iommu_present()) {
		finding_say(f, GRADE_NOTE, "It is the IOMMU that does it.", "interrupts are not remapped: no IOMMU is on");
		return;
	}
	if (remapping == REMAPPING_ON && !unsafe) {
		finding_say(f, GRADE_OK, NULL, "interrupts are remapped");
	} else if (remapping == REMAPPING_ON) {
		finding_say(f, GRADE_NOTE, "It changes nothing while interrupts are remapped. Should they once not be, nobody would notice.",
			    "interrupts are remapped, and allow_unsafe_interrupts is on all the same: %s", crowd_text(&where));
		finding_mend(f, SYSTEM_ALL, "remove allow_unsafe_interrupts from the kernel command line and /etc/modprobe.d");
	} else if (remapping == REMAPPING_UNKNOWN) {
		finding_say(f, GRADE_NOTE, NULL, "/proc/interrupts does not tell whether interrupts are remapped");
		finding_mend(f, SYSTEM_ALL, "journalctl -k -b | grep -iE 'remapping|DMAR-IR|AMD-Vi'");
	} else if (unsafe) {
		finding_say(f, GRADE_NOTE, "allow_unsafe_interrupts lets VMs start anyway. Each of them can then send any interrupt to any "
			    "processor of the host: it can disturb the host and may take it over. For trusted VMs only.",
			    "interrupts are not remapped, which is allowed by %s", crowd_text(&where));
	} else {
		finding_say(f, GRADE_PROBLEM, "VFIO binds functions, but refuses to give one to a VM (EPERM), which could send any interrupt to "
			    "any processor of the host.", "interrupts are not remapped");
	}
	if (remapping != REMAPPING_OFF)
		return;
	if (host_argument(host, "intremap=", value, sizeof(value)) && streq(value, "off"))
		finding_remove_argument(f, "intremap=off");
	else if (host_argument(host, "nointremap", value, sizeof(value)))
		finding_remove_argument(f, "nointremap");
	else
		finding_mend(f, SYSTEM_ALL, "firmware setup: enable interrupt remapping (with VT-d or AMD-Vi, and x2APIC); update the firmware");
	if (!unsafe)
		finding_mend(f, SYSTEM_ALL, "last resort, where every VM is trusted as the host is: echo options vfio_iommu_type1 "
			     "allow_unsafe_interrupts=1 >/etc/modprobe.d/vfio-unsafe.conf");
}

void check_noiommu(const struct host *host, struct finding *f)
{
	static const char parameter[] = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";
	char value[16];
	bool on = host_line(parameter, value, sizeof(value)) == 0 ? host_is_yes(value) :
		  host_argument(host, "vfio.enable_unsafe_noiommu_mode=", value, sizeof(value)) && host_is_yes(value);

	if (!on) {
		finding_say(f, GRADE_OK, NULL, "VFIO's no-IOMMU mode is off");
		return;
	}
	finding_say(f, GRADE_NOTE, "VFIO would also bind functions that no IOMMU isolates. nvfio does not, but whoever does by hand "
		    "gives a program all memory of the host.", "VFIO's no-IOMMU mode is on");
	finding_mend(f, SYSTEM_ALL, "echo N >%s; and remove enable_unsafe_noiommu_mode from the kernel command line and /etc/modprobe.d",
		     parameter);
}

void check_acs(const struct host *host, struct finding *f)
{
	char value[256];
	const char *what = NULL;

	if (host_argument(host, "pcie_acs_override=", value, sizeof(value)))
		what = "pcie_acs_override";
	else if (host_argument(host, "pci=", value, sizeof(value)) &&
		 (strstr(value, "disable_acs_redir=") || strstr(value, "config_acs=")))
		what = strstr(value, "config_acs=") ? "pci=config_acs" : "pci=disable_acs_redir";
	if (!what) {
		finding_say(f, GRADE_OK, NULL, "nothing on the kernel command line overrides ACS");
		return;
	}
	if (streq(what, "pcie_acs_override"))
		finding_say(f, GRADE_NOTE, "It makes the kernel believe in isolation that the hardware does not have: devices of several VMs and "
			    "of the host may reach each other's memory past the IOMMU, though their groups say otherwise.",
			    "the kernel command line has pcie_acs_override=%s", value);
	else
		finding_say(f, GRADE_NOTE, "Devices below such a port reach each other without the IOMMU; their groups are larger for it. That is "
			    "meant for GPUs of one VM.", "the kernel command line has %s", what);
	finding_mend(f, SYSTEM_ALL, "none, if that is meant");
}
