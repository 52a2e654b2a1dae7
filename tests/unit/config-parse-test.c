// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines and sections: what is read, and what each mistake is told, with its line.
 */
#include "config-test.h"

static void reads_what_is_well_formed(void)
{
	ANSWER(a);

	CHECK(ask(&a, "", &gpu));
	CHECK(ask(&a, "\n", &gpu));
	CHECK(ask(&a, "# nothing\n ; here\n\t# either, \xc3\xa9\n \t\n", &gpu));
	CHECK(!a.says.key[KEY_GPU].file);
	CHECK(ask(&a, "[policy] ; comment ] \xc3\xa9\r\n"
		"gpu=native\r\n"
		"vf\t=  native\t ; comment = comment\r\n"
		"nvswitch =vfio \r\n"
		"driver = a-b ;\n"
		"[device 0000:41:00.0]\t\n"
		"#gpu = vfio\n"
		"boot = vfio", &gpu));
	CHECK(a.says.key[KEY_GPU].choice == CHOICE_NATIVE && a.says.key[KEY_GPU].line == 2);
	CHECK(a.says.key[KEY_VF].choice == CHOICE_NATIVE && a.says.key[KEY_VF].line == 3);
	CHECK(a.says.key[KEY_NVSWITCH].choice == CHOICE_VFIO);
	CHECK_STR(a.says.key[KEY_DRIVER].text, "a-b");
	CHECK(a.says.key[KEY_BOOT].choice == CHOICE_VFIO && a.says.key[KEY_BOOT].line == 8);
	CHECK(a.says.key[KEY_BOOT].level == LEVEL_ADDRESS);
}

static void refuses_bad_lines(void)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ "gpu = vfio\n",
		  "1: key outside a section: [policy] or [device ...] comes first" },
		{ "[policy]\ngpu\n", "2: expected key = value or a [section]" },
		{ "[policy]\ngpu ; = vfio\n", "2: expected key = value or a [section]" },
		{ "[policy]\n= vfio\n", "2: no key before '='" },
		{ "[policy]\n;\n]\n", "3: expected key = value or a [section]" },
		{ "[policy]\ngpu: vfio\n", "2: expected key = value, found ':' before any '='" },
		{ "[policy]\ngpu : a = b\n", "2: expected key = value, found ':' before any '='" },
		{ "[policy]\nGpu = vfio\n", "2: unknown key Gpu" },
		{ "[policy]\ngpu x = vfio\n", "2: unknown key gpu x" },
		{ "[policy]\ndriver = ;x\n",
		  "2: driver = : expected auto or the name of a driver" },
		{ "[policy]\ndriver =;x\n",
		  "2: driver = ;x: expected auto or the name of a driver" },
		{ "[policy]\n\n gpu = vfio\n",
		  "3: indented: a key or section begins in the first column" },
		{ "[policy]\ngpu = vfio\n\tnative\n",
		  "3: indented: a key or section begins in the first column" },
		{ "[policy]\n\t[policy]\n",
		  "2: indented: a key or section begins in the first column" },
		{ "\xef\xbb\xbf[policy]\n",
		  "1: byte order mark: save the file as UTF-8 without one" },
		{ "\xef\xbb\xbf# [policy]\n",
		  "1: byte order mark: save the file as UTF-8 without one" },
		{ "\n\xef\xbb\xbf[policy]\n",
		  "2: byte 0xef: outside of comments only ASCII is used" },
		{ "[policy]\ngpu = vfio\xc2\xa0\n",
		  "2: byte 0xc2: outside of comments only ASCII is used" },
		{ "# a\r[policy]\rgpu = native\r", "1: control character 0x0d" },
		{ "# a\033[2J\n", "1: control character 0x1b" },
		{ "[policy]\ngpu = vfio\f\n", "2: control character 0x0c" },
		{ "[policy]\n\x7f\n", "2: control character 0x7f" },
		/* sections */
		{ "\n[policy\n", "2: section header without ]" },
		{ "[policy ;]\n", "1: section header without ]" },
		{ "[policy] gpu = vfio\n", "1: text after ]" },
		{ "[policy]]\n", "1: text after ]" },
		{ "[policy];\n", "1: text after ]" },
		{ "[]\n", "1: unknown section []: expected [policy] or [device ...]" },
		{ "[Policy]\n", "1: unknown section [Policy]: expected [policy] or [device ...]" },
		{ "[ policy ]\n",
		  "1: unknown section [ policy ]: expected [policy] or [device ...]" },
		{ "[device]\n", "1: unknown section [device]: expected [policy] or [device ...]" },
		{ "[policy]\ngpu = vfio\n[policy]\n", "3: [policy] again, first at line 1" },
		{ "[device 0000:c1:00.0]\n[policy]\n[device 00000000:C1:00.0] ; again\n",
		  "3: [device 00000000:C1:00.0] again, first at line 1" },
		{ "[device 10de:2331]\n[device 10DE:2331]\n",
		  "2: [device 10DE:2331] again, first at line 1" },
		{ "[device 10de:2331:10de:0001]\n[device 10DE:2331:10de:0001]\n",
		  "2: [device 10DE:2331:10de:0001] again, first at line 1" },
		/* keys where they may not be */
		{ "[policy]\ngpu = vfio\nvf = auto\ngpu = vfio\n",
		  "4: gpu again, first at line 2" },
		{ "[policy]\nid = 10de:2331\n", "2: id is a key of [device BDF] only" },
		{ "[device 10de:2331]\nid = 10de:2331\n", "2: id is a key of [device BDF] only" },
		{ "[device 10de:2331]\ntimeout = 3s\n", "2: timeout is a key of [policy] only" },
		{ "[device 0000:41:00.0]\nnode-group = kvm\n",
		  "2: node-group is a key of [policy] only" },
		{ "[device 10de:2331]\nnode-mode = 0660\n",
		  "2: node-mode is a key of [policy] only" },
		{ "[device 0000:41:00.0]\nid = 10de:2331\nid = 10de:2331\n",
		  "3: id again, first at line 2" },
		{ "[device 0000:41:00.0]\nid = 10de\n",
		  "2: id = 10de: expected vendor and device like 10de:2331" },
		{ "[device 0000:41:00.0]\nid = 10de:2331:10de:1626\n",
		  "2: id = 10de:2331:10de:1626: expected vendor and device like 10de:2331" },
		/* the first of several is told */
		{ "[policy]\nx = 1\ny = 2\n[z]\n", "2: unknown key x" },
	};
	char message[300];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		(void)snprintf(message, sizeof(message), "a.conf:%s", bad[i].message);
		refuses(bad[i].text, message);
	}
	refuses_bytes("[policy]\ngpu = vfio\n#\0\n", 23, "a.conf:3: control character 0x00");
	refuses_bytes("[policy]\ngpu = native\0x\n", 24, "a.conf:2: control character 0x00");
}

