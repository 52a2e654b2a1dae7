// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio check: who else on the host moves GPUs between drivers, or holds them. One owner for each function: nvfio stands back
 * where it sees another, which then is the answer to "why was it not taken?".
 */
#include "check.h"

#include <limits.h>
#include "root.h"
#include "sysfs.h"

void check_driverctl(const struct host *host, struct finding *f)
{
	struct crowd theirs = { .n = 0 };
	const char *first = NULL;
	size_t i;

	for (i = 0; i < host->n; i++) {
		if (!host->functions[i].driverctl)
			continue;
		first = first ? first : host->functions[i].bdf;
		crowd_add(&theirs, "%s", host->functions[i].bdf);
	}
	if (!first) {
		finding_say(f, GRADE_OK, NULL, "driverctl has no override for an NVIDIA function");
		return;
	}
	finding_say(f, GRADE_NOTE, "nvfio leaves them to driverctl.", "driverctl has overrides for %s", crowd_text(&theirs));
	finding_mend(f, SYSTEM_ALL, "to hand one over: driverctl --nosave unset-override %s; rm /etc/driverctl.d/pci-%s", first, first);
}

/* value of name='0x41' in an XML tag, as hex. */
static bool xml_hex(const char *tag, const char *name, unsigned long *ret)
{
	char key[24], *end;
	const char *s;

	snprintf(key, sizeof(key), " %s=", name);
	s = strstr(tag, key);
	if (!s || (s[strlen(key)] != '\'' && s[strlen(key)] != '"'))
		return false;
	*ret = strtoul(s + strlen(key) + 1, &end, 16);
	return *end == '\'' || *end == '"';
}

/* The host's address in a <hostdev> with managed='yes', cut out of the text; false for any other. */
static bool managed_address(char *hostdev, char bdf[static BDF_SIZE])
{
	char *end = strchr(hostdev, '>'), *source = strstr(hostdev, "<source"), *tag, *stop;
	unsigned long domain = 0, bus, slot, function;
	struct bdf address;

	if (!end || !source)
		return false;
	*end = '\0';
	if (!(strstr(hostdev, "managed='yes'") || strstr(hostdev, "managed=\"yes\"")))
		return false;
	stop = strstr(end + 1, "</source>");
	tag = strstr(end + 1, "<address");
	if (!tag || !stop || tag > stop)
		return false;
	*stop = '\0';
	(void)xml_hex(tag, "domain", &domain);
	if (!xml_hex(tag, "bus", &bus) || !xml_hex(tag, "slot", &slot) || !xml_hex(tag, "function", &function) ||
	    domain > UINT32_MAX || bus > 0xff || slot > 0x1f || function > 7)
		return false;
	address = (struct bdf){ (uint32_t)domain, (uint8_t)bus, (uint8_t)slot, (uint8_t)function };
	pci_format_bdf(&address, bdf);
	return true;
}

static bool is_ours(const struct host *host, const char *bdf)
{
	size_t i;

	for (i = 0; i < host->n; i++) {
		if (streq(host->functions[i].bdf, bdf))
			return true;
	}
	return false;
}

static void read_domain(const struct host *host, char *text, const char *file, struct crowd *managed)
{
	char *s = strstr(text, "<hostdev "), *end, bdf[BDF_SIZE];

	while (s && (end = strstr(s, "</hostdev>"))) {
		*end = '\0';
		if (managed_address(s, bdf) && is_ours(host, bdf))
			crowd_add(managed, "%s in %.*s", bdf, (int)strlen(file) - 4, file);
		s = strstr(end + 1, "<hostdev ");
	}
}

