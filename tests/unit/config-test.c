// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which section wins for whom: levels, order, what a PF says of its VFs, the guard of an address.
 */
#include "config-test.h"

static const struct config_subject vf = {
	.bdf = { .bus = 0x41, .function = 4 },
	.ids = { .vendor = 0x10de, .device = 0x2335, .subvendor = 0x10de, .subdevice = 0x1626 },
	.is_vf = true,
	.has_pf = true,
	.pf = { .bus = 0x41 },
	.pf_ids = { .vendor = 0x10de, .device = 0x2331, .subvendor = 0x10de, .subdevice = 0x1626 },
};

static void more_specific_wins(void)
{
	/* The most specific stand first: by order alone they would lose. */
	static const char text[] =
		"[device 0000:41:00.0]\nboot = vfio\n"
		"[device 10de:2331:10de:1626]\nboot = native\nvf = vfio\n"
		"[device 10de:2331]\nboot = native\nvf = native\ntakeover = idle\n"
		"[policy]\nboot = native\nvf = auto\ntakeover = never\ngpu = native\n";
	struct config_subject other = gpu;
	ANSWER(a);
	const struct setting *says = a.says.key;

	CHECK(ask(&a, text, &gpu));
	CHECK(says[KEY_BOOT].choice == CHOICE_VFIO);
	CHECK(says[KEY_BOOT].level == LEVEL_ADDRESS && says[KEY_BOOT].line == 2);
	CHECK(says[KEY_VF].choice == CHOICE_VFIO);
	CHECK(says[KEY_VF].level == LEVEL_SUBSYSTEM && says[KEY_VF].line == 5);
	CHECK(says[KEY_TAKEOVER].choice == CHOICE_IDLE);
	CHECK(says[KEY_TAKEOVER].level == LEVEL_MODEL && says[KEY_TAKEOVER].line == 9);
	CHECK(says[KEY_GPU].choice == CHOICE_NATIVE);
	CHECK(says[KEY_GPU].level == LEVEL_POLICY && says[KEY_GPU].line == 14);
	CHECK(says[KEY_COMPANION].level == LEVEL_DEFAULT);

	/* Another function, another board, another model, in this order. */
	other.bdf.function = 1;
	config_resolve(a.cfg, &other, &a.says);
	CHECK(says[KEY_BOOT].level == LEVEL_SUBSYSTEM);
	other.bdf = gpu.bdf;
	other.bdf.domain = 0x10000;
	config_resolve(a.cfg, &other, &a.says);
	CHECK(says[KEY_BOOT].level == LEVEL_SUBSYSTEM);
	other.ids.subdevice = 1;
	config_resolve(a.cfg, &other, &a.says);
	CHECK(says[KEY_BOOT].level == LEVEL_MODEL && says[KEY_VF].level == LEVEL_MODEL);
	other.ids.subdevice = gpu.ids.subdevice;
	other.ids.subvendor = 1;
	config_resolve(a.cfg, &other, &a.says);
	CHECK(says[KEY_BOOT].level == LEVEL_MODEL);
	other.ids.device = 1;
	config_resolve(a.cfg, &other, &a.says);
	CHECK(says[KEY_BOOT].level == LEVEL_POLICY);
	other.ids.device = gpu.ids.device;
	other.ids.vendor = 1;
	config_resolve(a.cfg, &other, &a.says);
	CHECK(says[KEY_BOOT].level == LEVEL_POLICY);
}

static void of_equals_the_later_wins(void)
{
	static const char first[] = "[device 10DE:2331]\ngpu = native\n[policy]\nvf = native\n";
	static const char second[] = "[policy]\ngpu = vfio\nvf = vfio\n"
		"[device 10de:2331]\nboot = vfio\n";
	static const char third[] = "[device 10de:2331]\ngpu = vfio\n";
	ANSWER(a);
	const struct setting *says = a.says.key;

	CHECK(add(&a, "1.conf", first, strlen(first)) == 0);
	CHECK(add(&a, "2.conf", second, strlen(second)) == 0);
	config_resolve(a.cfg, &gpu, &a.says);
	CHECK(says[KEY_VF].choice == CHOICE_VFIO && says[KEY_VF].line == 3);
	CHECK_STR(says[KEY_VF].file, "2.conf");
	CHECK(says[KEY_GPU].choice == CHOICE_NATIVE);
	CHECK_STR(says[KEY_GPU].file, "1.conf");
	CHECK(add(&a, "3.conf", third, strlen(third)) == 0);
	config_resolve(a.cfg, &gpu, &a.says);
	CHECK_STR(says[KEY_GPU].file, "3.conf");
	CHECK(says[KEY_GPU].level == LEVEL_MODEL && says[KEY_BOOT].choice == CHOICE_VFIO);
}

