// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio unbind: gives back what nvfio took, and keeps events from taking it again.
 */
#include "exit-code.h"
#include "json.h"
#include "kmod.h"
#include "persist.h"
#include "plan.h"
#include "release.h"
#include "request.h"
#include "root.h"
#include "say.h"
#include "status.h"

/* What the dry run has last refused to release: function 0 of a card comes before its companions. */
static char dry_refused[BDF_SIZE];

/* --to is about what was named; what goes with it returns to what it had. */
static const char *driver_for(const struct options *opt, const struct target *target)
{
	return target->named || opt->foreign ? opt->to : NULL;
}

/* What stays of --persist: removed now, or said because it would surprise at the next boot. */
static void settle_drop_in(const struct options *opt, const struct judgement *j, struct outcome *o, char *path,
			   char *message, size_t size)
{
	const char *bdf = j->self.fn.name;
	size_t used = strlen(message);
	char at[600];
	int r = opt->persist ? persist_remove(bdf) : 0;

	persist_path(bdf, path);
	if (r < 0) {
		o->code = EXIT_CODE_FAILED;
		o->reason = "still-persistent";
		snprintf(message + used, size - used, "; but %s could not be removed: %s", path, strerror(-r));
		return;
	}
	if (r > 0) {
		o->drop_in = path;
		used += (size_t)snprintf(message + used, size - used, "; removed %s", path);
	}
	if (persist_boot_is_vfio(j, at, sizeof(at)) && used < size)
		snprintf(message + used, size - used, "; the next boot takes it again (%s%s)", at,
			 !opt->persist && persist_exists(bdf) ? "; --persist removes that" : "");
}

static int tell(const struct options *opt, const struct judgement *j, const struct release_result *res)
{
	char path[PERSIST_PATH_SIZE], message[1800];
	struct outcome o = { .bdf = j->self.fn.name, .state = release_state_name(res->state), .reason = res->reason,
			     .driver = res->driver, .message = message };

	snprintf(message, sizeof(message), "%s", res->message);
	o.code = res->state == RELEASE_DONE || res->state == RELEASE_THERE ? EXIT_CODE_OK :
		 res->state == RELEASE_GONE ? EXIT_CODE_GONE : EXIT_CODE_FAILED;
	if (o.code == EXIT_CODE_OK)
		settle_drop_in(opt, j, &o, path, message, sizeof(message));
	return request_show(opt, &o);
}

static int dry_run(const struct options *opt, struct judgement *j, const char *to)
{
	struct json writer = { .to = stdout }, *json = opt->json ? &writer : NULL;
	char path[PERSIST_PATH_SIZE], text[1000];
	struct release_result res;
	int r = release_check(j, to, &res);

	if (r < 0) {
		say_error("failed", j->self.fn.name, "could not be looked at: %s", strerror(-r));
		return EXIT_CODE_FAILED;
	}
	if (res.state == RELEASE_REFUSED)
		snprintf(dry_refused, sizeof(dry_refused), "%s", j->self.fn.name);
	snprintf(text, sizeof(text), "%s", r == 0 ? "release" : res.message);
	if (opt->persist && res.state != RELEASE_REFUSED && persist_exists(j->self.fn.name)) {
		persist_path(j->self.fn.name, path);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "; would remove %s", path);
	}
	request_dry_begin(json, j->self.fn.name, text, r == 0);
	if (r == 0)
		plan_release(json, j, to);
	request_dry_end(json);
	return res.state == RELEASE_REFUSED ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

/* Nothing of nvfio's, and nobody named it. */
static bool is_none_of_ours(const struct judgement *j, const struct target *target)
{
	return !target->named && policy_needs_naming(j->self.facts.role) && !state_is_act(&j->self.record);
}

/*
 * What function 0 brought along stays with it, if that could not be released: a kernel with a VFIO node for each function
 * shows its user on function 0 alone, and a native driver beside it is refused by the IOMMU group. In a dry run function 0
 * is where it was in any case: what counts is what was said of it.
 */
