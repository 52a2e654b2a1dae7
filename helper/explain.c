// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio explain: what policy says of a function and how it got there. The rows are asked one by one, as policy asks
 * them itself, with the facts that it asked for.
 */
#include "verbs.h"

#include <limits.h>
#include "exit-code.h"
#include "explain-parts.h"
#include "explain-rows.h"
#include "host.h"
#include "say.h"

static void show_word(struct json *json, const char *name, const char *label, const char *value)
{
	if (json) {
		json_string(json, name, value[0] ? value : NULL);
	} else if (value[0]) {
		printf("  %s: ", label);
		say_plain(value);
		putchar('\n');
	}
}

/* The section's form, as its level says. */
static const char *section_text(const struct setting *s)
{
	static const char *const text[] = {
		[LEVEL_DEFAULT] = "default",
		[LEVEL_POLICY] = "[policy]",
		[LEVEL_MODEL] = "section of its model",
		[LEVEL_SUBSYSTEM] = "section of its subsystem ids",
		[LEVEL_PF_ADDRESS] = "section of its PF's address",
		[LEVEL_ADDRESS] = "section of its address",
	};

	return text[s->level];
}

static void show_setting(struct json *json, const struct status *s, enum config_key key)
{
	const struct setting *setting = &s->judgement.self.settings.key[key];
	char value[256], line[320];

	config_value(key, setting, value, sizeof(value));
	if (json) {
		json_open(json, NULL, '{');
		json_string(json, "key", config_key_name(key));
		json_string(json, "value", value);
		json_string(json, "from", section_text(setting));
		json_string(json, "file", setting->file);
		if (setting->file)
			json_number(json, "line", setting->line);
		json_close(json, '}');
		return;
	}
	snprintf(line, sizeof(line), "%s = %s", config_key_name(key), value);
	if (setting->file)
		printf("    %-24s %s, %s:%u\n", line, section_text(setting), setting->file, setting->line);
	else
		printf("    %-24s %s\n", line, section_text(setting));
}

/* The keys that can matter for a function of this role at this event. */
static void show_settings(struct json *json, const struct status *s)
{
	const struct subject *self = &s->judgement.self;
	const struct facts *f = &self->facts;
	char guard[PATH_MAX];

	if (json)
		json_open(json, "settings", '[');
	else
		puts("  configured");
	show_setting(json, s, policy_role_key(f->role));
	if (pci_is_display(f->fn->class))
		show_setting(json, s, KEY_BOOT_VGA);
	if (self->settings.key[KEY_SIBLINGS].file && pci_is_display(f->fn->class))
		show_setting(json, s, KEY_SIBLINGS);
	if (f->event == EVENT_COLDPLUG)
		show_setting(json, s, KEY_BOOT);
	if (f->event != EVENT_HOTPLUG)
		show_setting(json, s, KEY_TAKEOVER);
	show_setting(json, s, KEY_DRIVER);
	if (json)
		json_close(json, ']');
	if (!self->settings.id_guard_file)
		return;
	snprintf(guard, sizeof(guard), "the section at %s:%u does not count, its id is another device's",
		 self->settings.id_guard_file, self->settings.id_guard_line);
	show_word(json, "guard", "but", guard);
}

static void show_row(struct json *json, const char *row, const char *facts, const struct verdict *v)
{
	bool passed = v->reason == REASON_NONE;

	if (json) {
		json_open(json, NULL, '{');
		json_string(json, "row", row);
		json_string(json, "facts", facts);
		json_string(json, "verdict", passed ? NULL : policy_verdict_name(v->code));
		json_string(json, "reason", passed ? NULL : policy_reason_name(v->reason));
		json_close(json, '}');
		return;
	}
	printf("    %-10s ", row);
	say_plain(facts);
	putchar('\n');
	if (!passed)
		printf("    %-10s => %s (%s)\n", "", policy_verdict_name(v->code), policy_reason_name(v->reason));
}

static void show_rows(struct json *json, const struct status *s)
{
	struct verdict v = { .reason = REASON_NONE };
	const char *row;
	char facts[1024];
	unsigned int i;

	if (json)
		json_open(json, "rows", '[');
	else
		puts("  asked, in this order; the first that objects decides");
	for (i = 0; v.reason == REASON_NONE && (row = policy_row(i, &s->judgement.self.facts, &v)); i++) {
		explain_row_facts(row, s, facts, sizeof(facts));
		show_row(json, row, facts, &v);
	}
	if (json)
		json_close(json, ']');
}

