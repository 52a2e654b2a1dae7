// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the findings of nvfio check are about: the kernel, its command line, the configuration and the NVIDIA functions,
 * each as judge() sees it if it were plugged in now. Reads only, starts no process, and waits for no device lock.
 */
#include "check.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "columns.h"
#include "root.h"
#include "status.h"
#include "sysfs.h"

#define DEVICES "/sys/bus/pci/devices"
#define FILE_BYTES_MAX (1024UL * 1024)

char *host_file(const char *path, int *ret_error)
{
	/* A FIFO must not hang us, a terminal not become ours. */
	_cleanup_close_ int fd = root_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	size_t used = 0;
	struct stat st;
	char *ret;

	*ret_error = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	text = *ret_error < 0 ? NULL : malloc(FILE_BYTES_MAX + 1);
	while (text) {
		ssize_t n = read(fd, text + used, FILE_BYTES_MAX + 1 - used);

		used += n > 0 ? (size_t)n : 0;
		if (n > 0 && used <= FILE_BYTES_MAX)
			continue;
		*ret_error = n < 0 ? -errno : n > 0 ? -EFBIG : 0;
		break;
	}
	if (*ret_error < 0 || !text) {
		*ret_error = *ret_error < 0 ? *ret_error : -ENOMEM;
		return NULL;
	}
	text[used] = '\0';
	ret = text;
	text = NULL;
	return ret;
}

