// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration as people write it, for those who show it: `nvfio config` and `nvfio explain`.
 */
#include "config-internal.h"

void config_value(enum config_key key, const struct setting *s, char *buf, size_t size)
{
	switch ((int)key) {
	case KEY_TIMEOUT:
		snprintf(buf, size, s->ms % 1000 ? "%ums" : "%us", s->ms % 1000 ? s->ms : s->ms / 1000);
		break;
	case KEY_DRIVER:
		snprintf(buf, size, "%s", s->text[0] ? s->text : config_choice_name(CHOICE_AUTO));
		break;
	case KEY_NODE_GROUP:
	case KEY_NODE_MODE:
		snprintf(buf, size, "%s", s->text);
		break;
	default:
		snprintf(buf, size, "%s", s->choice == CHOICE_LIST ? s->text : config_choice_name(s->choice));
	}
}

static void section_name(const struct section *s, char *buf, size_t size)
{
	char bdf[BDF_SIZE];

	if (s->level == LEVEL_POLICY) {
		snprintf(buf, size, "policy");
	} else if (s->level == LEVEL_ADDRESS) {
		pci_format_bdf(&s->bdf, bdf);
		snprintf(buf, size, "device %s", bdf);
	} else if (s->level == LEVEL_SUBSYSTEM) {
		snprintf(buf, size, "device %04x:%04x:%04x:%04x", s->ids.vendor, s->ids.device, s->ids.subvendor,
			 s->ids.subdevice);
	} else {
		snprintf(buf, size, "device %04x:%04x", s->ids.vendor, s->ids.device);
	}
}

int config_section(const struct config *cfg, size_t i, struct config_section *ret)
{
	const struct section *s;

	if (!cfg || i >= cfg->n_sections)
		return -ENOENT;
	s = &cfg->sections[i];
	*ret = (struct config_section){ .file = s->file, .line = s->line, .id_line = s->guard_line, .key = s->key };
	section_name(s, ret->name, sizeof(ret->name));
	if (s->guard_line)
		snprintf(ret->id, sizeof(ret->id), "%04x:%04x", s->guard.vendor, s->guard.device);
	return 0;
}
