// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio bind: each function asked for goes the way of an event, judge() and bind_function(), as a request.
 */
#include "bind.h"
#include "exit-code.h"
#include "json.h"
#include "persist.h"
#include "plan.h"
#include "release.h"
#include "request.h"
#include "say.h"
#include "status.h"
#include "undo.h"

/* The drop-in, once the function is on VFIO. Appends to message what it means. */
static void persist(const struct judgement *j, struct outcome *o, char *path, char *message, size_t size)
{
	size_t used = strlen(message);
	char at[600];
	int r = persist_write(j);

	persist_path(j->self.fn.name, path);
	if (r < 0) {
		o->code = EXIT_CODE_FAILED;
		o->reason = "not-persistent";
		snprintf(message + used, size - used, "; but %s could not be written: %s", path, strerror(-r));
		return;
	}
	o->drop_in = path;
	if (persist_boot_is_vfio(j, at, sizeof(at))) {
		snprintf(message + used, size - used, "; %s takes it at every boot", path);
		return;
	}
	o->code = EXIT_CODE_FAILED;
	o->reason = "not-persistent";
	snprintf(message + used, size - used, "; %s was written, but at boot it will be left: %s", path, at);
}

/* A line about a function that is on VFIO (code 0) or is not. */
static int tell(const struct options *opt, const struct judgement *j, const struct outcome *so_far)
{
	char path[PERSIST_PATH_SIZE], message[1800];
	struct outcome o = *so_far;

	snprintf(message, sizeof(message), "%s", so_far->message);
	o.bdf = j->self.fn.name;
	o.message = message;
	if (opt->persist && o.code == EXIT_CODE_OK && streq(o.state, "bound"))
		persist(j, &o, path, message, sizeof(message));
	return request_show(opt, &o);
}

/* As after an event that does not take it. */
static int settle(struct judgement *j)
{
	int r = undo_interrupted(j);

	return r < 0 ? r : undo_companions(j, j->verdict.reason == REASON_ADMIN);
}

/* With --all what policy leaves is left; of a function that was asked for it is said as an error. */
static int tell_verdict(const struct options *opt, struct judgement *j, const struct target *target)
{
	enum verdict_code code = j->verdict.code;
	struct outcome o = { .state = policy_state_name(code), .reason = policy_reason_name(j->verdict.reason),
			     .driver = j->self.fn.driver };
	char text[900];
	int r;

	/* A chipset is full of them, and nobody asked. */
	if (!target->asked && code == VERDICT_LEAVE && j->self.facts.role == ROLE_OTHER)
		return EXIT_CODE_OK;
	judge_text(j, text, sizeof(text));
	if (code == VERDICT_BOUND)
		r = release_forget(j);
	else
		r = settle(j);
	if (r < 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "; %s: %s", code == VERDICT_BOUND ?
			 "that it is no longer released could not be recorded" : "giving back an earlier act failed",
			 strerror(-r));
	o.code = (code == VERDICT_BOUND || (code == VERDICT_LEAVE && !target->asked && !target->foreign)) && r >= 0 ?
		 EXIT_CODE_OK : EXIT_CODE_FAILED;
	o.message = text;
	return tell(opt, j, &o);
}

static int tell_result(const struct options *opt, const struct judgement *j, const struct bind_result *res)
{
	struct outcome o = { .state = bind_state_name(res->state), .reason = res->reason, .driver = res->driver,
			     .message = res->message };

	o.code = res->state == BIND_BOUND ? EXIT_CODE_OK : res->state == BIND_GONE ? EXIT_CODE_GONE : EXIT_CODE_FAILED;
	return tell(opt, j, &o);
}

static int dry_run(const struct options *opt, struct judgement *j)
{
	struct json writer = { .to = stdout }, *json = opt->json ? &writer : NULL;
	struct vfio_driver *drv = &j->self.facts.driver;
	bool bind = j->verdict.code == VERDICT_BIND;
	char text[900], path[PERSIST_PATH_SIZE];

	judge_text(j, text, sizeof(text));
	if (bind && opt->persist) {
		persist_path(j->self.fn.name, path);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "; would then write %s", path);
	}
	if (bind && !drv->driver[0])
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "; would load module %s", drv->module);
	request_dry_begin(json, j->self.fn.name, text, bind);
	if (bind)
		plan_bind(json, j, drv->driver[0] ? drv->driver : drv->module);
	request_dry_end(json);
	return bind || j->verdict.code == VERDICT_BOUND ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static bool is_somebody_elses_turn(const struct judgement *j)
{
	return j->verdict.reason == REASON_IN_FLIGHT && j->self.facts.in_flight;
}

/* One look, and what follows from it. An exit code, or -EBUSY: somebody else acts on it. */
static int bind_once(const struct options *opt, const struct target *target, unsigned int *ret_timeout_ms)
{
	_cleanup_judge_ struct judgement j = { .self.fn.dirfd = -1, .function0.fn.dirfd = -1, .namer.dirfd = -1 };
	struct bind_result res = { 0 };
	const char *attr;
	int r;

	r = request_judge(&j, opt, target, false, &attr);
	if (r < 0)
		return status_say_error(target->bdf, attr, r);
	*ret_timeout_ms = j.self.settings.key[KEY_TIMEOUT].ms;
	if (target->named && j.self.facts.role == ROLE_FOREIGN && !j.self.facts.named_by) {
		say_error("not-nvidia", target->bdf, "not an NVIDIA device (%04x:%04x)", j.self.fn.ids.vendor,
			  j.self.fn.ids.device);
		return EXIT_CODE_FAILED;
	}
	if (opt->dry_run)
		return dry_run(opt, &j);
	if (is_somebody_elses_turn(&j))
		return -EBUSY;
	if (j.verdict.code != VERDICT_BIND)
		return tell_verdict(opt, &j, target);
	r = bind_function(&j, &res);
	if (r == -EBUSY)
		return r;
	if (r < 0) {
		say_error("failed", target->bdf, "could not begin: %s; nothing was changed", strerror(-r));
		return EXIT_CODE_FAILED;
	}
	return tell_result(opt, &j, &res);
}

int verb_bind(const struct options *opt, char **bdfs, int n)
{
	struct target_query query = { .scope = SCOPE_CARD, .blockers_only = true };
	_cleanup_targets_ struct targets targets = { 0 };
	int code = request_begin(opt, bdfs, n, &query, &targets);

	if (code != EXIT_CODE_OK)
		return code;
	bind_set_watch(request_watch);
	return request_run(opt, &targets, bind_once);
}
