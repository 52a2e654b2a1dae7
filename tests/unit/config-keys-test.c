// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each key of the configuration takes, and what it says to anything else.
 */
#include "config-test.h"

#define LONG_63 "abcdefghijklmnopqrstuvwxyz_ABCDEFGHIJKLMNOPQRSTUVWXYZ-012345678"
#define LONG_32 "_abcdefghijklmnopqrstuvwxyz-0123"
#define ANY CHOICE_NATIVE /* of a key that is no choice */

static void names_and_defaults(void)
{
	static const struct {
		const char *name;
		enum choice choice;
		unsigned int ms;
	} expected[KEY_COUNT] = {
		[KEY_GPU] = { "gpu", CHOICE_VFIO, 0 },
		[KEY_COMPANION] = { "companion", CHOICE_VFIO, 0 },
		[KEY_VF] = { "vf", CHOICE_AUTO, 0 },
		[KEY_NVSWITCH] = { "nvswitch", CHOICE_NATIVE, 0 },
		[KEY_BOOT_VGA] = { "boot-vga", CHOICE_NATIVE, 0 },
		[KEY_TAKEOVER] = { "takeover", CHOICE_HOTPLUG, 0 },
		[KEY_SIBLINGS] = { "siblings", CHOICE_CARD, 0 },
		[KEY_DRIVER] = { "driver", ANY, 0 },
		[KEY_BOOT] = { "boot", CHOICE_NATIVE, 0 },
		[KEY_VF_AUTOPROBE] = { "vf-autoprobe", CHOICE_AUTO, 0 },
		[KEY_TIMEOUT] = { "timeout", ANY, 10000 },
		[KEY_NODE_GROUP] = { "node-group", ANY, 0 },
		[KEY_NODE_MODE] = { "node-mode", ANY, 0 },
	};
	struct settings s;
	unsigned int i;

	memset(&s, 0xff, sizeof(s));
	config_resolve(NULL, &gpu, &s);
	CHECK(!s.id_guard_file && s.id_guard_line == 0);
	for (i = 0; i < KEY_COUNT; i++) {
		CHECK_STR(config_key_name((enum config_key)i), expected[i].name);
		CHECK(s.key[i].level == LEVEL_DEFAULT && !s.key[i].file && s.key[i].line == 0);
		CHECK(s.key[i].choice == expected[i].choice && s.key[i].ms == expected[i].ms);
		CHECK_STR(s.key[i].text, "");
	}
}