int host_line(const char *path, char *buf, size_t size)
{
	int r;
	_cleanup_free_ char *text = host_file(path, &r);

	buf[0] = '\0';
	if (!text)
		return r;
	snprintf(buf, size, "%.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

bool host_is_yes(const char *value)
{
	return value[0] == '1' || value[0] == 'Y' || value[0] == 'y';
}

static bool same_letter(char a, char b)
{
	return a == b || (a == '-' && b == '_') || (a == '_' && b == '-');
}

const char *host_argument(const struct host *host, const char *name, char *buf, size_t size)
{
	const char *word = host->cmdline;

	for (word += strspn(word, " \n"); *word; word += strspn(word, " \n")) {
		size_t len = strcspn(word, " \n"), i = 0;

		while (i < len && name[i] && same_letter(word[i], name[i]))
			i++;
		if (!name[i] && (i == len || (i > 0 && name[i - 1] == '='))) {
			snprintf(buf, size, "%.*s", (int)(len - i), word + i);
			return buf;
		}
		word += len;
	}
	return NULL;
}

/* os-release(5): our family by ID, or by what it says it is like. */
static bool is_like(const char *words, const char *name)
{
	size_t len = strlen(name);
	const char *s;

	for (s = strstr(words, name); s; s = strstr(s + 1, name)) {
		if ((s == words || !isalnum((unsigned char)s[-1])) && !isalnum((unsigned char)s[len]))
			return true;
	}
	return false;
}

static enum system find_system(void)
{
	char *line, *save = NULL, ids[256] = "";
	int r;
	_cleanup_free_ char *text = host_file("/etc/os-release", &r);

	if (!text)
		text = host_file("/usr/lib/os-release", &r);
	for (line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		size_t used = strlen(ids);

		if (startswith(line, "ID=") || startswith(line, "ID_LIKE="))
			snprintf(ids + used, sizeof(ids) - used, " %s", strchr(line, '=') + 1);
	}
	if (is_like(ids, "debian") || is_like(ids, "ubuntu"))
		return SYSTEM_DEBIAN;
	if (is_like(ids, "fedora") || is_like(ids, "rhel"))
		return SYSTEM_FEDORA;
	return is_like(ids, "arch") ? SYSTEM_ARCH : SYSTEM_ALL;
}

int host_beginning(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = root_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	size_t used = 0;
	ssize_t n = 1;

	/* /proc files come a page at a time. */
	while (fd >= 0 && used + 1 < size && (n = read(fd, buf + used, size - 1 - used)) > 0)
		used += (size_t)n;
	buf[used] = '\0';
	return fd < 0 ? fd : n < 0 ? -errno : 0;
}

static enum machine find_machine(void)
{
	char text[4096];

	host_beginning("/proc/cpuinfo", text, sizeof(text));
	if (strstr(text, "GenuineIntel"))
		return MACHINE_INTEL;
	if (strstr(text, "AuthenticAMD") || strstr(text, "HygonGenuine"))
		return MACHINE_AMD;
	return strstr(text, "CPU implementer") ? MACHINE_ARM : MACHINE_OTHER;
}

static void read_group(struct function *f, const struct subject *s)
{
	char path[64];

	if (!f->has_group)
		return;
	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%s/type", f->group);
	if (host_line(path, f->group_type, sizeof(f->group_type)) < 0)
		f->group_type[0] = '\0';
	if (iommu_viability(&s->fn, &s->settings.key[KEY_SIBLINGS], &f->viability) < 0)
		f->viability = (struct iommu_viability){ .viable = true };
}

/* What policy did not ask for because the verdict did not turn on it. */
static void gather_rest(struct function *f, struct subject *s)
{
	if (s->facts.driver_status == DRIVER_UNKNOWN && judge_gather(&s->facts, NEED_DRIVER) < 0)
		s->facts.driver_status = DRIVER_UNKNOWN;
	f->driver_status = s->facts.driver_status;
	f->vfio = s->facts.driver;
	if (f->role == ROLE_GPU && s->facts.console == TRI_UNKNOWN && judge_gather(&s->facts, NEED_CONSOLE) < 0)
		s->facts.console = TRI_UNKNOWN;
	f->console = s->facts.console;
	if (s->fn.boot_vga && f->console != TRI_YES) {
		f->console = TRI_YES;
		snprintf(s->console, sizeof(s->console), "boot VGA");
	}
	memcpy(f->console_text, s->console, sizeof(f->console_text));
	if ((s->fn.has_sriov || s->fn.is_vf) && s->facts.vgpu == TRI_UNKNOWN && judge_gather(&s->facts, NEED_VGPU) < 0)
		s->facts.vgpu = TRI_UNKNOWN;
	memcpy(f->vgpu, s->vgpu, sizeof(f->vgpu));
}

static void take_function(struct function *f, struct status *status)
{
	struct subject *s = &status->judgement.self;

	*f = (struct function){
		.ids = s->fn.ids,
		.class = s->fn.class,
		.role = s->facts.role,
		.on_vfio = s->fn.on_vfio && !streq(s->fn.driver, "nvidia"),
		.has_group = s->fn.has_group,
		.verdict = status->judgement.verdict,
		.wanted = status->judgement.verdict.code != VERDICT_LEAVE,
		.left_at_boot = s->settings.key[KEY_BOOT].choice == CHOICE_NATIVE,
		.takeover = s->settings.key[KEY_TAKEOVER].choice,
		.named = s->settings.key[policy_role_key(s->facts.role)].level == LEVEL_ADDRESS,
		.driverctl = s->facts.driverctl,
	};
	f->verdict.whose = NULL;
	memcpy(f->bdf, s->fn.name, sizeof(f->bdf));
	memcpy(f->driver, s->fn.driver, sizeof(f->driver));
	memcpy(f->group, s->fn.group, sizeof(f->group));
	if (s->settings.id_guard_file)
		snprintf(f->guard, sizeof(f->guard), "%s:%u", s->settings.id_guard_file, s->settings.id_guard_line);
	read_group(f, s);
	gather_rest(f, s);
}

/* 0, also for what is none of ours or went away; -ENOMEM. */
static int add_function(struct host *host, const char *bdf, size_t *room)
{
	static const struct look look = { .event = EVENT_HOTPLUG, .quick = true };
	_cleanup_status_ struct status status;
	const char *attr;
	enum role role;
	int r;

	r = status_read(&status, bdf, &look, &attr);
	if (r < 0) {
		if (r != -ENODEV)
			crowd_add(&host->unreadable, "%s (%s)", bdf, attr ? attr : strerror(-r));
		return 0;
	}
	role = status.judgement.self.facts.role;
	if (role == ROLE_OTHER || role == ROLE_FOREIGN)
		return 0;
	if (host->n == *room) {
		size_t more = *room ? *room * 2 : 64;
		struct function *functions = reallocarray(host->functions, more, sizeof(*functions));

		if (!functions)
			return -ENOMEM;
		host->functions = functions;
		*room = more;
	}
	take_function(&host->functions[host->n++], &status);
	return 0;
}

static bool is_nvidia(int devices, const char *bdf)
{
	char path[BDF_SIZE + 8];
	uint32_t vendor;

	snprintf(path, sizeof(path), "%s/vendor", bdf);
	return sysfs_read_hex(devices, path, 0xffff, &vendor) == 0 && vendor == PCI_VENDOR_NVIDIA;
}

static int compare_functions(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	return column_compare(COLUMN_BDF, x->bdf, y->bdf);
}

static int read_functions(struct host *host)
{
	_cleanup_dir_ DIR *dir = sysfs_list_path(DEVICES);
	const struct dirent *de;
	char name[BDF_SIZE];
	struct bdf bdf;
	size_t room = 0;
	int r = 0;

	/* A chroot, or a kernel without PCI: the rest can be looked at. */
	host->no_pci = !dir && errno == ENOENT;
	if (!dir)
		return host->no_pci ? 0 : -errno;
	while (r == 0 && (de = readdir(dir))) {
		if (pci_parse_bdf(de->d_name, &bdf) < 0)
			continue;
		pci_format_bdf(&bdf, name);
		if (is_nvidia(dirfd(dir), name))
			r = add_function(host, name, &room);
	}
	if (host->n > 0)
		qsort(host->functions, host->n, sizeof(host->functions[0]), compare_functions);
	return r;
}

int host_read(struct host *host, const char *user)
{
	int r;

	*host = (struct host){ .user = user, .root = geteuid() == 0, .system = find_system(), .machine = find_machine() };
	/* Both are empty where they cannot be read. */
	host_line("/proc/cmdline", host->cmdline, sizeof(host->cmdline));
	host_line("/proc/sys/kernel/osrelease", host->release, sizeof(host->release));
	host->config_result = config_load(&host->config, host->config_error, sizeof(host->config_error));
	kmod_keep(true);
	r = read_functions(host);
	kmod_keep(false);
	return r;
}

void host_free(struct host *host)
{
	free(host->functions);
	config_free(host->config);
	*host = (struct host){ .n = 0 };
}
