// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * BARs and the layout of Cloud Hypervisor's segments. Its allocator is done again here, to see that what is planned
 * does find room there.
 */
#include "bars.h"
#include "test.h"

#define MIB (1ULL << 20)
#define NONE "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
#define REST NONE NONE NONE NONE

static void bars_of_both_kinds_and_the_rom_are_counted(void)
{
	/* An L40: 16 MiB in 32 bits, 64 GiB and 32 MiB in 64 bits, I/O ports, 512 KiB of ROM. Then the VFs' BARs. */
	static const char l40[] = "0x00000000f9000000 0x00000000f9ffffff 0x0000000000040200\n"
				  "0x0000046000000000 0x0000046fffffffff 0x000000000014220c\n" NONE
				  "0x0000048040000000 0x0000048041ffffff 0x000000000014220c\n" NONE
				  "0x0000000000003000 0x000000000000307f 0x0000000000040101\n"
				  "0x00000000fa000000 0x00000000fa07ffff 0x0000000000046200\n"
				  "0x0000000000000000 0x000000000fffffff 0x0000000000140200\n" REST;
	struct bars bars;

	CHECK(bars_parse(l40, &bars) == 0);
	CHECK(bars.sum32 == 16 * MIB + MIB / 2 && bars.largest32 == 16 * MIB);
	CHECK(bars.sum64 == 65536 * MIB + 32 * MIB && bars.largest64 == 65536 * MIB);
	/* The port's window begins and ends at a multiple of the largest. */
	CHECK(bars_window64(&bars) == 2 * 65536 * MIB);
	bars_add(&bars, &bars);
	CHECK(bars.sum32 == 33 * MIB && bars.largest32 == 16 * MIB);
	CHECK(bars_window64(&(struct bars){ .sum32 = 1 }) == 0);
}

static void what_the_kernel_does_not_print_is_refused(void)
{
	static const char *const bad[] = {
		"", "\n", NONE NONE, "0 0 0\n" NONE NONE REST, "0x-1 0x0 0x0\n" NONE NONE REST,
		NONE NONE "0x0 0x0\n" REST, NONE NONE "0x0 0x0 0x0 0x0\n" REST, NONE NONE "0x0  0x0 0x0\n" REST,
		NONE NONE "0x2000 0x1000 0x200\n" REST, NONE NONE "0x0 0xffffffffffffffff 0x200\n" REST,
		NONE NONE "0x0 0x1ffffffffffffffff 0x200\n" REST, NONE NONE "0xg 0x0 0x0\n" REST, NONE NONE "0x 0x0 0x0\n" REST,
	};
	struct bars bars = { .sum32 = 7 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(bars_parse(bad[i], &bars) == -EINVAL && bars.sum32 == 7);
}

/* AddressAllocator::allocate() of vm-allocator/src/address.rs: the highest free place that is aligned. */
struct area {
	uint64_t base, end, at[1024], size[1024];
	unsigned int n;
};

static bool is_free(const struct area *a, uint64_t at, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < a->n; i++) {
		if (at < a->at[i] + a->size[i] && a->at[i] < at + size)
			return false;
	}
	return true;
}

static bool place(struct area *a, uint64_t size)
{
	uint64_t at = (a->end - size) / size * size;

	for (; at >= a->base && a->end - a->base >= size; at -= size) {
		if (is_free(a, at, size)) {
			a->at[a->n] = at;
			a->size[a->n++] = size;
			return true;
		}
	}
	return false;
}

/* create_mmio_allocators() of vmm/src/device_manager.rs. */
static void divide(struct area *areas, const struct segments *s, unsigned int aperture)
{
	const uint64_t start = 3072 * MIB, page = 4096;
	uint64_t total = 0, unit, done = 0;
	unsigned int i;

	for (i = 0; i < s->count; i++)
		total += s->weight[i];
	unit = aperture * MIB / (page * total) * page;
	for (i = 0; i < s->count; i++) {
		areas[i] = (struct area){ .base = start + done * unit };
		done += s->weight[i];
		areas[i].end = i == s->count - 1 ? start + aperture * MIB : start + done * unit;
	}
}

