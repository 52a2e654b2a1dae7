// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parsers of what others spell: each input is given to all of them. A BDF that parses is the
 * same when written and parsed again. What a sysfs path yields is the BDF of its last component and
 * no way out of a directory. A uevent says bind or remove only for our function on the PCI bus and
 * never if it is synthetic, and no byte behind it is read. An alias ranks by its '*', and one
 * without metacharacters matches itself. In /proc/iomem no text before a framebuffer in our resource
 * hides it, and one behind our resource is not in it.
 */
#include "fuzz.h"
#include "console.h"
#include "kmod.h"
#include "pci.h"
#include "uevent.h"

#define OURS "0000:01:00.0"

static bool same_bdf(const struct bdf *a, const struct bdf *b)
{
	return pci_same_card(a, b) && a->function == b->function;
}

static void check_bdf(const char *text)
{
	struct bdf bdf, again;
	char name[BDF_SIZE];

	if (pci_parse_bdf(text, &bdf) < 0)
		return;
	MUST(bdf.slot <= 31 && bdf.function <= 7);
	pci_format_bdf(&bdf, name);
	MUST(strlen(name) < BDF_SIZE && !strpbrk(name, "ABCDEF"));
	MUST(pci_parse_bdf(name, &again) == 0 && same_bdf(&bdf, &again));
}

static void check_syspath(const char *path)
{
	struct bdf last, bdf;
	char name[BDF_SIZE];

	if (pci_parse_syspath(path, name) < 0) {
		MUST(name[0] == '\0');
		return;
	}
	MUST(startswith(path, "/sys/devices/") && !strstr(path, "//") && !strstr(path, "/../") && !strstr(path, "/./"));
	MUST(!strchr(name, '/') && !strstr(name, ".."));
	MUST(pci_parse_bdf(name, &bdf) == 0 && pci_parse_bdf(strrchr(path, '/') + 1, &last) == 0);
	MUST(same_bdf(&bdf, &last));
}

static void check_uevent(const uint8_t *data, size_t size)
{
	static const char synth[] = "\0SYNTH_UUID=0"; /* ends what stands before it, too */
	_cleanup_free_ char *msg = fuzz_copy(data, size, false), *more = malloc(size + sizeof(synth));
	enum uevent_seen seen = uevent_parse(msg, size, OURS);
	const char *uuid = memmem(msg, size, "\0SYNTH_UUID=", 12);

	MUST(seen == UEVENT_NONE || seen == UEVENT_BIND || seen == UEVENT_REMOVE);
	if (seen != UEVENT_NONE) {
		MUST(startswith(msg, seen == UEVENT_BIND ? "bind@" : "remove@"));
		MUST(strlen(msg) > strlen(OURS) && streq(msg + strlen(msg) - strlen(OURS), OURS));
		MUST(memmem(msg, size, "\0SUBSYSTEM=pci", 15));
	}
	/* The kernel ends every string; one that is not ended is none. */
	if (uuid && memchr(uuid + 1, '\0', size - (size_t)(uuid + 1 - msg)))
		MUST(seen == UEVENT_NONE);
	if (size > 0)
		memcpy(more, msg, size);
	memcpy(more + size, synth, sizeof(synth));
	MUST(uevent_parse(more, size + sizeof(synth), OURS) == UEVENT_NONE);
}

/* The first line is the pattern, the rest the name. */
static void check_alias(char *text)
{
	char *name = strchr(text, '\n'), *s;
	int stars = 0, rank;

	if (!name)
		return;
	*name++ = '\0';
	for (s = text; *s; s++)
		stars += *s == '*';
	/* Aliases have a dozen '*'; time fnmatch(3) may take for many is not what is looked for. */
	if (stars > 12)
		return;
	rank = kmod_rank_alias(text, name);
	MUST(rank == -1 || rank == stars);
	if (strlen(name) < 255 && !strpbrk(name, "*?[]\\")) {
		MUST(kmod_rank_alias(name, name) == 0);
		MUST(kmod_rank_alias("*", name) == 1);
	}
}

/* The text with more lines behind it. */
static bool console_with(const char *text, const char *more)
{
	_cleanup_free_ char *iomem = malloc(strlen(text) + strlen(more) + 1);

	MUST(iomem);
	stpcpy(stpcpy(iomem, text), more);
	return console_in_iomem(iomem, OURS);
}

/* The same of what is left of the text. */
static bool console_in_reduced(const char *text)
{
	_cleanup_free_ char *iomem = strdup(text);

	MUST(iomem);
	console_reduce_iomem(iomem);
	MUST(strlen(iomem) <= strlen(text));
	return console_in_iomem(iomem, OURS);
}

static void check_iomem(const char *text)
{
	bool found = console_with(text, "");

	MUST(console_in_reduced(text) == found);
	MUST(console_with(text, "\nd0000000-d1ffffff : " OURS "\n  d0000000-d03fffff : efifb\n"));
	MUST(found == console_with(text, "\nd0000000-d1ffffff : " OURS "\ne0000000-e03fffff : efifb\n"));
	if (found)
		MUST(strstr(text, " : " OURS "\n") && (strstr(text, "fb") || strstr(text, "drm") ||
		     strstr(text, "FB") || strstr(text, "framebuffer")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_copy(data, size, true);

	check_bdf(text);
	check_syspath(text);
	check_uevent(data, size);
	check_iomem(text);
	check_alias(text);
	return 0;
}