/* 0 or -errno; no libvirt is none of the latter. */
static int read_domains(const struct host *host, struct crowd *managed)
{
	_cleanup_dir_ DIR *dir = sysfs_list_path("/etc/libvirt/qemu");
	const struct dirent *de;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((de = readdir(dir))) {
		size_t len = strlen(de->d_name);
		_cleanup_free_ char *text = NULL;
		char path[PATH_MAX];
		int error;

		if (len < 5 || !streq(de->d_name + len - 4, ".xml"))
			continue;
		snprintf(path, sizeof(path), "/etc/libvirt/qemu/%s", de->d_name);
		text = host_file(path, &error);
		if (text)
			read_domain(host, text, de->d_name, managed);
		else
			r = error;
	}
	return r;
}

void check_libvirt(const struct host *host, struct finding *f)
{
	bool running = root_exists("/run/libvirt/libvirt-sock") || root_exists("/run/libvirt/virtqemud-sock");
	struct crowd managed = { .n = 0 };
	int r = read_domains(host, &managed);

	if (managed.n > 0) {
		finding_say(f, GRADE_NOTE, "With managed='yes' libvirt itself takes the function for the VM and gives it to the native driver "
			    "afterwards; nvfio may take it back between. With 'no' it stays on VFIO, and libvirt uses it as it is.",
			    "domains with managed='yes': %s", crowd_text(&managed));
		finding_mend(f, SYSTEM_ALL, "virsh edit DOMAIN: managed='no' in those <hostdev> elements");
	} else if (r == -EACCES && !host->root) {
		finding_needs_root(f, "whether a libvirt domain has a function as managed='yes'");
	} else if (r < 0) {
		finding_say(f, GRADE_NOTE, NULL, "the domains in /etc/libvirt/qemu could not be read: %s", strerror(-r));
	} else {
		finding_say(f, GRADE_OK, NULL, "libvirt is %s, and no domain manages an NVIDIA function", running ? "running" : "not running");
	}
}

static bool is_or_any(unsigned int wanted, unsigned int value)
{
	return wanted == 0xffffffff || wanted == value;
}

/* "10de:2331,10de:ffffffff:ffffffff:ffffffff:030000:fffd00": the kernel's format, the last four optional, ffffffff any. */
static bool ids_match(const char *list, const struct function *fn)
{
	const struct pci_ids *ids = &fn->ids;

	while (*list) {
		unsigned int vendor, device, subvendor = 0xffffffff, subdevice = 0xffffffff, class = 0, mask = 0;

		if (sscanf(list, "%x:%x:%x:%x:%x:%x", &vendor, &device, &subvendor, &subdevice, &class, &mask) >= 2 &&
		    is_or_any(vendor, ids->vendor) && is_or_any(device, ids->device) &&
		    is_or_any(subvendor, ids->subvendor) && is_or_any(subdevice, ids->subdevice) &&
		    ((class ^ fn->class) & mask) == 0)
			return true;
		list += strcspn(list, ",");
		list += *list == ',';
	}
	return false;
}

/* What a list of ids takes that nvfio would leave. */
static void say_ids(const struct host *host, struct finding *f, const char *module, const char *list, const char *where)
{
	struct crowd all = { .n = 0 }, too_many = { .n = 0 };
	size_t i;

	for (i = 0; i < host->n; i++) {
		if (!ids_match(list, &host->functions[i]))
			continue;
		crowd_add(&all, "%s", host->functions[i].bdf);
		if (!host->functions[i].wanted)
			crowd_add(&too_many, "%s (%s)", host->functions[i].bdf, policy_reason_name(host->functions[i].verdict.reason));
	}
	if (streq(module, "pci-stub") && all.n > 0)
		finding_say(f, GRADE_PROBLEM, "pci-stub keeps them from every driver, VFIO included; nvfio leaves what is on it.",
			    "pci-stub.ids (%s) takes %s", where, crowd_text(&all));
	else if (too_many.n > 0)
		finding_say(f, GRADE_PROBLEM, "ids= takes every function of these models, also what is configured native, has the console, or is "
			    "a PF. nvfio goes by address and leaves those.", "vfio-pci.ids (%s) also takes %s", where, crowd_text(&too_many));
	else
		finding_say(f, GRADE_NOTE, "ids= takes every function of these models, also one that is plugged in later and meant for the host; "
			    "with boot = vfio, nvfio needs no such list.", "%s.ids is set (%s)", module, where);
}