static void refuses_bad_addresses(void)
{
	static const char *const bad[] = {
		"", " ", "41:00.0", "0000:41:00", "0000:41:00.8", "000:41:00.0", "0000:41:20.0",
		" 0000:41:00.0", "0000:41:00.0 ", "0000:41:00.0, 0000:41:00.1", "10de", "10de:",
		"10de:233", "10de:23311", "10de:2331:", "10de:2331:10de", "10de:2331:10de:",
		"10de:2331:10de:1626:", "10de:2331:10de:1626:10de:1626", "0x10de:0x2331",
		"10de: 2331", "10de 2331", "10de:*", "10dg:2331",
		"10de:2331 and a name that is longer than the 50 bytes inih has for it",
	};
	char text[200], message[300];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		(void)snprintf(text, sizeof(text), "[device %s]\ngpu = vfio\n", bad[i]);
		(void)snprintf(message, sizeof(message), "a.conf:1: [device %s]: expected a BDF "
			       "(0000:41:00.0) or ids (10de:2331 or 10de:2331:10de:1626)", bad[i]);
		refuses(text, message);
	}
}

/* 198 bytes and a newline fill inih's buffer; it would take the rest for another line. */
static void refuses_long_lines(void)
{
	static const char *const starts[] = { "#", "boot = vfio ; ", "[device 10de:2331] ; ", "" };
	static const char *const ends[] = { "\n", "", "\r\n" };
	char line[256], text[300];
	unsigned int i, e, len;

	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		for (e = 0; e < ARRAY_SIZE(ends); e++) {
			/* A CR is one byte of the line. */
			unsigned int max = e == 2 ? 197 : 198;
			ANSWER(a);

			for (len = max; len <= max + 1; len++) {
				(void)snprintf(line, sizeof(line), "%-*s", (int)len, starts[i]);
				(void)snprintf(text, sizeof(text), "[policy]\n%s%s", line, ends[e]);
				if (len == max)
					CHECK(ask(&a, text, &gpu));
				else
					refuses(text, "a.conf:2: line longer than 198 bytes");
			}
		}
	}
}

static void bounds_the_sections(void)
{
	_cleanup_free_ char *text = malloc(4097 * 32);
	size_t len = 0;
	unsigned int i;
	ANSWER(a);

	CHECK(text);
	for (i = 0; i < 4096; i++)
		len += (size_t)sprintf(text + len, "[device 10de:%04x]\n", i);
	CHECK(add(&a, "a.conf", text, len) == 0);
	CHECK(add(&a, "b.conf", "\n[policy]\n", 10) == -EINVAL);
	CHECK_STR(a.error, "b.conf:2: more than 4096 sections");
}

static void a_bad_file_adds_nothing(void)
{
	const char *bad = "[policy]\ngpu = vfio\n[device 0000:41:00.0]\ngpu = vfio\nvf = x\n";
	ANSWER(a);

	CHECK(ask(&a, "[policy]\ngpu = native\n", &gpu));
	CHECK(add(&a, "b.conf", bad, strlen(bad)) == -EINVAL);
	CHECK_STR(a.error, "b.conf:5: vf = x: expected auto, vfio or native");
	config_resolve(a.cfg, &gpu, &a.says);
	CHECK(a.says.key[KEY_GPU].choice == CHOICE_NATIVE);
	CHECK_STR(a.says.key[KEY_GPU].file, "a.conf");
	/* A short buffer cuts the message and no more. */
	memset(a.error, 'x', sizeof(a.error));
	CHECK(config_parse(a.cfg, "b.conf", "x", 1, a.error, 5) == -EINVAL);
	CHECK(strcmp(a.error, "b.co") == 0 && a.error[5] == 'x');
	CHECK(config_parse(a.cfg, "b.conf", "x", 1, a.error, 12) == -EINVAL);
	CHECK_STR(a.error, "b.conf:1: e");
}

TEST_MAIN(TEST(reads_what_is_well_formed), TEST(refuses_bad_lines), TEST(refuses_bad_addresses),
	  TEST(refuses_long_lines), TEST(bounds_the_sections), TEST(a_bad_file_adds_nothing))
