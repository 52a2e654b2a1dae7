// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * names_find() on the hardware database of the host the tests run on.
 */
#include "names.h"
#include "test.h"

static void a_model_has_its_name(void)
{
	char name[128];

	CHECK(names_find("pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00", name, sizeof(name)) == 0);
	CHECK(strstr(name, "H100") != NULL);
	CHECK(names_find("pci:v000010DEd00001EB8sv000010DEsd000012A2bc03sc02i00", name, sizeof(name)) == 0);
	CHECK(strstr(name, "T4") != NULL);
	names_close();
}

static void what_is_not_in_there_has_none(void)
{
	char name[128] = "x";

	CHECK(names_find("pci:v0000FFF0d00000000sv00000000sd00000000bc00sc00i00", name, sizeof(name)) == -ENOENT);
	CHECK_STR(name, "");
	names_close();
	names_close();
}

static void a_long_name_is_cut(void)
{
	char name[4];

	CHECK(names_find("pci:v000010DEd00002331sv000010DEsd00001626bc03sc02i00", name, sizeof(name)) == 0);
	CHECK(strlen(name) == 3);
	names_close();
}

TEST_MAIN(TEST(a_model_has_its_name), TEST(what_is_not_in_there_has_none), TEST(a_long_name_is_cut))
