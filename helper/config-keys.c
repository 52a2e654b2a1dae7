// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The keys of nvfio.conf: names, defaults, and what each takes for a value. A new key is an entry
 * of this table, one of the enum in config.h, and its paragraph in conf/nvfio.conf.
 */
#include "config-internal.h"

#define BIT(choice) (1U << (choice))
#define VFIO_OR_NATIVE (BIT(CHOICE_VFIO) | BIT(CHOICE_NATIVE))

#define BLANK " \t"
#define DIGIT "0123456789"
#define LETTER "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* udev kills an event's programs after 180 s (event_timeout in udev.conf(5)): end well before. */
#define TIMEOUT_MIN_MS 1000U
#define TIMEOUT_MAX_MS 150000U
#define TIMEOUT_DEFAULT_MS 10000U

#define GROUP_NAME_MAX 32 /* as long as groupadd(8) lets one be */

struct key {
	const char *name;
	unsigned int choices;     /* the words it takes */
	enum choice fallback;     /* the default of a choice */
	bool policy_only;
	const char *expects;
	int (*parse)(const char *value, struct setting *ret); /* what is none of the words */
};

static int parse_siblings(const char *value, struct setting *ret);
static int parse_driver(const char *value, struct setting *ret);
static int parse_timeout(const char *value, struct setting *ret);
static int parse_group(const char *value, struct setting *ret);
static int parse_mode(const char *value, struct setting *ret);

static const struct key keys[KEY_COUNT] = {
	[KEY_GPU] = { .name = "gpu", .choices = VFIO_OR_NATIVE, .fallback = CHOICE_VFIO,
		      .expects = "vfio or native" },
	[KEY_COMPANION] = { .name = "companion", .choices = VFIO_OR_NATIVE, .fallback = CHOICE_VFIO,
			    .expects = "vfio or native" },
	[KEY_VF] = { .name = "vf", .choices = BIT(CHOICE_AUTO) | VFIO_OR_NATIVE,
		     .fallback = CHOICE_AUTO, .expects = "auto, vfio or native" },
	[KEY_NVSWITCH] = { .name = "nvswitch", .choices = VFIO_OR_NATIVE, .fallback = CHOICE_NATIVE,
			   .expects = "native or vfio" },
	[KEY_BOOT_VGA] = { .name = "boot-vga", .choices = VFIO_OR_NATIVE, .fallback = CHOICE_NATIVE,
			   .expects = "native or vfio" },
	[KEY_TAKEOVER] = { .name = "takeover", .fallback = CHOICE_HOTPLUG,
			   .choices = BIT(CHOICE_HOTPLUG) | BIT(CHOICE_IDLE) | BIT(CHOICE_NEVER),
			   .expects = "hotplug, idle or never" },
	[KEY_SIBLINGS] = { .name = "siblings", .choices = BIT(CHOICE_CARD) | BIT(CHOICE_GROUP),
			   .fallback = CHOICE_CARD, .parse = parse_siblings,
			   .expects = "card, group or a list of BDFs like 0000:41:00.0" },
	[KEY_DRIVER] = { .name = "driver", .parse = parse_driver,
			 .expects = "auto or the name of a driver" },
	[KEY_BOOT] = { .name = "boot", .choices = VFIO_OR_NATIVE, .fallback = CHOICE_NATIVE,
		       .expects = "native or vfio" },
	[KEY_VF_AUTOPROBE] = { .name = "vf-autoprobe", .fallback = CHOICE_AUTO,
			       .choices = BIT(CHOICE_AUTO) | BIT(CHOICE_KEEP) | BIT(CHOICE_OFF),
			       .expects = "auto, keep or off" },
	[KEY_TIMEOUT] = { .name = "timeout", .policy_only = true, .parse = parse_timeout,
			  .expects = "1s to 150s, like 10s or 2500ms" },
	[KEY_NODE_GROUP] = { .name = "node-group", .policy_only = true, .parse = parse_group,
			     .expects = "the name of a group, or nothing" },
	[KEY_NODE_MODE] = { .name = "node-mode", .policy_only = true, .parse = parse_mode,
			    .expects = "0660, 0666, 0600, or nothing" },
};

static const char *const choice_names[] = {
	[CHOICE_NATIVE] = "native", [CHOICE_VFIO] = "vfio", [CHOICE_AUTO] = "auto",
	[CHOICE_HOTPLUG] = "hotplug", [CHOICE_IDLE] = "idle", [CHOICE_NEVER] = "never",
	[CHOICE_KEEP] = "keep", [CHOICE_OFF] = "off",
	[CHOICE_CARD] = "card", [CHOICE_GROUP] = "group", [CHOICE_LIST] = "list",
};

const char *config_key_name(enum config_key key)
{
	return keys[key].name;
}

const char *config_choice_name(enum choice choice)
{
	return choice_names[choice];
}

