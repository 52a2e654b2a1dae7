// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Switches and cliques.
 */
#include "test.h"
#include "topology.h"

#define UP "../../../devices/pci0000:40/0000:40:01.1/"

static void the_switch_is_the_first_bridge_below_the_root_port(void)
{
	char name[BDF_SIZE];

	topology_switch(UP "0000:41:00.0/0000:42:08.0/0000:45:00.0", name);
	CHECK_STR(name, "0000:41:00.0");
	/* A switch below a switch, as on boards with two levels of them. */
	topology_switch(UP "0000:41:00.0/0000:42:08.0/0000:45:00.0/0000:46:10.0/0000:47:00.0", name);
	CHECK_STR(name, "0000:41:00.0");
	/* A card that is its own switch. */
	topology_switch(UP "0000:41:00.0/0000:42:00.0", name);
	CHECK_STR(name, "0000:41:00.0");
	topology_switch("../../../devices/pci10000:e0/10000:e0:02.0/10000:E1:00.0/10000:e2:00.0", name);
	CHECK_STR(name, "10000:e1:00.0");
}

static void below_a_root_port_or_without_one_there_is_no_switch(void)
{
	static const char *const paths[] = {
		UP "0000:41:00.0", "../../../devices/pci0000:40/0000:41:00.0", "0000:41:00.0", "0000:40:01.1/0000:41:00.0", "",
		"/", "../../../devices/pci0000:40", "../0000:41:00.0/x",
		/* Behind a VMD: what is above its domain is no part of the fabric below it. */
		"../../../devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:02.0/10000:e1:00.0",
	};
	char name[BDF_SIZE];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		topology_switch(paths[i], name);
		CHECK_STR(name, "");
	}
}

static void those_with_a_switch_in_common_are_a_clique(void)
{
	static const char sw[][BDF_SIZE] = {
		"0000:02:00.0", "", "0000:41:00.0", "0000:02:00.0", "0000:81:00.0", "0000:41:00.0", "", "0000:02:00.0",
	};
	static const int want[] = { 0, CLIQUE_NONE, 1, 0, CLIQUE_NONE, 1, CLIQUE_NONE, 0 };
	int clique[ARRAY_SIZE(sw)];
	unsigned int i;

	CHECK(topology_cliques(sw, ARRAY_SIZE(sw), clique) == 2);
	for (i = 0; i < ARRAY_SIZE(sw); i++)
		CHECK(clique[i] == want[i]);
	CHECK(topology_cliques(sw, 0, clique) == 0);
	CHECK(topology_cliques(sw, 3, clique) == 0 && clique[0] == CLIQUE_NONE && clique[2] == CLIQUE_NONE);
}

static void there_are_numbers_for_sixteen(void)
{
	char sw[36][BDF_SIZE];
	int clique[36];
	unsigned int i;

	for (i = 0; i < 36; i++)
		snprintf(sw[i], BDF_SIZE, "0000:%02x:00.0", i / 2);
	CHECK(topology_cliques((const char (*)[BDF_SIZE])sw, 36, clique) == 18);
	for (i = 0; i < 36; i++)
		CHECK(clique[i] == (i < 32 ? (int)i / 2 : CLIQUE_NONE));
}

TEST_MAIN(TEST(the_switch_is_the_first_bridge_below_the_root_port), TEST(below_a_root_port_or_without_one_there_is_no_switch),
	  TEST(those_with_a_switch_in_common_are_a_clique), TEST(there_are_numbers_for_sixteen))