static void a_pf_speaks_for_its_vfs(void)
{
	static const char text[] =
		"[device 0000:41:00.0]\nvf = vfio\ngpu = native\nboot = vfio\n"
		"[device 10de:2335]\nvf = native\n"       /* the VF's own model */
		"[device 10de:2331]\ntakeover = idle\n"; /* the PF's */
	struct config_subject alone = vf;
	ANSWER(a);
	const struct setting *says = a.says.key;
	ANSWER(b);
	const struct setting *also = b.says.key;

	CHECK(ask(&a, text, &vf));
	CHECK(says[KEY_VF].choice == CHOICE_VFIO);
	CHECK(says[KEY_VF].level == LEVEL_PF_ADDRESS && says[KEY_VF].line == 2);
	CHECK(says[KEY_GPU].level == LEVEL_DEFAULT && says[KEY_BOOT].level == LEVEL_DEFAULT);
	CHECK(says[KEY_TAKEOVER].level == LEVEL_DEFAULT);
	/* For the PF it is its own. */
	config_resolve(a.cfg, &gpu, &a.says);
	CHECK(says[KEY_VF].level == LEVEL_ADDRESS && says[KEY_GPU].level == LEVEL_ADDRESS);
	/* Before physfn is there, and for a function that is no VF, nobody speaks. */
	alone.has_pf = false;
	config_resolve(a.cfg, &alone, &a.says);
	CHECK(says[KEY_VF].level == LEVEL_MODEL);
	alone.has_pf = true;
	alone.is_vf = false;
	config_resolve(a.cfg, &alone, &a.says);
	CHECK(says[KEY_VF].level == LEVEL_MODEL);

	/* The VF's own address wins, wherever it stands. */
	CHECK(ask(&b, "[device 0000:41:00.4]\nvf = native\n"
		      "[device 0000:41:00.0]\nvf = vfio\n", &vf));
	CHECK(also[KEY_VF].choice == CHOICE_NATIVE && also[KEY_VF].level == LEVEL_ADDRESS);
}

static void id_guards_an_address(void)
{
	static const char text[] = "[policy]\nboot = native\n"
		"[device 0000:41:00.0]\nboot = vfio\nid = 10DE:2331\nvf = native\n";
	struct config_subject other = gpu;
	ANSWER(a);
	const struct setting *says = a.says.key;
	ANSWER(b);
	const struct setting *also = b.says.key;

	CHECK(ask(&a, text, &gpu));
	CHECK(says[KEY_BOOT].choice == CHOICE_VFIO && !a.says.id_guard_file);
	other.ids.subdevice = 0; /* not guarded */
	config_resolve(a.cfg, &other, &a.says);
	CHECK(says[KEY_BOOT].choice == CHOICE_VFIO && !a.says.id_guard_file);
	other.ids.device = 0x2330;
	config_resolve(a.cfg, &other, &a.says);
	CHECK(says[KEY_BOOT].choice == CHOICE_NATIVE && says[KEY_BOOT].line == 2);
	CHECK(a.says.id_guard_file && a.says.id_guard_line == 5);
	CHECK_STR(a.says.id_guard_file, "a.conf");
	/* The card of another vendor, at another address: the section is not about it. */
	other = gpu;
	other.ids.vendor = 0x10df;
	config_resolve(a.cfg, &other, &a.says);
	CHECK(a.says.id_guard_file && says[KEY_BOOT].level == LEVEL_POLICY);
	other.bdf.bus = 0x42;
	config_resolve(a.cfg, &other, &a.says);
	CHECK(!a.says.id_guard_file);

	/* A PF's guard is held against the PF's ids. */
	config_resolve(a.cfg, &vf, &a.says);
	CHECK(says[KEY_VF].level == LEVEL_PF_ADDRESS && !a.says.id_guard_file);
	CHECK(ask(&b, "[device 0000:41:00.0]\nid = 10de:2335\nvf = native\n", &vf));
	CHECK(also[KEY_VF].level == LEVEL_DEFAULT && b.says.id_guard_line == 2);
}

TEST_MAIN(TEST(more_specific_wins), TEST(of_equals_the_later_wins), TEST(a_pf_speaks_for_its_vfs),
	  TEST(id_guards_an_address))
