// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What people type: addresses and kinds of events. An address is refused by naming the part that is wrong.
 */
#include "verbs.h"

#include <ctype.h>
#include "exit-code.h"
#include "say.h"

static bool is_hex(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (!isxdigit((unsigned char)s[i]))
			return false;
	}
	return len > 0;
}

/* text is not a BDF: which part of "dddd:bb:dd.f" is to blame? */
static void complain(const char *text, char *why, size_t size)
{
	const char *colon = strchr(text, ':'), *slot = colon ? strchr(colon + 1, ':') : NULL, *dot;
	int domain = colon ? (int)(colon - text) : 0;

	if (!slot) {
		snprintf(why, size, "expected domain:bus:device.function, like 0000:41:00.0");
		return;
	}
	dot = strchr(slot + 1, '.');
	if (domain < 4 || domain > 8 || !is_hex(text, (size_t)domain))
		snprintf(why, size, "domain '%.*s' is not 4 to 8 hex digits", domain, text);
	else if (slot - colon != 3 || !is_hex(colon + 1, 2))
		snprintf(why, size, "bus '%.*s' is not 2 hex digits", (int)(slot - colon - 1), colon + 1);
	else if (!dot)
		snprintf(why, size, "no function behind device '%s': expected .0 to .7", slot + 1);
	else if (dot - slot != 3 || !is_hex(slot + 1, 2) || strtoul(slot + 1, NULL, 16) > 0x1f)
		snprintf(why, size, "device '%.*s' is not 00 to 1f", (int)(dot - slot - 1), slot + 1);
	else
		snprintf(why, size, "function '%s' is not 0 to 7", dot + 1);
}

int address_parse(const char *text, char bdf[static BDF_SIZE])
{
	const char *first = strchr(text, ':');
	char full[64], why[160];
	struct bdf parsed;

	/* "41:00.0", as lspci prints it. */
	snprintf(full, sizeof(full), "%s%.50s", first && !strchr(first + 1, ':') ? "0000:" : "", text);
	if (strlen(text) > 50 || pci_parse_bdf(full, &parsed) < 0) {
		complain(full, why, sizeof(why));
		say_error("bad-address", text, "not the address of a PCI function: %s", why);
		return EXIT_CODE_USAGE;
	}
	pci_format_bdf(&parsed, bdf);
	return EXIT_CODE_OK;
}

static const struct {
	const char *word;
	enum event_kind event;
} events[] = {
	{ "hotplug", EVENT_HOTPLUG },
	{ "trigger", EVENT_REAPPLY },
	{ "boot", EVENT_COLDPLUG },
	{ "release", EVENT_RELEASE },
};

int event_find(const char *word, enum event_kind *ret)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		if (streq(word, events[i].word)) {
			*ret = events[i].event;
			return 0;
		}
	}
	return -ENOENT;
}

const char *event_word(enum event_kind event)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		if (events[i].event == event)
			return events[i].word;
	}
	return policy_event_name(event);
}
