// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A column is an entry of the table below and a case of column_text().
 */
#include "columns.h"

#include <strings.h>

static const struct {
	const char *name, *help;
	bool prose;
} columns[COLUMN_COUNT] = {
	[COLUMN_BDF] = { "BDF", "address of the function", false },
	[COLUMN_ROLE] = { "ROLE", "gpu, pf, vf, companion, nvswitch, other, foreign, bridge", false },
	[COLUMN_DRIVER] = { "DRIVER", "driver that it is on", true },
	[COLUMN_WANTED] = { "WANTED", "VFIO driver that it is to be on, or native", true },
	[COLUMN_GROUP] = { "GROUP", "number of its IOMMU group", false },
	[COLUMN_STATE] = { "STATE", "what is true of it now", false },
	[COLUMN_REASON] = { "REASON", "why, in a word", true },
	[COLUMN_NAME] = { "NAME", "name of the model", true },
	[COLUMN_IDS] = { "IDS", "vendor and device", false },
	[COLUMN_SUBSYS] = { "SUBSYS", "subsystem vendor and device", false },
	[COLUMN_CLASS] = { "CLASS", "class of the function", false },
	[COLUMN_CARD] = { "CARD", "slot that all functions of the card share", false },
	[COLUMN_PF] = { "PF", "physical function of a VF", false },
	[COLUMN_NODE] = { "NODE", "VFIO node of its group, once it is on VFIO", false },
	[COLUMN_VERDICT] = { "VERDICT", "what a plain udevadm trigger would decide now", false },
	[COLUMN_MESSAGE] = { "MESSAGE", "the reason in a sentence", true },
	[COLUMN_NOTE] = { "NOTE", "where udev's database says what is not true", true },
};

const char *column_name(enum column column)
{
	return columns[column].name;
}

const char *column_help(enum column column)
{
	return columns[column].help;
}

bool column_is_prose(enum column column)
{
	return columns[column].prose;
}

int column_find(const char *name, size_t len, enum column *ret)
{
	unsigned int i;

	for (i = 0; i < COLUMN_COUNT; i++) {
		if (strlen(columns[i].name) == len && strncasecmp(columns[i].name, name, len) == 0) {
			*ret = (enum column)i;
			return 0;
		}
	}
	return -ENOENT;
}

/* What nvfio thinks of a function; nothing of bridges, which only stand in the tree. */
static const char *opinion(enum column column, const struct status *s)
{
	const struct verdict *v = &s->judgement.verdict;

	if (streq(status_role(s), "bridge"))
		return "";
	switch ((int)column) {
	case COLUMN_WANTED:
		return status_wanted(s);
	case COLUMN_STATE:
		return s->state;
	case COLUMN_REASON:
		return s->reason;
	case COLUMN_VERDICT:
		return v->code == VERDICT_NEED ? "not-asked" : policy_verdict_name(v->code);
	case COLUMN_MESSAGE:
		return s->message;
	case COLUMN_NOTE:
	default:
		return s->note;
	}
}

void column_text(enum column column, const struct status *s, char *buf, size_t size)
{
	const struct pci_function *fn = &s->judgement.self.fn;

	buf[0] = '\0';
	switch (column) {
	case COLUMN_BDF:
		snprintf(buf, size, "%s", fn->name);
		break;
	case COLUMN_ROLE:
		snprintf(buf, size, "%s", status_role(s));
		break;
	case COLUMN_DRIVER:
		snprintf(buf, size, "%s", fn->driver);
		break;
	case COLUMN_GROUP:
		snprintf(buf, size, "%s", fn->group);
		break;
	case COLUMN_NAME:
		snprintf(buf, size, "%s", s->name);
		break;
	case COLUMN_IDS:
		snprintf(buf, size, "%04x:%04x", fn->ids.vendor, fn->ids.device);
		break;
	case COLUMN_SUBSYS:
		snprintf(buf, size, "%04x:%04x", fn->ids.subvendor, fn->ids.subdevice);
		break;
	case COLUMN_CLASS:
		snprintf(buf, size, "%04x", fn->class >> 8);
		break;
	case COLUMN_CARD:
		snprintf(buf, size, "%.*s", (int)strcspn(fn->name, "."), fn->name);
		break;
	case COLUMN_PF:
		snprintf(buf, size, "%s", fn->physfn);
		break;
	case COLUMN_NODE:
		if (fn->on_vfio && fn->group[0])
			snprintf(buf, size, "/dev/vfio/%s", fn->group);
		break;
	case COLUMN_WANTED:
	case COLUMN_STATE:
	case COLUMN_REASON:
	case COLUMN_VERDICT:
	case COLUMN_MESSAGE:
	case COLUMN_NOTE:
	case COLUMN_COUNT:
	default:
		snprintf(buf, size, "%s", opinion(column, s));
	}
}

int column_compare(enum column column, const char *a, const char *b)
{
	/* Numbers by value, and domains of five digits after those of four: the shorter comes first. */
	size_t x = column == COLUMN_GROUP ? strlen(a) : strcspn(a, ":");
	size_t y = column == COLUMN_GROUP ? strlen(b) : strcspn(b, ":");
	bool address = column == COLUMN_BDF || column == COLUMN_CARD || column == COLUMN_PF;

	if ((address || column == COLUMN_GROUP) && x != y)
		return x < y ? -1 : 1;
	return strcmp(a, b);
}