static bool stays_with_function0(const struct options *opt, const struct judgement *j, const struct target *target)
{
	return !target->named && j->self.facts.role == ROLE_COMPANION && j->function0.fn.dirfd >= 0 &&
	       j->function0.fn.on_vfio && j->self.fn.on_vfio &&
	       (!opt->dry_run || streq(dry_refused, j->function0.fn.name));
}

static int tell_that_it_stays(const struct options *opt, const struct judgement *j)
{
	struct json writer = { .to = stdout }, *json = opt->json ? &writer : NULL;
	char message[64 + BDF_SIZE];

	snprintf(message, sizeof(message), "refused: function 0 of its card, %s, stays on VFIO", j->function0.fn.name);
	if (opt->dry_run) {
		request_dry_begin(json, j->self.fn.name, message, false);
		request_dry_end(json);
		return EXIT_CODE_FAILED;
	}
	return request_show(opt, &(struct outcome){ .bdf = j->self.fn.name, .state = release_state_name(RELEASE_REFUSED),
						    .reason = policy_reason_name(REASON_FUNCTION0),
						    .driver = j->self.fn.driver, .message = message,
						    .code = EXIT_CODE_FAILED });
}

/* An exit code, or -EBUSY: somebody else acts on it. */
static int unbind_once(const struct options *opt, const struct target *target, unsigned int *ret_timeout_ms)
{
	_cleanup_judge_ struct judgement j = { .self.fn.dirfd = -1, .function0.fn.dirfd = -1, .namer.dirfd = -1 };
	const char *to = driver_for(opt, target), *attr;
	struct release_result res;
	int r;

	r = request_judge(&j, opt, target, true, &attr);
	if (r < 0)
		return status_say_error(target->bdf, attr, r);
	*ret_timeout_ms = j.self.settings.key[KEY_TIMEOUT].ms;
	if (is_none_of_ours(&j, target))
		return EXIT_CODE_OK;
	if (j.self.facts.role == ROLE_FOREIGN && !j.self.has_record) {
		say_error("not-nvidia", target->bdf, "not an NVIDIA device (%04x:%04x), and nothing that nvfio took",
			  j.self.fn.ids.vendor, j.self.fn.ids.device);
		return EXIT_CODE_FAILED;
	}
	if (stays_with_function0(opt, &j, target))
		return tell_that_it_stays(opt, &j);
	if (opt->dry_run)
		return dry_run(opt, &j, to);
	r = release_function(&j, to, request_watch, &res);
	if (r == -EBUSY)
		return r;
	if (r < 0) {
		say_error("failed", target->bdf, "could not begin: %s; nothing was changed", strerror(-r));
		return EXIT_CODE_FAILED;
	}
	return tell(opt, &j, &res);
}

/* Loaded now rather than when the first function has lost its driver. An exit code. */
static int find_driver(const char *to, bool dry_run)
{
	struct vfio_driver drv = { .module = "" };
	char path[sizeof("/sys/bus/pci/drivers/") + DRIVER_NAME_SIZE];
	int r = to[0] && !strchr(to, '/') && to[0] != '.' ? copy_name(drv.module, sizeof(drv.module), to) : -EINVAL;

	if (r < 0) {
		say_error("usage", to, "not the name of a driver");
		return EXIT_CODE_USAGE;
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s", to);
	if (root_exists(path) || dry_run)
		return EXIT_CODE_OK;
	r = kmod_load(&drv);
	if (r == 0 && root_exists(path))
		return EXIT_CODE_OK;
	say_error("no-driver", to, "no such PCI driver is in the kernel, and no module of this name brings it: %s; nothing "
		  "was changed", r < 0 ? strerror(-r) : drv.driver);
	return EXIT_CODE_FAILED;
}

int verb_unbind(const struct options *opt, char **bdfs, int n)
{
	struct target_query query = { .scope = opt->card ? SCOPE_CARD : SCOPE_FUNCTION, .taken = true };
	_cleanup_targets_ struct targets targets = { 0 };
	int code = request_begin(opt, bdfs, n, &query, &targets);

	if (code == EXIT_CODE_OK && opt->to)
		code = find_driver(opt->to, opt->dry_run);
	if (code != EXIT_CODE_OK)
		return code;
	return request_run(opt, &targets, unbind_once);
}