int config_key_find(const char *name, enum config_key *ret)
{
	unsigned int i;

	for (i = 0; i < KEY_COUNT; i++) {
		if (streq(keys[i].name, name)) {
			*ret = (enum config_key)i;
			return 0;
		}
	}
	return -ENOENT;
}

bool config_key_is_policy_only(enum config_key key)
{
	return keys[key].policy_only;
}

const char *config_key_expects(enum config_key key)
{
	return keys[key].expects;
}

struct setting config_key_default(enum config_key key)
{
	return (struct setting){
		.level = LEVEL_DEFAULT,
		.choice = keys[key].fallback,
		.ms = key == KEY_TIMEOUT ? TIMEOUT_DEFAULT_MS : 0,
		.text = "",
	};
}

int config_key_parse(enum config_key key, const char *value, struct setting *ret)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(choice_names); i++) {
		if ((keys[key].choices & BIT(i)) && streq(choice_names[i], value)) {
			ret->choice = (enum choice)i;
			ret->text = "";
			return 0;
		}
	}
	return keys[key].parse ? keys[key].parse(value, ret) : -EINVAL;
}

/* The next BDF of a list into ret. 1, 0 at the end, or -EINVAL at what is no BDF. */
static int next_bdf(const char **list, struct bdf *ret)
{
	const char *start = *list + strspn(*list, BLANK ",");
	size_t len = strcspn(start, BLANK ",");
	char word[BDF_SIZE];

	if (len == 0)
		return 0;
	if (len >= sizeof(word))
		return -EINVAL;
	memcpy(word, start, len);
	word[len] = '\0';
	*list = start + len;
	return pci_parse_bdf(word, ret) < 0 ? -EINVAL : 1;
}

static int parse_siblings(const char *value, struct setting *ret)
{
	const char *rest = value;
	unsigned int n = 0;
	struct bdf bdf;
	int r;

	while ((r = next_bdf(&rest, &bdf)) > 0)
		n++;
	if (r < 0 || n == 0)
		return -EINVAL;
	ret->choice = CHOICE_LIST;
	ret->text = value;
	return 0;
}

bool config_siblings_name(const struct setting *siblings, const struct bdf *bdf)
{
	const char *rest = siblings->text;
	struct bdf named;

	if (siblings->choice != CHOICE_LIST)
		return false;
	while (next_bdf(&rest, &named) > 0) {
		if (config_same_bdf(&named, bdf))
			return true;
	}
	return false;
}

static int parse_driver(const char *value, struct setting *ret)
{
	size_t len = strlen(value);

	/* It becomes a path component and a driver_override: no '/', no '.', nothing to quote. */
	if (len == 0 || len >= DRIVER_NAME_SIZE || strspn(value, LETTER DIGIT "_-") != len)
		return -EINVAL;
	ret->text = streq(value, "auto") ? "" : value;
	return 0;
}

static int parse_timeout(const char *value, struct setting *ret)
{
	size_t digits = strspn(value, DIGIT);
	unsigned int ms;

	/* Six digits are more than the range needs, and cannot overflow. */
	if (digits == 0 || digits > 6)
		return -EINVAL;
	ms = (unsigned int)strtoul(value, NULL, 10);
	if (streq(value + digits, "s"))
		ms *= 1000;
	else if (!streq(value + digits, "ms"))
		return -EINVAL;
	if (ms < TIMEOUT_MIN_MS || ms > TIMEOUT_MAX_MS)
		return -EINVAL;
	ret->ms = ms;
	ret->text = "";
	return 0;
}

static int parse_group(const char *value, struct setting *ret)
{
	size_t len = strlen(value);

	if (len > GROUP_NAME_MAX || strspn(value, LETTER DIGIT "_-") != len)
		return -EINVAL;
	if (len > 0 && strchr(DIGIT "-", value[0]))
		return -EINVAL;
	ret->text = value;
	return 0;
}

/* Who may open a VFIO node may as well read as write it: there is no use for another mode. */
static int parse_mode(const char *value, struct setting *ret)
{
	static const char *const modes[] = { "", "0600", "0660", "0666" };

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		if (streq(value, modes[i])) {
			ret->text = modes[i];
			return 0;
		}
	}
	return -EINVAL;
}

int config_parse_ids(const char *text, struct pci_ids *ret)
{
	uint16_t id[4] = { 0 };
	int n = 0;

	for (;; text++) {
		if (n == 4 || strspn(text, DIGIT "abcdefABCDEF") != 4)
			return -EINVAL;
		id[n++] = (uint16_t)strtoul(text, NULL, 16);
		text += 4;
		if (*text != ':')
			break;
	}
	if (*text != '\0' || n % 2 != 0)
		return -EINVAL;
	*ret = (struct pci_ids){ .vendor = id[0], .device = id[1],
				 .subvendor = id[2], .subdevice = id[3] };
	return n;
}
