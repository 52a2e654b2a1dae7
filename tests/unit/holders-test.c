// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who counts as a user. Processes are made of links under a fake /proc, to real character devices
 * of this host (1:3 is /dev/null, 1:5 /dev/zero, 1:7 /dev/full) or to nodes made in the tree.
 */
#include "tree.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include "holders.h"
#include "nodes.h"

#define BDF "0000:41:00.0"
#define DEV "/sys/devices/pci0000:40/0000:40:01.0/" BDF
#define INFORMATION "/proc/driver/nvidia/gpus/" BDF "/information"
#define UNBIND_LOCK "/proc/driver/nvidia/gpus/" BDF "/unbindLock"

/* A process of the tree that has one descriptor open. */
static void process(const char *pid, const char *comm, const char *fd, const char *target)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	tree_file(path, comm);
	snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, fd);
	tree_link(path, target);
}

/* A device in the tree, as a container may have it: anywhere, under any name. */
static const char *make_node(const char *name, mode_t type, unsigned int major, unsigned int minor)
{
	static char full[PATH_MAX];
	char path[64];

	snprintf(path, sizeof(path), "/container/%s", name);
	tree_dir_of(path);
	strcpy(full, tree_path(path));
	if (mknod(full, type | 0600, makedev(major, minor)) < 0)
		tree_fail(full);
	return full;
}

static const char *node(const char *name, unsigned int major, unsigned int minor)
{
	return make_node(name, S_IFCHR, major, minor);
}

static struct holders find(const char *driver)
{
	struct pci_function f = { .name = BDF, .group = "17", .on_vfio = streq(driver, "vfio-pci") };
	struct holders h = { .found = 99 };

	tree_dir(DEV);
	strcpy(f.driver, driver);
	f.dirfd = root_open(DEV, O_RDONLY | O_DIRECTORY);
	if (f.dirfd < 0 || holders_find(&f, &h) < 0)
		h.found = 98;
	close_fd(f.dirfd);
	return h;
}

static const char *text_of(const char *driver)
{
	static struct holders h;

	h = find(driver);
	return h.text;
}

static bool is_free(const char *driver)
{
	struct holders h = find(driver);

	if (h.found || h.doubt)
		printf("# %s\n", h.text);
	return h.found == 0 && !h.doubt && h.text[0] == '\0';
}

static void nobody(void)
{
	TREE;

	tree_file(DEV "/drm/card0/dev", "1:3\n");
	process("812", "sleep\n", "0", "/dev/zero");
	process("813", "sh\n", "0", "socket:[1234]");
	process("813", "sh\n", "1", make_node("sda", S_IFBLK, 1, 3));
	tree_file("/proc/814/fd/3", "a regular file");
	tree_dir("/proc/815/fd");
	tree_dir("/proc/self/fd");
	tree_link("/proc/self/fd/0", "/dev/null");
	CHECK(is_free("nouveau"));
}

static void one_process(void)
{
	TREE;
	struct holders h;

	tree_file(DEV "/drm/card0/dev", "1:3\n");
	process("812", "sleep\n", "0", "/dev/zero");
	process("812", "sleep\n", "7", "/dev/null");
	process("812", "sleep\n", "8", "/dev/null");
	h = find("nouveau");
	CHECK_STR(h.text, "/dev/card0 open in pid 812 (sleep)");
	CHECK(h.found == 1 && !h.doubt);
}

/* A process that has mapped a file and closed it. */
static void mapping(const char *pid, const char *comm, const char *target)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	tree_file(path, comm);
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	tree_dir(path);
	snprintf(path, sizeof(path), "/proc/%s/map_files/7f0000000000-7f0000001000", pid);
	tree_link(path, target);
}

static void mapped_but_closed(void)
{
	TREE;
	struct holders h;

	tree_file(DEV "/drm/card0/dev", "1:3\n");
	mapping("812", "python3\n", "/dev/zero");
	CHECK(is_free("nouveau"));
	mapping("813", "python3\n", node("elsewhere", 1, 3));
	h = find("nouveau");
	CHECK_STR(h.text, "/dev/card0 mapped in pid 813 (python3)");
	CHECK(h.found == 1 && !h.doubt);
	/* Once for each process. */
	process("813", "python3\n", "7", "/dev/null");
	h = find("nouveau");
	CHECK_STR(h.text, "/dev/card0 open in pid 813 (python3)");
	CHECK(h.found == 1);
}

