// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * BDFs, sysfs paths and class tests; console_in_iomem(), which is as pure.
 */
#include "console.h"
#include "pci.h"
#include "test.h"

static void plain_bdf_is_parsed(void)
{
	struct bdf b;
	char name[BDF_SIZE];

	CHECK(pci_parse_bdf("0000:41:1f.7", &b) == 0);
	CHECK(b.domain == 0 && b.bus == 0x41 && b.slot == 31 && b.function == 7);
	CHECK(pci_parse_bdf("10000:E1:00.0", &b) == 0);
	CHECK(b.domain == 0x10000 && b.bus == 0xe1);
	pci_format_bdf(&b, name);
	CHECK_STR(name, "10000:e1:00.0");
	CHECK(pci_parse_bdf("ffffffff:00:00.0", &b) == 0);
	pci_format_bdf(&b, name);
	CHECK_STR(name, "ffffffff:00:00.0");
}

static void anything_else_is_no_bdf(void)
{
	static const char *const bad[] = {
		"", "0000", "000:01:00.0", "0000:1:00.0", "0000:01:0.0", "0000:01:00", "0000:01:00.", "0000:01:00.8",
		"0000:01:20.0", "0000:01:00.0 ", " 0000:01:00.0", "0000:01:00.00", "0000:01:00:0", "000000000:01:00.0",
		"0000:01:00.0/", "0000:0g:00.0", "0x00:01:00.0", "-000:01:00.0", "0000:01:00.a", "01:00.0",
	};
	struct bdf b = { .bus = 0x77 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(pci_parse_bdf(bad[i], &b) == -EINVAL);
	CHECK(b.bus == 0x77);
}

static void syspaths_are_taken_apart(void)
{
	char name[BDF_SIZE];

	CHECK(pci_parse_syspath("/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0", name) == 0);
	CHECK_STR(name, "0000:01:00.0");
}

static void anything_else_is_no_syspath(void)
{
	static const char *const bad[] = {
		"", "/", "0000:01:00.0", "/sys/devices/", "/sys/devices", "/sys/devices/pci0000:00",
		"/sys/bus/pci/devices/0000:01:00.0", "/sys/devices/virtual/net/lo",
		"/sys/devices/pci0000:00/0000:01:00.0/drm/card0", "/sys/devices/pci0000:00/0000:01:00.0/",
		"/sys/devices/pci0000:00/../0000:01:00.0", "/sys/devices/./0000:01:00.0", "/sys/devices//0000:01:00.0",
		"/proc/0000:01:00.0", "sys/devices/0000:01:00.0", "/sys/devices/..",
	};
	char name[BDF_SIZE] = "x";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK(pci_parse_syspath(bad[i], name) == -EINVAL);
		CHECK_STR(name, "");
	}
}

static void classes_are_told_apart(void)
{
	CHECK(pci_is_display(0x030000) && pci_is_display(0x030200));
	CHECK(!pci_is_display(0x030100) && !pci_is_display(0x038000) && !pci_is_display(0x040300));
	CHECK(pci_is_companion_class(0x040300) && pci_is_companion_class(0x0c0330) && pci_is_companion_class(0x0c8000));
	CHECK(!pci_is_companion_class(0x020000) && !pci_is_companion_class(0x0c0500));
	CHECK(pci_is_nvswitch(0x068000) && !pci_is_nvswitch(0x060400));
	CHECK(pci_is_foreign_stub("pci-stub") && !pci_is_foreign_stub("pci-pf-stub") && !pci_is_foreign_stub(""));
	CHECK(pci_is_integrated_gpu(&(struct pci_ids){ 0x10de, 0x2b00, 0, 0 }));
	CHECK(!pci_is_integrated_gpu(&(struct pci_ids){ 0x10de, 0x2331, 0, 0 }));
	CHECK(!pci_is_integrated_gpu(&(struct pci_ids){ 0x1002, 0x2b00, 0, 0 }));
}

static void a_framebuffer_inside_a_bar_is_found(void)
{
	static const char iomem[] = "00000000-00000fff : Reserved\n"
				    "c0000000-febfffff : PCI Bus 0000:00\n"
				    "  d0000000-e1ffffff : PCI Bus 0000:01\n"
				    "    d0000000-dfffffff : 0000:01:00.0\n"
				    "      d0000000-d02fffff : efifb\n"
				    "    e0000000-e1ffffff : 0000:01:00.1\n"
				    "  e2000000-e2ffffff : BOOTFB\n";
	char text[sizeof(iomem)];

	memcpy(text, iomem, sizeof(iomem));
	CHECK(console_in_iomem(text, "0000:01:00.0"));
	memcpy(text, iomem, sizeof(iomem));
	CHECK(!console_in_iomem(text, "0000:01:00.1"));
	memcpy(text, iomem, sizeof(iomem));
	CHECK(!console_in_iomem(text, "0000:02:00.0"));
}

static void of_iomem_only_what_leads_to_a_framebuffer_is_left(void)
{
	char text[] = "00000000-00000fff : Reserved\n"
		      "c0000000-febfffff : PCI Bus 0000:00\n"
		      "  d0000000-e1ffffff : PCI Bus 0000:01\n"
		      "    d0000000-dfffffff : 0000:01:00.0\n"
		      "      d0000000-d02fffff : efifb\n"
		      "      d0300000-d04fffff : simplefb\n"
		      "    e0000000-e1ffffff : 0000:01:00.1\n"
		      "  e2000000-e2ffffff : BOOTFB\n"
		      "fec00000-fec00fff : Reserved";
	char none[] = "00000000-00000fff : Reserved\n", empty[] = "";
	char deep[] = "                                  d0000000-d02fffff : efifb\n0-1 : Reserved\n", deep_before[sizeof(deep)];

	console_reduce_iomem(text);
	CHECK(streq(text, "c0000000-febfffff : PCI Bus 0000:00\n"
			  "  d0000000-e1ffffff : PCI Bus 0000:01\n"
			  "    d0000000-dfffffff : 0000:01:00.0\n"
			  "      d0000000-d02fffff : efifb\n"
			  "      d0300000-d04fffff : simplefb\n"
			  "  e2000000-e2ffffff : BOOTFB\n"));
	console_reduce_iomem(none);
	CHECK(streq(none, ""));
	console_reduce_iomem(empty);
	CHECK(streq(empty, ""));
	/* Deeper than any kernel's: left as it is. */
	memcpy(deep_before, deep, sizeof(deep));
	console_reduce_iomem(deep);
	CHECK(streq(deep, deep_before));
}

TEST_MAIN(TEST(plain_bdf_is_parsed), TEST(anything_else_is_no_bdf), TEST(syspaths_are_taken_apart),
	  TEST(anything_else_is_no_syspath), TEST(classes_are_told_apart), TEST(a_framebuffer_inside_a_bar_is_found),
	  TEST(of_iomem_only_what_leads_to_a_framebuffer_is_left))