void check_ids(const struct host *host, struct finding *f)
{
	static const char *const modules[] = { "pci-stub", "vfio-pci" };
	char name[32], list[256], where[300], rest[300];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		const char *ids;

		snprintf(name, sizeof(name), "%s.ids=", modules[i]);
		if (host_argument(host, name, list, sizeof(list)) && strstr(list, "10de")) {
			say_ids(host, f, modules[i], list, "kernel command line");
			snprintf(where, sizeof(where), "%s%s", name, list);
			finding_remove_argument(f, where);
			return;
		}
		if (modprobed_find("options", modules[i], "ids=", where, rest) == 0 && (ids = strstr(rest, "ids=")) &&
		    strstr(ids, "10de")) {
			say_ids(host, f, modules[i], ids + strlen("ids="), where);
			finding_mend(f, SYSTEM_ALL, "remove ids= from the line %s, then build the initramfs anew:", where);
			finding_new_initramfs(f);
			return;
		}
	}
	finding_say(f, GRADE_OK, NULL, "no list of ids of vfio-pci or pci-stub names NVIDIA");
}

void check_kubernetes(const struct host *host _unused_, struct finding *f)
{
	if (root_exists("/run/nvidia/validations")) {
		finding_say(f, GRADE_NOTE, "Its vfio-manager binds every GPU of a node for VM workloads, and takes all of them off VFIO when its "
			    "pod ends. Let one of the two do it.", "the GPU operator is at work here (/run/nvidia/validations)%s",
			    root_exists("/run/nvidia/validations/vfio-pci-ready") ? ", with its vfio-manager" : "");
		finding_mend(f, SYSTEM_ALL, "kubectl patch clusterpolicies.nvidia.com/cluster-policy --type merge -p "
			     "'{\"spec\":{\"vfioManager\":{\"enabled\":false}}}'");
	} else if (root_exists("/run/kubevirt") || root_exists("/var/run/kubevirt")) {
		finding_say(f, GRADE_NOTE, "KubeVirt's GPU device plugin looks for functions on VFIO once, when it starts. One that lands later it "
			    "offers after a restart.", "KubeVirt is here");
		finding_mend(f, SYSTEM_ALL, "after a GPU was plugged in: kubectl -n gpu-operator delete pod -l "
			     "app=nvidia-sandbox-device-plugin-daemonset");
	} else {
		finding_say(f, GRADE_OK, NULL, "no sign of the GPU operator or KubeVirt");
	}
}

void check_vgpu(const struct host *host, struct finding *f)
{
	struct crowd left = { .n = 0 };
	const char *sign = NULL;
	size_t i;

	for (i = 0; i < host->n; i++) {
		const struct function *fn = &host->functions[i];

		if (fn->vgpu[0] && !sign)
			sign = fn->vgpu;
		if (fn->verdict.reason == REASON_VGPU)
			crowd_add(&left, "%s", fn->bdf);
	}
	if (!sign && root_exists("/usr/lib/nvidia/sriov-manage"))
		sign = "sriov-manage is installed";
	if (!sign) {
		finding_say(f, GRADE_OK, NULL, "no sign of NVIDIA vGPU");
		return;
	}
	finding_say(f, GRADE_NOTE, "On a vGPU host VFs belong to the nvidia driver; with vf = auto nvfio leaves them, and PFs that could have "
		    "some.", "a vGPU host: %s%s%s", sign, left.n > 0 ? "; left: " : "", left.n > 0 ? crowd_text(&left) : "");
	finding_mend(f, SYSTEM_ALL, "in the [policy] section of /etc/nvfio.conf: vf = native, or vf = vfio where no vGPU is used");
}