/* The rules start nothing for an unbind unless somebody waits for it (rules/70-nvfio.rules.in). */
static bool release_matters(const struct status *s)
{
	return streq(s->db.state, "deferred") || streq(s->db.state, "claimed");
}

static void show_verdict(struct json *json, const struct status *s)
{
	const struct judgement *j = &s->judgement;
	char text[700];

	judge_text(j, text, sizeof(text));
	if (json) {
		json_string(json, "event", event_word(j->self.facts.event));
		json_string(json, "verdict", policy_verdict_name(j->verdict.code));
		json_string(json, "verdict_reason", policy_reason_name(j->verdict.reason));
		json_string(json, "verdict_text", text);
	} else {
		printf("  verdict, if a %s event came now: %s (%s)\n    ", event_word(j->self.facts.event),
		       policy_verdict_name(j->verdict.code), policy_reason_name(j->verdict.reason));
		say_plain(text);
		putchar('\n');
	}
	if (j->self.facts.event == EVENT_RELEASE && !release_matters(s))
		show_word(json, "release", "but", "its native driver letting go starts nothing, as it is neither deferred nor claimed");
}

static void show_head(struct json *json, const struct status *s)
{
	const struct pci_function *fn = &s->judgement.self.fn;
	char state[64];

	if (json) {
		json_string(json, "bdf", fn->name);
		json_string(json, "name", s->name[0] ? s->name : NULL);
		json_string(json, "role", status_role(s));
		json_string(json, "driver", fn->driver[0] ? fn->driver : NULL);
		json_string(json, "state", s->state);
		json_string(json, "reason", s->reason);
	} else {
		printf("%s%s", fn->name, s->name[0] ? " " : "");
		say_plain(s->name);
		printf("\n  role: %s\n  driver: %s\n", status_role(s), fn->driver[0] ? fn->driver : "none");
		snprintf(state, sizeof(state), "%s (%s)", s->state, s->reason);
		show_word(json, "state", "state", state);
	}
	/* What was said at the last event, where that still is the state. */
	show_word(json, "last_event", "last event", streq(s->state, s->db.state) ? s->db.message : "");
	show_word(json, "note", "but", s->note);
}

/* An exit code. */
static int explain(struct json *json, const char *bdf, enum event_kind event, bool off)
{
	struct look look = { .event = event, .no_driver = event == EVENT_RELEASE, .off = off };
	_cleanup_status_ struct status s;
	const char *attr;
	int r;

	r = status_read(&s, bdf, &look, &attr);
	if (r < 0)
		return status_say_error(bdf, attr, r);
	if (json)
		json_open(json, NULL, '{');
	show_head(json, &s);
	show_verdict(json, &s);
	show_settings(json, &s);
	show_rows(json, &s);
	explain_group(json, &s);
	explain_users(json, &s);
	explain_writes(json, &s);
	if (json)
		json_close(json, '}');
	return EXIT_CODE_OK;
}

int verb_explain(const struct options *opt, char **bdfs, int n)
{
	struct json writer = { .to = stdout }, *json = opt->json ? &writer : NULL;
	char bdf[BDF_SIZE];
	int i, worst, off;

	/* All of them before the first is looked at: a mistyped command does nothing. */
	for (i = 0; i < n; i++) {
		if (address_parse(bdfs[i], bdf) != EXIT_CODE_OK)
			return EXIT_CODE_USAGE;
	}
	worst = config_readable();
	if (worst != EXIT_CODE_OK)
		return worst;
	off = host_is_off();
	if (off < 0)
		return status_say_error(NULL, NULL, off);
	if (json) {
		json_open(json, NULL, '{');
		json_open(json, "functions", '[');
	}
	for (i = 0; i < n; i++) {
		int code;

		if (address_parse(bdfs[i], bdf) != EXIT_CODE_OK)
			continue;
		if (i > 0 && !json)
			putchar('\n');
		code = explain(json, bdf, opt->event, off > 0);
		worst = code > worst ? code : worst;
	}
	if (json) {
		json_close(json, ']');
		json_close(json, '}');
		putchar('\n');
	}
	return worst;
}