static struct area areas[SEGMENTS_MAX];

/* n cards of two functions each: a GPU with a BAR and a ROM, and audio. Whether all of it finds a place. */
static bool all_fit(size_t n, uint64_t bar, uint64_t rom, struct segments *s)
{
	static const uint64_t own[] = { MIB / 2, 4096, MIB / 2, MIB / 2, 8 * MIB, MIB / 2 };
	struct segment_card cards[256];
	unsigned int i;

	for (i = 0; i < n; i++)
		cards[i] = (struct segment_card){ .functions = 2, .bars = { .sum32 = bar + rom + 16384, .largest32 = bar } };
	segments_plan(cards, n, 640, s);
	if (!s->fits)
		return false;
	divide(areas, s, 640);
	for (i = 0; i < ARRAY_SIZE(own); i++) {
		if (!place(&areas[0], own[i]))
			return false;
	}
	for (i = 0; i < n; i++) {
		struct area *a = &areas[cards[i].segment];

		if (!place(a, bar) || !place(a, rom) || !place(a, 16384))
			return false;
	}
	return true;
}

static unsigned int total(const struct segments *s)
{
	unsigned int i, sum = 0;

	for (i = 0; i < s->count; i++)
		sum += s->weight[i];
	return sum;
}

static void eight_gpus_need_one_segment(void)
{
	struct segments s;

	CHECK(all_fit(8, 16 * MIB, MIB / 2, &s));
	CHECK(s.count == 1 && s.weight[0] == 640);
}

static void more_functions_than_slots_need_more_segments_and_the_weights_make_room(void)
{
	struct segments s;

	CHECK(all_fit(16, 16 * MIB, MIB / 2, &s));
	CHECK(s.count == 2 && total(&s) == 640);
	/* 12 cards in the first, of 24 functions; four in the second: 66 MiB, rounded up to 80, and a BAR to spare. */
	CHECK(s.weight[1] == 96 && s.weight[0] == 544);
	CHECK(all_fit(32, 8 * MIB, MIB / 2, &s));
	CHECK(s.count == 3 && total(&s) == 640);
}

static void every_size_finds_its_place(void)
{
	struct segments s;
	uint64_t bar;
	size_t n;

	for (bar = 4096; bar <= 256 * MIB; bar *= 2) {
		for (n = 1; n <= 100; n++) {
			uint64_t rom = bar < MIB / 2 ? bar : MIB / 2;

			if (!all_fit(n, bar, rom, &s))
				CHECK(!s.fits);
			else
				CHECK(total(&s) == 640);
			/* It gives up only where little more than the VM's own would be left. */
			if (!s.fits)
				CHECK(n * (bar + rom + 16384) + (2 * s.count + 1) * (bar > MIB ? bar : MIB) + 32 * MIB >
				      640 * MIB);
		}
	}
}

static void a_card_is_not_split(void)
{
	struct segment_card cards[] = { { .functions = 20 }, { .functions = 8 }, { .functions = 23 }, { .functions = 1 } };
	struct segments s;

	segments_plan(cards, ARRAY_SIZE(cards), 640, &s);
	CHECK(s.fits && s.count == 3);
	CHECK(cards[0].segment == 0 && cards[1].segment == 1 && cards[2].segment == 1 && cards[3].segment == 2);
}

static void what_is_too_much_does_not_fit(void)
{
	static struct segment_card cards[4000];
	struct segments s;
	unsigned int i;

	CHECK(!all_fit(40, 16 * MIB, MIB / 2, &s));
	for (i = 0; i < ARRAY_SIZE(cards); i++)
		cards[i].functions = 1;
	segments_plan(cards, ARRAY_SIZE(cards), 640, &s);
	CHECK(!s.fits);
}

TEST_MAIN(TEST(bars_of_both_kinds_and_the_rom_are_counted), TEST(what_the_kernel_does_not_print_is_refused),
	  TEST(eight_gpus_need_one_segment), TEST(more_functions_than_slots_need_more_segments_and_the_weights_make_room),
	  TEST(every_size_finds_its_place), TEST(a_card_is_not_split), TEST(what_is_too_much_does_not_fit))
