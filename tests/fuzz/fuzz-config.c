// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config_parse() and config_resolve(). The input is up to three files, separated by form feeds and
 * parsed on top of each other. A file that does not parse leaves the configuration as it was and
 * gets a "file:line: text" error with a line that the file has; one that does can be parsed again
 * without effect. Whatever was parsed, for every function each setting is one its key can have,
 * from a place of the file. The keys' domains are spelled out here once more, on purpose.
 */
#include "fuzz.h"
#include "config.h"

#define FILE_NAME "/etc/fuzz.conf"
#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define B(choice) (1U << CHOICE_##choice)

static const struct config_subject subjects[] = {
	{ .bdf = { 0, 0x41, 0, 0 }, .ids = { 0x10de, 0x2331, 0x10de, 0x1626 } },
	{ .bdf = { 0, 0x41, 0, 4 }, .ids = { 0x10de, 0x2331, 0x10de, 0 }, .is_vf = true, .has_pf = true,
	  .pf = { 0, 0x41, 0, 0 }, .pf_ids = { 0x10de, 0x2331, 0x10de, 0x1626 } },
	{ .bdf = { 0x10000, 1, 31, 7 }, .ids = { 0x10de, 0x1aef, 0x1043, 0x8793 } },
};

static const unsigned int choices[KEY_COUNT] = {
	[KEY_GPU] = B(VFIO) | B(NATIVE), [KEY_COMPANION] = B(VFIO) | B(NATIVE),
	[KEY_VF] = B(AUTO) | B(VFIO) | B(NATIVE), [KEY_NVSWITCH] = B(VFIO) | B(NATIVE),
	[KEY_BOOT_VGA] = B(VFIO) | B(NATIVE), [KEY_TAKEOVER] = B(HOTPLUG) | B(IDLE) | B(NEVER),
	[KEY_SIBLINGS] = B(CARD) | B(GROUP) | B(LIST), [KEY_BOOT] = B(VFIO) | B(NATIVE),
	[KEY_VF_AUTOPROBE] = B(AUTO) | B(KEEP) | B(OFF),
};

static void check_text(enum config_key key, const struct setting *s)
{
	size_t len = strlen(s->text), name_bytes = strspn(s->text, NAME_BYTES);

	if (key == KEY_DRIVER)
		MUST(len < DRIVER_NAME_SIZE && name_bytes == len && !streq(s->text, "auto"));
	else if (key == KEY_NODE_GROUP)
		MUST(len <= 32 && name_bytes == len && (len == 0 || !strchr("0123456789-", s->text[0])));
	else if (key == KEY_NODE_MODE)
		MUST(len == 0 || (len == 4 && strspn(s->text, "06") == 4));
	else if (key == KEY_SIBLINGS && s->choice == CHOICE_LIST)
		MUST(len >= strlen("0000:00:00.0") && s->file);
	else
		MUST(len == 0);
}

static void check_settings(const struct settings *set, const struct config_subject *who, unsigned int lines)
{
	unsigned int key;

	MUST(!set->id_guard_file == !set->id_guard_line && set->id_guard_line <= lines);
	for (key = 0; key < KEY_COUNT; key++) {
		const struct setting *s = &set->key[key];

		check_text((enum config_key)key, s);
		MUST(!choices[key] || (choices[key] & (1U << s->choice)));
		MUST(key == KEY_TIMEOUT ? s->ms >= 1000 && s->ms <= 150000 : s->ms == 0);
		MUST((s->level == LEVEL_DEFAULT) == !s->file && s->level <= LEVEL_ADDRESS);
		MUST(s->file ? streq(s->file, FILE_NAME) && s->line >= 1 && s->line <= lines : s->line == 0);
		MUST(s->level != LEVEL_PF_ADDRESS || (key == KEY_VF && who->is_vf));
		MUST(s->level <= LEVEL_POLICY || (key != KEY_TIMEOUT && key != KEY_NODE_GROUP && key != KEY_NODE_MODE));
		(void)config_siblings_name(s, &who->bdf);
	}
}

static void resolve(const struct config *cfg, struct settings set[static ARRAY_SIZE(subjects)])
{
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		config_resolve(cfg, &subjects[i], &set[i]);
}

/* Strings are kept for as long as the config lives, so the same string is the same pointer. */
static void check_same(const struct settings *a, const struct settings *b, bool same_pointers)
{
	for (unsigned int key = 0; key < KEY_COUNT; key++) {
		const struct setting *x = &a->key[key], *y = &b->key[key];

		MUST(x->level == y->level && x->choice == y->choice && x->ms == y->ms && x->line == y->line);
		MUST(streq(x->text, y->text) && !x->file == !y->file);
		MUST(!same_pointers || (x->text == y->text && x->file == y->file));
	}
	MUST(a->id_guard_line == b->id_guard_line && !a->id_guard_file == !b->id_guard_file);
}

static void parse(struct config *cfg, const char *text, size_t len, unsigned int most_lines)
{
	struct settings before[ARRAY_SIZE(subjects)], after[ARRAY_SIZE(subjects)];
	char error[256] = "", *end;
	unsigned long line;
	int r;

	resolve(cfg, before);
	r = config_parse(cfg, FILE_NAME, text, len, error, sizeof(error));
	MUST(r == 0 || r == -EINVAL);
	if (r < 0) {
		MUST(startswith(error, FILE_NAME ":"));
		line = strtoul(error + strlen(FILE_NAME ":"), &end, 10);
		MUST(line >= 1 && line <= most_lines && startswith(end, ": ") && end[2]);
	} else {
		MUST(error[0] == '\0');
		resolve(cfg, before);
		MUST(config_parse(cfg, FILE_NAME, text, len, error, sizeof(error)) == 0);
	}
	resolve(cfg, after);
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		check_same(&before[i], &after[i], r < 0);
		check_settings(&after[i], &subjects[i], most_lines);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_config_ struct config *cfg = config_new();
	const uint8_t *end = data + size;
	unsigned int lines = 1, files = 0;

	MUST(cfg);
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	while (data < end && files++ < 3) {
		const uint8_t *ff = memchr(data, '\f', (size_t)(end - data));
		size_t len = (size_t)((ff ? ff : end) - data);
		_cleanup_free_ char *text = fuzz_copy(data, len, false);

		parse(cfg, text, len, lines);
		data += len + (ff != NULL);
	}
	return 0;
}
