// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sizes of BARs, and what Cloud Hypervisor needs to be told of them. Facts about it are from its sources, v39 to v53:
 * create_mmio_allocators() and layout.rs for the aperture, AddressAllocator for how a BAR finds its place in it.
 */
#include "bars.h"

#include <ctype.h>

/* include/linux/ioport.h */
#define IORESOURCE_MEM    0x00000200
#define IORESOURCE_MEM_64 0x00100000

#define BAR_COUNT 7 /* six, and the expansion ROM */
#define BAR_SIZE_MAX (1ULL << 52)
#define MIB (1ULL << 20)

/* A segment has 32 slots, the host bridge's among them; the first one also has the VM's own devices. */
#define SLOTS 31
#define SLOTS_OF_FIRST 24

/* Of the 32-bit aperture of segment 0, for disks' BARs and what else the VM has of its own; MiB. */
#define OWN32 32

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return unit ? (value + unit - 1) / unit * unit : value;
}

static void add_bar(uint64_t size, uint64_t *sum, uint64_t *largest)
{
	*sum += size;
	*largest = size > *largest ? size : *largest;
}

/* A number of the line and what follows it. */
static int take_number(const char **s, char end, uint64_t *ret)
{
	char *next;

	if (!startswith(*s, "0x") || !isxdigit((unsigned char)(*s)[2]))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(*s + 2, &next, 16);
	if (errno || (*next != end && !(end == '\n' && *next == '\0')))
		return -EINVAL;
	*s = *next ? next + 1 : next;
	return 0;
}

int bars_parse(const char *resource, struct bars *ret)
{
	struct bars bars = { .sum32 = 0 };
	const char *s = resource;
	unsigned int i;

	for (i = 0; i < BAR_COUNT; i++) {
		uint64_t first, last, flags;

		if (take_number(&s, ' ', &first) < 0 || take_number(&s, ' ', &last) < 0 ||
		    take_number(&s, '\n', &flags) < 0)
			return -EINVAL;
		if (!(flags & IORESOURCE_MEM))
			continue;
		if (last - first >= BAR_SIZE_MAX) /* also where last is before first */
			return -EINVAL;
		if (flags & IORESOURCE_MEM_64)
			add_bar(last - first + 1, &bars.sum64, &bars.largest64);
		else
			add_bar(last - first + 1, &bars.sum32, &bars.largest32);
	}
	*ret = bars;
	return 0;
}

uint64_t bars_window64(const struct bars *bars)
{
	return round_up(bars->sum64, bars->largest64);
}

void bars_add(struct bars *bars, const struct bars *other)
{
	bars->sum32 += other->sum32;
	bars->sum64 += other->sum64;
	bars->largest32 = other->largest32 > bars->largest32 ? other->largest32 : bars->largest32;
	bars->largest64 = other->largest64 > bars->largest64 ? other->largest64 : bars->largest64;
}

/* Fills the first segment, then the next: as long as there is one, nothing has to be said of segments. */
static void fill(struct segment_card *cards, size_t n, struct segments *s, uint64_t sum[static SEGMENTS_MAX],
		 uint64_t *largest)
{
	unsigned int used = 0;
	size_t i;

	s->count = 1;
	for (i = 0; i < n; i++) {
		if (used + cards[i].functions > (s->count == 1 ? SLOTS_OF_FIRST : SLOTS)) {
			if (s->count == SEGMENTS_MAX) {
				s->fits = false;
				break;
			}
			s->count++;
			used = 0;
		}
		used += cards[i].functions;
		cards[i].segment = s->count - 1;
		sum[s->count - 1] += cards[i].bars.sum32;
		*largest = cards[i].bars.largest32 > *largest ? cards[i].bars.largest32 : *largest;
	}
}

void segments_plan(struct segment_card *cards, size_t n, unsigned int aperture, struct segments *ret)
{
	struct segments s = { .fits = true };
	uint64_t sum[SEGMENTS_MAX] = { OWN32 * MIB }, unit = MIB;
	unsigned int i, left = aperture;

	fill(cards, n, &s, sum, &unit);
	/*
	 * The aperture is divided in the order of the segments, each getting its weight's share of it. Weights that
	 * add up to its MiB are MiB, then; and where all are multiples of the largest BAR, every segment begins at a
	 * place where that BAR can be. (What is left over is a multiple as well: BARs by which the aperture cannot be
	 * divided are so large that two segments have no room for them.) Within a segment BARs of powers of two, each
	 * taking the first place that is aligned and free, leave less than one largest BAR unused.
	 */
	unit = round_up(unit, MIB) / MIB;
	for (i = 0; i < s.count; i++) {
		uint64_t need = round_up(sum[i], unit * MIB) / MIB + unit;

		s.fits = s.fits && need <= left;
		if (!s.fits)
			break;
		s.weight[i] = (unsigned int)need;
		left -= (unsigned int)need;
	}
	s.weight[0] += left;
	*ret = s;
}
