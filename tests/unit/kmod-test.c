// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which module is chosen, on indexes that are made here: an object file with a .modinfo section is
 * all that depmod and libkmod want of a module. Loading for real is seen in tests/vm.
 */
#include "tree.h"

#include <sys/utsname.h>
#include "kmod.h"

#define GH200 "pci:v000010DEd00002342sv000010DEsd000016EBbc03sc02i00"
#define H100 "pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00"
#define GENERIC_ALIAS "vfio_pci:v*d*sv*sd*bc*sc*i*"
#define GH200_ALIAS "vfio_pci:v000010DEd00002342sv*sd*bc*sc*i*"
#define VARIANT "nvgrace_gpu_vfio_pci"

static const char *in_modules(const char *name)
{
	static char path[256];
	struct utsname u;

	uname(&u);
	snprintf(path, sizeof(path), "/lib/modules/%s/%s", u.release, name);
	return path;
}

static void append(const char *path, const char *text)
{
	FILE *file;

	tree_dir_of(path);
	file = fopen(tree_path(path), "a");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		tree_fail(path);
}

_printf_(1, 2) static void run(const char *format, ...)
{
	char command[4 * PATH_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	fflush(stdout);
	if (system(command) != 0)
		tree_fail(command);
}

/* A module file in the tree, in this order in modules.order. more is further modinfo or NULL. */
static void module(const char *name, const char *alias, const char *more)
{
	char source[1024], file[128];

	snprintf(source, sizeof(source), "static const char info[] __attribute__(("
		 "section(\".modinfo\"), used, aligned(1))) = "
		 "\"name=%s\\0license=GPL%s%s%s%s\";\n", name,
		 alias ? "\\0alias=" : "", alias ? alias : "", more ? "\\0" : "", more ? more : "");
	tree_file("/module.c", source);
	snprintf(file, sizeof(file), "kernel/%s.ko", name);
	tree_dir(in_modules("kernel"));
	run("gcc -c -x c -o %s %s", tree_path(in_modules(file)), tree_path("/module.c"));
	strcat(file, "\n");
	append(in_modules("modules.order"), file);
}

static void builtin(const char *name, const char *alias)
{
	char text[256];
	int len;

	snprintf(text, sizeof(text), "kernel/%s.ko\n", name);
	append(in_modules("modules.builtin"), text);
	len = snprintf(text, sizeof(text), "%s.license=GPL%c%s.alias=%s", name, 0, name, alias);
	tree_bytes(in_modules("modules.builtin.modinfo"), text, (size_t)len + 1);
}

static void index_all(void)
{
	struct utsname u;

	uname(&u);
	/* Without them depmod leaves empty indexes, of which libkmod 30 reads what is not there. */
	append(in_modules("modules.builtin"), "");
	append(in_modules("modules.builtin.modinfo"), "");
	run("/sbin/depmod -b %s %s 2>/dev/null", tree_root, u.release);
}

/* Two drivers for a GH200, as on an arm64 kernel. */
static void generic_and_variant(void)
{
	module("vfio_pci", GENERIC_ALIAS, NULL);
	module(VARIANT, GH200_ALIAS, NULL);
	index_all();
}

/* strerrorname_np() is glibc's. */
static const char *error_name(int r)
{
	switch (-r) {
	case EACCES: return "EACCES";
	case EBUSY: return "EBUSY";
	case EINVAL: return "EINVAL";
	case ENOENT: return "ENOENT";
	case ENOEXEC: return "ENOEXEC";
	case ENXIO: return "ENXIO";
	default: return strerror(-r);
	}
}

/* What is chosen, or the error in words. */
static const char *choose(const char *modalias, const char *pinned)
{
	static char text[2 * DRIVER_NAME_SIZE + 2];
	struct vfio_driver drv;
	int r = kmod_choose(modalias, pinned, &drv);

	if (r < 0)
		return error_name(r);
	snprintf(text, sizeof(text), "%s%s%s", drv.module, drv.driver[0] ? " " : "", drv.driver);
	return text;
}

/* As choose(), for loading. */
static const char *load(const char *name)
{
	static char text[DRIVER_NAME_SIZE];
	struct vfio_driver drv = { .driver = "" };
	int r = copy_name(drv.module, sizeof(drv.module), name);

	r = r < 0 ? r : kmod_load(&drv);
	snprintf(text, sizeof(text), "%s", r < 0 ? error_name(r) : drv.driver);
	return text;
}

static void ranks(void)
{
	static const char name[] = "vfio_pci:v000010DEd00002342sv000010DEsd000016EBbc03sc02i00";

	CHECK(kmod_rank_alias(name, name) == 0);
	CHECK(kmod_rank_alias(GENERIC_ALIAS, name) == 7);
	CHECK(kmod_rank_alias(GH200_ALIAS, name) == 5);
	CHECK(kmod_rank_alias("vfio_pci:v000010DEd00002331sv*sd*bc*sc*i*", name) == -1);
	CHECK(kmod_rank_alias("pci:v*d*sv*sd*bc*sc*i*", name) == -1);
	CHECK(kmod_rank_alias("", name) == -1 && kmod_rank_alias("", "") == 0);
	CHECK(kmod_rank_alias("*", "") == 1);
	/* To modprobe - and _ are one letter, but not in a range. */
	CHECK(kmod_rank_alias("a-b_c*", "a_b-cd") == 1);
	CHECK(kmod_rank_alias("x[a-c]y-z", "xby_z") == 0);
	CHECK(kmod_rank_alias("x[a-c]y", "x_y") == -1);
}

static void refuses_long_patterns(void)
{
	char big[1024];

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	CHECK(kmod_rank_alias(big, big) == -1);
	big[0] = '*';
	CHECK(kmod_rank_alias(big, "aaa") == -1);
}

static void variant_before_generic(void)
{
	TREE;

	generic_and_variant();
	CHECK_STR(choose(GH200, NULL), VARIANT);
	CHECK_STR(choose(GH200, ""), VARIANT);
	CHECK_STR(choose(H100, NULL), "vfio_pci");
}

static void order_of_modules_is_nothing(void)
{
	TREE;

	module(VARIANT, GH200_ALIAS, NULL);
	module("vfio_pci", GENERIC_ALIAS, NULL);
	index_all();
	CHECK_STR(choose(GH200, NULL), VARIANT);
}

static void best_of_a_modules_aliases_counts(void)
{
	TREE;

	module("vfio_pci", GENERIC_ALIAS, NULL);
	module("a_vfio_pci", GH200_ALIAS, NULL);
	module("b_vfio_pci", "vfio_pci:v000010DEd*sv*sd*bc*sc*i*",
	       "alias=vfio_pci:v000010DEd00002342sv000010DEsd*bc*sc*i*");
	index_all();
	CHECK_STR(choose(GH200, NULL), "b_vfio_pci");
	CHECK_STR(choose(H100, NULL), "b_vfio_pci");
}

static void equals_are_stable(void)
{
	TREE;

	module("z_vfio_pci", GENERIC_ALIAS, NULL);
	module("vfio_pci", GENERIC_ALIAS, NULL);
	module("y_vfio_pci", GENERIC_ALIAS, NULL);
	index_all();
	CHECK_STR(choose(H100, NULL), "y_vfio_pci");
}

static void one_that_cannot_be_read_comes_last(void)
{
	TREE;

	generic_and_variant();
	tree_file(in_modules("kernel/" VARIANT ".ko"), "");
	CHECK_STR(choose(GH200, NULL), "vfio_pci");
}

static void by_name_without_aliases(void)
{
	TREE;

	module("vfio_pci", NULL, NULL);
	index_all();
	CHECK_STR(choose(H100, NULL), "vfio_pci");
}

static void nothing_to_choose(void)
{
	TREE;

	CHECK_STR(choose(H100, NULL), "ENOENT");
	module("other", NULL, NULL);
	index_all();
	CHECK_STR(choose(H100, NULL), "ENOENT");
	CHECK_STR(choose("usb:v1D6Bp0002", NULL), "EINVAL");
	CHECK_STR(choose("", NULL), "EINVAL");
}

static void blacklisted_variant(void)
{
	TREE;

	generic_and_variant();
	tree_file("/etc/modprobe.d/a.conf", "blacklist nvgrace-gpu-vfio-pci\n");
	CHECK_STR(choose(GH200, NULL), "vfio_pci");
	tree_file("/etc/modprobe.d/a.conf", "");
	tree_file("/lib/modprobe.d/b.conf", "blacklist vfio_pci\n");
	CHECK_STR(choose(GH200, NULL), VARIANT);
	CHECK_STR(choose(H100, NULL), "EACCES");
	tree_file("/run/modprobe.d/c.conf", "blacklist " VARIANT "\n");
	CHECK_STR(choose(GH200, NULL), "EACCES");
}

static void blacklisted_variant_alone(void)
{
	TREE;

	module(VARIANT, GH200_ALIAS, NULL);
	index_all();
	tree_file("/usr/lib/modprobe.d/a.conf", "blacklist " VARIANT "\n");
	CHECK_STR(choose(GH200, NULL), "EACCES");
}

static void blacklisted_by_name(void)
{
	TREE;

	module("vfio_pci", NULL, NULL);
	index_all();
	tree_file("/etc/modprobe.d/a.conf", "blacklist vfio-pci\n");
	CHECK_STR(choose(H100, NULL), "EACCES");
}

static void blacklisted_on_the_command_line(void)
{
	TREE;

	generic_and_variant();
	tree_file("/proc/cmdline", "quiet module_blacklist=nouveau,nvgrace_gpu_vfio_pci rw\n");
	CHECK_STR(choose(GH200, NULL), "vfio_pci");
	tree_file("/proc/cmdline", "quiet modprobe.blacklist=vfio-pci\n");
	CHECK_STR(choose(H100, NULL), "EACCES");
	tree_file("/proc/cmdline", "xmodule_blacklist=vfio_pci module_blacklist=vfio,vfio_pci_\n");
	CHECK_STR(choose(H100, NULL), "vfio_pci");
}

static void alias_of_the_administrator(void)
{
	TREE;

	generic_and_variant();
	module("my_vfio", NULL, NULL);
	index_all();
	tree_file("/etc/modprobe.d/a.conf", "alias vfio_pci:v000010DEd00002331* my-vfio\n");
	CHECK_STR(choose(H100, NULL), "my_vfio");
	CHECK_STR(choose(GH200, NULL), VARIANT);
}

static void built_in(void)
{
	TREE;

	builtin("vfio_pci", GENERIC_ALIAS);
	index_all();
	CHECK_STR(choose(H100, NULL), "vfio_pci");
	tree_dir("/sys/module/vfio_pci");
	tree_dir("/sys/bus/pci/drivers/vfio-pci");
	CHECK_STR(choose(H100, NULL), "vfio_pci vfio-pci");
	CHECK_STR(load("vfio_pci"), "vfio-pci");
	CHECK(kmod_exists("vfio-pci") == 1);
}

/* libkmod shows built-in aliases only where no module has one. */
static void built_in_behind_a_variant(void)
{
	TREE;

	builtin("vfio_pci", GENERIC_ALIAS);
	module(VARIANT, GH200_ALIAS, NULL);
	index_all();
	CHECK_STR(choose(GH200, NULL), VARIANT);
	tree_file("/etc/modprobe.d/a.conf", "blacklist " VARIANT "\n");
	CHECK_STR(choose(GH200, NULL), "vfio_pci");
	CHECK_STR(choose(H100, NULL), "vfio_pci");
}

static void loaded_has_its_drivers_name(void)
{
	TREE;

	generic_and_variant();
	tree_file("/sys/module/vfio_pci/initstate", "live\n");
	tree_dir("/sys/module/vfio_pci/drivers/pci:vfio-pci");
	tree_file("/sys/module/" VARIANT "/initstate", "live\n");
	tree_dir("/sys/module/" VARIANT "/drivers/pci:" VARIANT);
	CHECK_STR(choose(H100, NULL), "vfio_pci vfio-pci");
	CHECK_STR(choose(GH200, NULL), VARIANT " " VARIANT);
	tree_file("/sys/module/vfio_pci/initstate", "coming\n");
	CHECK_STR(choose(H100, NULL), "vfio_pci");
	CHECK_STR(load("vfio_pci"), "EBUSY");
}

static void one_driver_of_several(void)
{
	TREE;
	char path[64];

	/* So many that some come after it, whichever way the directory is read. */
	tree_dir("/sys/module/x_vfio/drivers/pci:x-vfio");
	for (unsigned int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/sys/module/x_vfio/drivers/pci:driver-%u", i);
		tree_dir(path);
	}
	tree_dir("/sys/module/y_vfio/drivers/pci:c-driver");
	tree_dir("/sys/module/y_vfio/drivers/pci:b-driver");
	tree_dir("/sys/module/y_vfio/drivers/platform:a-driver");
	tree_dir("/sys/module/w_vfio/drivers/platform:w_vfio");
	module("w_vfio", NULL, NULL);
	index_all();
	CHECK_STR(load("x_vfio"), "x-vfio");
	CHECK_STR(load("y_vfio"), "b-driver");
	CHECK_STR(load("w_vfio"), "ENXIO");
}

static void pinned(void)
{
	TREE;

	generic_and_variant();
	CHECK_STR(choose(GH200, "vfio-pci"), "vfio_pci");
	CHECK_STR(choose(H100, VARIANT), VARIANT);
	CHECK_STR(choose(H100, "other-vfio"), "ENOENT");
	tree_file("/etc/modprobe.d/a.conf", "blacklist vfio-pci\n");
	CHECK_STR(choose(GH200, "vfio-pci"), "EACCES");
	tree_dir("/sys/module/vfio_pci/drivers/pci:vfio-pci");
	tree_dir("/sys/bus/pci/drivers/vfio-pci");
	CHECK_STR(choose(GH200, "vfio-pci"), "vfio_pci vfio-pci");
	CHECK_STR(choose(H100, "../drivers/vfio-pci"), "ENOENT");
	CHECK_STR(choose(H100, ".."), "ENOENT");
}

static void pinned_driver_has_another_module(void)
{
	struct vfio_driver drv;
	TREE;

	tree_dir("/sys/module/their_module/drivers/pci:a-driver");
	tree_dir("/sys/module/their_module/drivers/pci:my-driver");
	tree_link("/sys/bus/pci/drivers/my-driver/module", "../../../../module/their_module");
	CHECK_STR(choose(H100, "my-driver"), "their_module my-driver");
	/* It stays the one that was asked for, though the module has another before it. */
	CHECK(kmod_choose(H100, "my-driver", &drv) == 0 && kmod_load(&drv) == 0);
	CHECK_STR(drv.driver, "my-driver");
}

static void loads_nothing_under_a_sysroot(void)
{
	TREE;

	generic_and_variant();
	CHECK_STR(load("vfio_pci"), "ENOENT");
	CHECK_STR(load("none"), "ENOENT");
	tree_dir("/sys/module/vfio_pci/drivers/pci:vfio-pci");
	CHECK_STR(load("vfio_pci"), "vfio-pci");
}

static void loads_no_blacklisted_one(void)
{
	TREE;

	generic_and_variant();
	tree_file("/etc/modprobe.d/a.conf", "blacklist vfio-pci\n");
	CHECK_STR(load("vfio_pci"), "EACCES");
	tree_dir("/sys/module/vfio_pci/drivers/pci:vfio-pci");
	CHECK_STR(load("vfio_pci"), "vfio-pci");
}

static void runs_no_install_command(void)
{
	TREE;

	generic_and_variant();
	tree_file("/etc/modprobe.d/a.conf", "install vfio-pci /bin/true\n");
	CHECK_STR(choose(H100, NULL), "ENOEXEC");
	CHECK_STR(load("vfio_pci"), "ENOEXEC");
	tree_file("/etc/modprobe.d/b.conf", "softdep vfio-pci pre: vfio\n");
	CHECK_STR(load("vfio_pci"), "ENOEXEC");
	CHECK_STR(load(VARIANT), "ENOENT");
}

static void exists(void)
{
	TREE;

	generic_and_variant();
	CHECK(kmod_exists("vfio_pci") == 1 && kmod_exists("vfio-pci") == 1);
	CHECK(kmod_exists("nvidia_vgpu_vfio") == 0);
	tree_dir("/sys/module/nvidia_vgpu_vfio");
	CHECK(kmod_exists("nvidia_vgpu_vfio") == 1);
}

static void failure_leaves_the_answer_alone(void)
{
	struct vfio_driver drv = { .module = "before", .driver = "too" };
	TREE;

	CHECK(kmod_choose(H100, NULL, &drv) == -ENOENT && kmod_choose(H100, "x", &drv) == -ENOENT);
	CHECK_STR(drv.module, "before");
	CHECK_STR(drv.driver, "too");
}

TEST_MAIN(TEST(ranks), TEST(refuses_long_patterns), TEST(variant_before_generic),
	  TEST(order_of_modules_is_nothing), TEST(best_of_a_modules_aliases_counts),
	  TEST(equals_are_stable), TEST(one_that_cannot_be_read_comes_last),
	  TEST(by_name_without_aliases), TEST(nothing_to_choose), TEST(blacklisted_variant),
	  TEST(blacklisted_variant_alone), TEST(blacklisted_by_name),
	  TEST(blacklisted_on_the_command_line), TEST(alias_of_the_administrator), TEST(built_in),
	  TEST(built_in_behind_a_variant), TEST(loaded_has_its_drivers_name),
	  TEST(one_driver_of_several), TEST(pinned), TEST(pinned_driver_has_another_module),
	  TEST(loads_nothing_under_a_sysroot), TEST(loads_no_blacklisted_one),
	  TEST(runs_no_install_command), TEST(exists), TEST(failure_leaves_the_answer_alone))