/* Not even the target of a link can be read, as without the right to trace the process. */
static void mappings_that_cannot_be_looked_at(void)
{
	TREE;

	tree_file(DEV "/drm/card0/dev", "1:3\n");
	tree_dir("/proc/812/fd");
	tree_file("/proc/812/map_files", "");
	CHECK(find("nouveau").found == 0);
	CHECK_STR(text_of("nouveau"), "pid 812 could not be looked at");
	mapping("813", "x", "/dev/null");
	CHECK(find("nouveau").found == 1 && find("nouveau").doubt);
}

/* A real process, this one, seen by a child without the capabilities that map_files want. */
static void mappings_without_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	TREE;
	char path[32];
	int status;
	pid_t pid;

	tree_file(DEV "/drm/card0/dev", "1:99999\n");
	snprintf(path, sizeof(path), "/proc/%d", getpid());
	tree_link(path, path);
	pid = fork();
	if (pid == 0) {
		if (syscall(SYS_capget, &header, data) < 0)
			_exit(1);
		data[0].effective &= ~(1U << CAP_SYS_ADMIN);
		data[CAP_CHECKPOINT_RESTORE / 32].effective &= ~(1U << CAP_CHECKPOINT_RESTORE % 32);
		_exit(syscall(SYS_capset, &header, data) == 0 && find("nouveau").doubt ? 0 : 1);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The process shows no descriptors of its own: its first thread has ended. */
static void threads(void)
{
	TREE;

	tree_file(DEV "/drm/card0/dev", "1:3\n");
	tree_file("/proc/812/comm", "java\n");
	tree_dir("/proc/812/fd");
	tree_dir("/proc/812/task/812/fd");
	tree_link("/proc/812/task/814/fd/3", "/dev/zero");
	CHECK(is_free("nouveau"));
	tree_link("/proc/812/task/815/fd/3", "/dev/null");
	CHECK_STR(text_of("nouveau"), "/dev/card0 open in pid 812 (java)");
	CHECK(find("nouveau").found == 1);
}

static void nodes_have_udevs_names(void)
{
	static const struct {
		const char *dir, *class, *text;
	} nodes[] = {
		{ "drm/renderD128", "drm", "/dev/dri/renderD128 open in pid 812 (x)" },
		{ "drm/card1/card1-DP-1/drm_dp_aux0", "drm_dp_aux_dev",
		  "/dev/drm_dp_aux0 open in pid 812 (x)" },
		{ "graphics/fb0", "graphics", "/dev/fb0 open in pid 812 (x)" },
		{ "sound/card2/controlC2", "sound", "/dev/snd/controlC2 open in pid 812 (x)" },
		{ "i2c-5/i2c-dev/i2c-5", "i2c-dev", "/dev/i2c-5 open in pid 812 (x)" },
		{ "vfio-dev/vfio0", "vfio-dev", "/dev/vfio/devices/vfio0 open in pid 812 (x)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		TREE;
		char path[256];

		snprintf(path, sizeof(path), DEV "/%s/dev", nodes[i].dir);
		tree_file(path, "1:3\n");
		snprintf(path, sizeof(path), DEV "/%s/subsystem", nodes[i].dir);
		tree_link(path, nodes[i].class);
		process("812", "x", "7", "/dev/null");
		CHECK_STR(text_of("nouveau"), nodes[i].text);
	}
}

static void vfio_group(void)
{
	static const char *const names[] = { "17", "noiommu-17" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		TREE;
		char path[64], text[64];

		snprintf(path, sizeof(path), "/sys/class/vfio/%s/dev", names[i]);
		tree_file(path, "1:3\n");
		snprintf(path, sizeof(path), "/sys/class/vfio/%s/subsystem", names[i]);
		tree_link(path, "../../../../class/vfio");
		process("812", "qemu", "7", "/dev/null");
		snprintf(text, sizeof(text), "/dev/vfio/%s open in pid 812 (qemu)", names[i]);
		CHECK_STR(text_of("vfio-pci"), text);
		/* Others of the group may be on VFIO and in use while this one is not. */
		CHECK(is_free("nouveau"));
	}
}

/* Each below another directory, as the kernel has them. */
static void every_class(void)
{
	static const char *const dirs[] = {
		"drm/card1", "drm/renderD128", "drm/card1/card1-DP-1/drm_dp_aux0", "graphics/fb0",
		"sound/card2/pcmC2D3p", "sound/card2/controlC2", "sound/card2/hwC2D0",
		"i2c-5/i2c-dev/i2c-5",
		"drm/card1/card1-DP-1/i2c-6/i2c-dev/i2c-6", "vfio-dev/vfio0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		TREE;
		char path[256];
		struct holders h;

		snprintf(path, sizeof(path), DEV "/%s/dev", dirs[i]);
		tree_file(path, "1:7\n");
		process("812", "x\n", "7", "/dev/full");
		h = find("snd_hda_intel");
		CHECK(h.found == 1 && !h.doubt && strstr(h.text, strrchr(dirs[i], '/') + 1));
	}
}

static void what_does_not_count(void)
{
	TREE;

	/* Jacks, USB devices' own nodes, links to other devices, and the function itself. */
	tree_file(DEV "/sound/card2/input9/event9/dev", "1:3\n");
	tree_file(DEV "/usb1/dev", "1:3\n");
	tree_file("/sys/devices/other/dev", "1:3\n");
	tree_link(DEV "/consumer", "../../../other");
	tree_file(DEV "/dev", "1:3\n");
	tree_file(DEV "/drm/card0/dev", "1:5\n");
	process("812", "x\n", "7", "/dev/null");
	CHECK(is_free("nouveau"));
}

static void this_process_is_none(void)
{
	TREE;
	char pid[16];

	tree_file(DEV "/drm/card0/dev", "1:3\n");
	snprintf(pid, sizeof(pid), "%d", getpid());
	process(pid, "nvfio\n", "7", "/dev/null");
	CHECK(is_free("nouveau"));
}

static void nvidia_own_minor(void)
{
	TREE;

	tree_file("/proc/devices", "Character devices:\n  1 mem\n195 nvidia\n\nBlock devices:\n");
	tree_file(INFORMATION, "Model: \t\t H100\nDevice Minor: \t 3\nGPU Excluded:\t No\n");
	process("812", "other", "7", node("nvidia2", 195, 2));
	CHECK(is_free("nvidia"));
	process("813", "python3\n", "7", node("renamed", 195, 3));
	CHECK_STR(text_of("nvidia"), "/dev/nvidia3 open in pid 813 (python3)");
	CHECK(is_free("nouveau"));
}

static void nvidia_any_minor_where_it_does_not_say(void)
{
	static const char *const texts[] = { NULL, "Model: H100\n", "Device Minor: \t x\n",
					     "Device Minor: 255\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		TREE;

		tree_file("/proc/devices", "Character devices:\n195 nvidia-frontend\n");
		if (texts[i])
			tree_file(INFORMATION, texts[i]);
		process("812", "x", "7", node("a", 195, 9));
		CHECK_STR(text_of("nvidia"), "/dev/nvidia* open in pid 812 (x)");
	}
}

static void nvidia_nodes_of_all(void)
{
	static const struct {
		unsigned int major, minor;
		const char *text;
	} nodes[] = {
		{ 195, 255, "/dev/nvidiactl open in pid 812 (x)" },
		{ 195, 254, "/dev/nvidia-modeset open in pid 812 (x)" },
		{ 508, 0, "/dev/nvidia-uvm open in pid 812 (x)" },
		{ 508, 1, "/dev/nvidia-uvm open in pid 812 (x)" },
		{ 506, 3, "/dev/nvidia-caps open in pid 812 (x)" },
		{ 505, 0, "/dev/nvidia-caps-imex-channels open in pid 812 (x)" },
		{ 504, 2, "/dev/nvidia-fs open in pid 812 (x)" },
		{ 503, 0, "/dev/gdrdrv open in pid 812 (x)" },
		{ 507, 0, "" }, /* nvidia-nvswitch */
		{ 195, 4, "" },
		{ 1, 255, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		TREE;

		tree_file("/proc/devices", "Character devices:\n195 nvidia\n195 nvidiactl\n"
			  "503 gdrdrv\n504 nvidia-fs\n505 nvidia-caps-imex-channels\n506 nvidia-caps\n"
			  "507 nvidia-nvswitch\n508 nvidia-uvm\n\nBlock devices:\n  1 nvidia\n");
		tree_file(INFORMATION, "Device Minor: \t 3\n");
		process("812", "x", "7", node("n", nodes[i].major, nodes[i].minor));
		CHECK_STR(text_of("nvidia"), nodes[i].text);
		CHECK(is_free("snd_hda_intel"));
	}
}

static void nvswitch(void)
{
	TREE;

	tree_file("/proc/devices", "Character devices:\n195 nvidia\n507 nvidia-nvswitch\n");
	process("812", "nv-fabricmanager", "7", node("a", 507, 2));
	CHECK_STR(text_of("nvidia-nvswitch"),
		  "/dev/nvidia-nvswitch open in pid 812 (nv-fabricmanager)");
	CHECK(is_free("nvidia"));
}

static void nvidia_without_its_nodes(void)
{
	TREE;

	tree_file("/proc/devices", "Character devices:\n  1 mem\n\nBlock devices:\n195 nvidia\n");
	process("812", "x", "7", node("a", 195, 0));
	CHECK(is_free("nvidia"));
	unlink(tree_path("/proc/devices"));
	CHECK_STR(text_of("nvidia"), "/proc/devices could not be looked at");
	CHECK(find("nvidia").doubt);
}

static void usb_devices(void)
{
	TREE;
	struct holders h;

	tree_dir(DEV "/usb1/1-0:1.0");
	tree_dir(DEV "/usb2/2-0:1.0");
	tree_dir(DEV "/usb2/power");
	CHECK(is_free("xhci_hcd"));
	tree_file(DEV "/usb1/1-2/idVendor", "046d\n");
	tree_file(DEV "/usb1/1-2/idProduct", "c52b\n");
	tree_dir(DEV "/usb1/1-2/1-2:1.0");
	tree_dir(DEV "/usb1/1-2/1-2.4");
	h = find("xhci_hcd");
	CHECK_STR(h.text, "USB device 1-2 (046d:c52b)");
	CHECK(h.found == 1 && !h.doubt);
}

static void many_users(void)
{
	TREE;
	struct holders h;
	char pid[16];

	tree_file(DEV "/graphics/fb0/dev", "1:3\n");
	for (unsigned int i = 0; i < 40; i++) {
		snprintf(pid, sizeof(pid), "%u", 4000000 + i);
		process(pid, "a-long-long-name\n", "7", "/dev/null");
	}
	h = find("nouveau");
	CHECK(h.found == 40 && !h.doubt && strlen(h.text) < sizeof(h.text));
	CHECK(startswith(h.text, "/dev/fb0 open in pid 40000"));
	CHECK(strstr(h.text, "), 36 more") && h.text[strlen(h.text) - 1] == 'e');
}

static void doubts(void)
{
	TREE;
	struct holders h;

	tree_file(DEV "/drm/card0/dev", "1:3\n");
	/* No directory: as good as one that may not be opened. */
	tree_file("/proc/812/fd", "");
	tree_file("/proc/813/fd", "");
	h = find("nouveau");
	CHECK(h.doubt && h.found == 0);
	/* Of all of them the first, whichever readdir() names first. */
	CHECK(strlen(h.text) == strlen("pid 812 could not be looked at"));
	CHECK(startswith(h.text, "pid 81") && strstr(h.text, " could not be looked at"));
}

/* ENOTDIR stands for the errors of a file system: of one elsewhere nothing is known or needed. */
static void files_that_cannot_be_looked_at(void)
{
	TREE;

	tree_file(DEV "/drm/card0/dev", "1:3\n");
	process("812", "x", "7", "/etc/passwd/on/a/dead/mount");
	process("812", "x", "8", "/dev/zero");
	CHECK(is_free("nouveau"));
	/* Among others, whatever their order. */
	for (const char *fd = "12345678"; *fd; fd++)
		process("813", "x", (const char[]){ *fd, '\0' },
			*fd == '4' ? "/dev/null/gone" : "/etc/passwd/on/a/dead/mount");
	CHECK_STR(text_of("nouveau"), "pid 813 could not be looked at");
}

static void gone_meanwhile(void)
{
	TREE;

	tree_file(DEV "/drm/card0/dev", "1:3\n");
	tree_dir("/proc/812");
	process("813", "x", "7", "/dev/nvfio/no/such/node");
	CHECK(is_free("nouveau"));
}

static void bad_numbers(void)
{
	static const char *const bad[] = { "", "1", "1:", ":3", "1:3x", "-1:3", "1:-3",
					   "99999999999:3" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		TREE;

		tree_file(DEV "/drm/card0/dev", bad[i]);
		CHECK_STR(text_of("nouveau"), "card0 could not be looked at");
	}
}

static void too_many_nodes(void)
{
	TREE;
	char path[128];

	for (unsigned int i = 0; i <= NODES_MAX; i++) {
		snprintf(path, sizeof(path), DEV "/drm/card%u/dev", i);
		tree_file(path, "1:3\n");
	}
	tree_dir("/proc");
	CHECK(find("nouveau").doubt);
}

static void proc_is_not_needed_without_nodes(void)
{
	struct pci_function f = { .name = BDF, .driver = "xhci_hcd" };
	struct holders h;
	TREE;

	tree_dir(DEV);
	f.dirfd = root_open(DEV, O_RDONLY | O_DIRECTORY);
	CHECK(holders_find(&f, &h) == 0 && h.found == 0);
	tree_file(DEV "/drm/card0/dev", "1:3\n");
	h.found = 7;
	CHECK(holders_find(&f, &h) == -ENOENT && h.found == 7);
	close_fd(f.dirfd);
}

static void names_are_printable(void)
{
	TREE;

	tree_file(DEV "/graphics/fb0/dev", "1:3\n");
	process("812", "a\x1b[2J\xa4\n", "7", "/dev/null");
	CHECK_STR(text_of("nouveau"), "/dev/fb0 open in pid 812 (a?[2J?)");
}

static void unbind_lock(void)
{
	TREE;

	CHECK(holders_lock_unbind(BDF) == 0);
	tree_file(UNBIND_LOCK, "0\n");
	CHECK(holders_lock_unbind(BDF) == 1);
	CHECK_STR(tree_read(UNBIND_LOCK), "1\n");
	holders_unlock_unbind(BDF);
	CHECK_STR(tree_read(UNBIND_LOCK), "0\n");
	unlink(tree_path(UNBIND_LOCK));
	/* Takes what is written and does not keep it, like a driver that refuses. */
	tree_link(UNBIND_LOCK, "/dev/null");
	CHECK(holders_lock_unbind(BDF) == -EBUSY);
	unlink(tree_path(UNBIND_LOCK));
	tree_link(UNBIND_LOCK, "/dev/full");
	CHECK(holders_lock_unbind(BDF) == -ENOSPC);
}

TEST_MAIN(TEST(nobody), TEST(one_process), TEST(mapped_but_closed),
	  TEST(mappings_that_cannot_be_looked_at), TEST(mappings_without_capability), TEST(threads),
	  TEST(nodes_have_udevs_names), TEST(vfio_group), TEST(every_class),
	  TEST(what_does_not_count), TEST(this_process_is_none), TEST(nvidia_own_minor),
	  TEST(nvidia_any_minor_where_it_does_not_say), TEST(nvidia_nodes_of_all), TEST(nvswitch),
	  TEST(nvidia_without_its_nodes), TEST(usb_devices), TEST(many_users), TEST(doubts),
	  TEST(files_that_cannot_be_looked_at), TEST(gone_meanwhile), TEST(bad_numbers),
	  TEST(too_many_nodes), TEST(proc_is_not_needed_without_nodes), TEST(names_are_printable),
	  TEST(unbind_lock))