static void takes_good_values(void)
{
	static const struct {
		enum config_key key;
		const char *line;
		enum choice choice;
		unsigned int ms;
		const char *text;
	} good[] = {
		{ KEY_SIBLINGS, "siblings = 0000:41:00.1", CHOICE_LIST, 0, "0000:41:00.1" },
		{ KEY_SIBLINGS, "siblings = 0000:41:00.1, 10000:C1:1f.7\t,", CHOICE_LIST, 0,
		  "0000:41:00.1, 10000:C1:1f.7\t," },
		{ KEY_DRIVER, "driver = auto", ANY, 0, "" },
		{ KEY_DRIVER, "driver = vfio-pci", ANY, 0, "vfio-pci" },
		{ KEY_DRIVER, "driver = nvgrace_gpu_vfio_pci", ANY, 0, "nvgrace_gpu_vfio_pci" },
		{ KEY_DRIVER, "driver = " LONG_63, ANY, 0, LONG_63 },
		{ KEY_TIMEOUT, "timeout = 1s", ANY, 1000, "" },
		{ KEY_TIMEOUT, "timeout = 1000ms", ANY, 1000, "" },
		{ KEY_TIMEOUT, "timeout = 2500ms", ANY, 2500, "" },
		{ KEY_TIMEOUT, "timeout = 020s", ANY, 20000, "" },
		{ KEY_TIMEOUT, "timeout = 150s", ANY, 150000, "" },
		{ KEY_TIMEOUT, "timeout = 150000ms", ANY, 150000, "" },
		{ KEY_NODE_GROUP, "node-group =", ANY, 0, "" },
		{ KEY_NODE_GROUP, "node-group = ; nobody", ANY, 0, "" },
		{ KEY_NODE_GROUP, "node-group = kvm", ANY, 0, "kvm" },
		{ KEY_NODE_GROUP, "node-group = _X-1", ANY, 0, "_X-1" },
		{ KEY_NODE_GROUP, "node-group = " LONG_32, ANY, 0, LONG_32 },
		{ KEY_NODE_MODE, "node-mode =", ANY, 0, "" },
		{ KEY_NODE_MODE, "node-mode = 0660", ANY, 0, "0660" },
		{ KEY_NODE_MODE, "node-mode = 0666 ; anybody", ANY, 0, "0666" },
		{ KEY_NODE_MODE, "node-mode = 0600", ANY, 0, "0600" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		const struct setting *set;
		char text[300];
		ANSWER(a);

		(void)snprintf(text, sizeof(text), "# a\n[policy]\n%s\n", good[i].line);
		CHECK(ask(&a, text, &gpu));
		set = &a.says.key[good[i].key];
		CHECK(set->choice == good[i].choice && set->ms == good[i].ms);
		CHECK_STR(set->text, good[i].text);
		CHECK(set->level == LEVEL_POLICY && set->line == 3);
		CHECK_STR(set->file, "a.conf");
	}
}

/* Every key that is a choice with every word there is. */
static void takes_its_words_only(void)
{
	static const struct {
		enum config_key key;
		const char *words, *expects;
	} keys[] = {
		{ KEY_GPU, " vfio native ", "vfio or native" },
		{ KEY_COMPANION, " vfio native ", "vfio or native" },
		{ KEY_VF, " auto vfio native ", "auto, vfio or native" },
		{ KEY_NVSWITCH, " vfio native ", "native or vfio" },
		{ KEY_BOOT_VGA, " vfio native ", "native or vfio" },
		{ KEY_BOOT, " vfio native ", "native or vfio" },
		{ KEY_TAKEOVER, " hotplug idle never ", "hotplug, idle or never" },
		{ KEY_VF_AUTOPROBE, " auto keep off ", "auto, keep or off" },
		{ KEY_SIBLINGS, " card group ", "card, group or a list of BDFs like 0000:41:00.0" },
	};
	static const char *const words[] = { "native", "vfio", "auto", "hotplug", "idle", "never",
		"keep", "off", "card", "group", "list", "VFIO", "vfi", "vfioo", "on", "" };
	unsigned int k, w;

	for (k = 0; k < ARRAY_SIZE(keys); k++) {
		for (w = 0; w < ARRAY_SIZE(words); w++) {
			const char *name = config_key_name(keys[k].key);
			char text[200], needle[32], message[200];
			ANSWER(a);

			(void)snprintf(text, sizeof(text), "[policy]\n%s = %s\n", name, words[w]);
			(void)snprintf(needle, sizeof(needle), " %s ", words[w]);
			(void)snprintf(message, sizeof(message), "a.conf:2: %s = %s: expected %s",
				       name, words[w], keys[k].expects);
			if (!words[w][0] || !strstr(keys[k].words, needle)) {
				refuses(text, message);
				continue;
			}
			CHECK(ask(&a, text, &gpu));
			CHECK_STR(config_choice_name(a.says.key[keys[k].key].choice), words[w]);
			CHECK_STR(a.says.key[keys[k].key].text, "");
			CHECK(a.says.key[keys[k].key].line == 2);
		}
	}
}

static void refuses_bad_values(void)
{
#define SIBLINGS ": expected card, group or a list of BDFs like 0000:41:00.0"
#define TIMEOUT ": expected 1s to 150s, like 10s or 2500ms"
#define DRIVER ": expected auto or the name of a driver"
#define GROUP ": expected the name of a group, or nothing"
#define MODE ": expected 0660, 0666, 0600, or nothing"
	static const struct {
		const char *line, *tail;
	} bad[] = {
		{ "siblings = ", SIBLINGS },
		{ "siblings = 41:00.0", SIBLINGS },
		{ "siblings = 0000:41:00.1 ,0:0", SIBLINGS },
		{ "siblings = ,", SIBLINGS },
		{ "siblings = card 0000:41:00.0", SIBLINGS },
		{ "siblings = 0000:41:00.0 group", SIBLINGS },
		{ "siblings = 0000:41:00.0;0000:42:00.0", SIBLINGS },
		{ "siblings = 0000:41:00.00000000000000000", SIBLINGS },
		{ "siblings = 0000:41:20.0", SIBLINGS },
		{ "siblings = 00000000:41:00.00", SIBLINGS }, /* a byte too long for any BDF */
		{ "driver = ", DRIVER },
		{ "driver = vfio.pci", DRIVER },
		{ "driver = ../vfio-pci", DRIVER },
		{ "driver = vfio-pci nvidia", DRIVER },
		{ "driver = \"vfio-pci\"", DRIVER },
		{ "driver = vfio-pci # quick", DRIVER },
		{ "driver = vfio-pci;quick", DRIVER },
		{ "driver = " LONG_63 "x", DRIVER },
		{ "timeout = ", TIMEOUT },
		{ "timeout = 10", TIMEOUT },
		{ "timeout = s", TIMEOUT },
		{ "timeout = 10 s", TIMEOUT },
		{ "timeout = -10s", TIMEOUT },
		{ "timeout = +10s", TIMEOUT },
		{ "timeout = 1.5s", TIMEOUT },
		{ "timeout = 0x10s", TIMEOUT },
		{ "timeout = 1m", TIMEOUT },
		{ "timeout = 10S", TIMEOUT },
		{ "timeout = 10sec", TIMEOUT },
		{ "timeout = 0s", TIMEOUT },
		{ "timeout = 500ms", TIMEOUT },
		{ "timeout = 999ms", TIMEOUT },
		{ "timeout = 150001ms", TIMEOUT },
		{ "timeout = 151s", TIMEOUT },
		{ "timeout = 999999s", TIMEOUT },
		{ "timeout = 4294977s", TIMEOUT }, /* times 1000 it would wrap to 9704 ms */
		{ "timeout = 18446744073709551626s", TIMEOUT },
		{ "node-group = 36", GROUP },
		{ "node-group = -kvm", GROUP },
		{ "node-group = kvm,video", GROUP },
		{ "node-group = k.v.m", GROUP },
		{ "node-group = " LONG_32 "4", GROUP },
		{ "node-mode = 660", MODE },
		{ "node-mode = 0640", MODE },
		{ "node-mode = 04660", MODE },
		{ "node-mode = 0660 0666", MODE },
		{ "node-mode = rw", MODE },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[300], message[400];

		(void)snprintf(text, sizeof(text), "\n[policy]\n\n%s\n", bad[i].line);
		(void)snprintf(message, sizeof(message), "a.conf:4: %s%s",
			       bad[i].line, bad[i].tail);
		refuses(text, message);
	}
}

static void a_list_names_siblings(void)
{
	struct bdf bdf = { .bus = 0x41, .function = 1 };
	struct setting none;
	ANSWER(a);

	CHECK(ask(&a, "[policy]\nsiblings = 0000:41:00.1,10000:C1:1f.7\n", &gpu));
	CHECK(config_siblings_name(&a.says.key[KEY_SIBLINGS], &bdf));
	bdf.function = 0;
	CHECK(!config_siblings_name(&a.says.key[KEY_SIBLINGS], &bdf));
	bdf = (struct bdf){ .domain = 0x10000, .bus = 0xc1, .slot = 0x1f, .function = 7 };
	CHECK(config_siblings_name(&a.says.key[KEY_SIBLINGS], &bdf));
	bdf.domain = 0;
	CHECK(!config_siblings_name(&a.says.key[KEY_SIBLINGS], &bdf));
	config_resolve(NULL, &gpu, &a.says);
	none = a.says.key[KEY_SIBLINGS];
	CHECK(!config_siblings_name(&none, &bdf));
}

TEST_MAIN(TEST(names_and_defaults), TEST(takes_good_values), TEST(takes_its_words_only),
	  TEST(refuses_bad_values), TEST(a_list_names_siblings))
