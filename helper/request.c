// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command's side of an act. The act itself is a child's (bind.c, release.c), which a signal to this process does not
 * reach: it finishes, or what it leaves is on record. So a signal ends the waiting only.
 */
#include "request.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include "child.h"
#include "exit-code.h"
#include "host.h"
#include "json.h"
#include "lock-owner.h"
#include "log.h"
#include "privilege.h"
#include "root.h"
#include "say.h"
#include "udevdb.h"

/* How often it is looked whether a lock is free. */
#define TURN_MS 50

static volatile sig_atomic_t interrupted;

static void on_signal(int number _unused_)
{
	interrupted = 1;
}

static void catch_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ends); i++)
		(void)sigaction(ends[i], &sa, NULL);
	/* A reader that has gone is no reason to stop between two functions. */
	(void)signal(SIGPIPE, SIG_IGN);
}

static bool may_act(void)
{
	if (geteuid() == 0 || !root_is_host())
		return true;
	say_error("permission", NULL, "only root may write to /sys/bus/pci and /run/nvfio, which changing drivers takes; "
		  "nvfio explain and --dry-run need no root");
	return false;
}

/* All addresses, before anything is done: a mistyped command does nothing. */
static int parse_addresses(const struct options *opt, char **words, int n, struct target_query *query)
{
	size_t count = (size_t)n + opt->n_device_ids, i;

	query->bdfs = calloc(count + 1, sizeof(*query->bdfs));
	for (i = 0; query->bdfs && i < count; i++) {
		const char *text = i < (size_t)n ? words[i] : opt->device_ids[i - (size_t)n];

		query->bdfs[i] = malloc(BDF_SIZE);
		if (!query->bdfs[i])
			break;
		query->n = i + 1;
		if (address_parse(text, query->bdfs[i]) != EXIT_CODE_OK)
			return EXIT_CODE_USAGE;
	}
	if (query->n < count) {
		say_error("failed", NULL, "out of memory");
		return EXIT_CODE_FAILED;
	}
	return EXIT_CODE_OK;
}

static int find_targets(const struct options *opt, char **words, int n, struct target_query *query, struct targets *ret)
{
	int code = parse_addresses(opt, words, n, query), r;

	if (code != EXIT_CODE_OK)
		return code;
	query->all = opt->foreign;
	query->group = opt->group;
	r = targets_find(ret, query);
	if (r == 0)
		return EXIT_CODE_OK;
	say_error("failed", NULL, "the PCI functions could not be listed: %s", strerror(-r));
	return EXIT_CODE_FAILED;
}

int request_begin(const struct options *opt, char **words, int n, struct target_query *query, struct targets *ret)
{
	size_t i;
	int code;

	if (opt->foreign == (n > 0 || opt->n_device_ids > 0)) {
		say_error("usage", NULL, "which functions? either addresses or --all; see nvfio --help");
		return EXIT_CODE_USAGE;
	}
	if (!opt->dry_run && !may_act())
		return EXIT_CODE_FAILED;
	/* Records and drop-ins are for everybody to read, whatever root's own files are. */
	(void)umask(022);
	log_setup("nvfio", false);
	log_off_stderr();
	child_off_stderr();
	if (privilege_reduce(opt->dry_run ? PRIVILEGE_LOOK : PRIVILEGE_ACT) < 0)
		say_warning("privileges", NULL, "could not give up the privileges that are not needed; going on with them");
	if (!opt->dry_run)
		catch_signals();
	code = find_targets(opt, words, n, query, ret);
	for (i = 0; i < query->n; i++)
		free(query->bdfs[i]);
	free(query->bdfs);
	query->bdfs = NULL;
	return code;
}

/* Until nobody acts on the function any more. 0; -ETIMEDOUT; -EINTR; -errno. */
static int wait_turn(const char *bdf, unsigned int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	char owner[128];
	int r;

	lock_owner(bdf, owner, sizeof(owner));
	say_warning("waiting", bdf, "waiting for %s, which acts on it", owner);
	/* Looked at, not waited for: taking the lock for a moment would turn an event away that comes just then. */
	while ((r = state_is_locked(bdf)) > 0) {
		if (now_ms() >= deadline)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, TURN_MS);
		if (interrupted)
			return -EINTR;
	}
	return r;
}

int request_show(const struct options *opt, const struct outcome *o)
{
	struct json j = { .to = stdout };

	if (opt->json) {
		json_open(&j, NULL, '{');
		json_string(&j, "bdf", o->bdf);
		json_string(&j, "state", o->state);
		json_string(&j, "reason", o->reason);
		json_string(&j, "driver", o->driver[0] ? o->driver : NULL);
		json_string(&j, "message", o->message);
		json_string(&j, "drop_in", o->drop_in);
		json_bool(&j, "ok", o->code == EXIT_CODE_OK);
		json_close(&j, '}');
		putchar('\n');
	} else if (o->code == EXIT_CODE_OK) {
		printf("%s: ", o->bdf);
		say_plain(o->message);
		putchar('\n');
	}
	fflush(stdout);
	if (o->code != EXIT_CODE_OK)
		say_error(o->reason, o->bdf, "%s", o->message);
	return o->code;
}

/* It did not get its turn. */
static int in_flight(const struct options *opt, const char *bdf)
{
	char owner[128], message[256];

	lock_owner(bdf, owner, sizeof(owner));
	snprintf(message, sizeof(message), "in flight: %s acts on it; nothing was changed", owner);
	return request_show(opt, &(struct outcome){ .bdf = bdf, .state = policy_state_name(VERDICT_LEAVE),
						    .reason = policy_reason_name(REASON_IN_FLIGHT), .driver = "",
						    .message = message, .code = EXIT_CODE_FAILED });
}

static void say_not_begun(const struct targets *targets, size_t from)
{
	char text[512] = "";
	size_t i, used = 0, told = 0;

	for (i = from; i < targets->n && used + 64 < sizeof(text); i++, told++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? ", " : "", targets->list[i].bdf);
	say_error("interrupted", NULL, "interrupted; not begun: %s%s", text[0] ? text : "none",
		  from + told < targets->n ? " and more" : "");
}

/* How often somebody else's act is waited for before it counts as not coming to an end. */
#define TURNS 3

static int run_one(const struct options *opt, const struct target *target, request_act act)
{
	unsigned int timeout_ms = 0, turn;

	for (turn = 0; turn < TURNS; turn++) {
		int r = act(opt, target, &timeout_ms);

		if (r != -EBUSY)
			return r;
		if (wait_turn(target->bdf, timeout_ms) < 0)
			break;
	}
	return in_flight(opt, target->bdf);
}

int request_run(const struct options *opt, const struct targets *targets, request_act act)
{
	int worst = EXIT_CODE_OK;
	size_t i;

	if (targets->n == 0)
		say_warning("none", NULL, "there is no NVIDIA function");
	for (i = 0; i < targets->n && !interrupted; i++) {
		int code = run_one(opt, &targets->list[i], act);

		worst = code > worst ? code : worst;
	}
	if (!interrupted)
		return worst;
	say_not_begun(targets, i);
	return EXIT_CODE_INTERRUPTED;
}

int request_judge(struct judgement *j, const struct options *opt, const struct target *target, bool quick,
		  const char **ret_attr)
{
	/* Who uses it can be told by root alone: without, a dry run says that it did not ask. */
	bool forced = opt->force || (opt->dry_run && geteuid() != 0);
	struct occasion occasion = { .event = EVENT_REQUEST, .asked = target->asked, .forced = forced, .quick = quick,
				     .read_override = !quick };
	struct udevdb db;
	int r;

	*ret_attr = NULL;
	r = host_is_off();
	if (r < 0)
		return r;
	occasion.off = r > 0;
	r = udevdb_read(target->bdf, &db);
	if (r < 0)
		return r;
	occasion.was_deferred = streq(db.state, "deferred");
	occasion.was_met = db.state[0] != '\0';
	occasion.admin = streq(db.admin, "native") ? ADMIN_NATIVE : streq(db.admin, "vfio") ? ADMIN_VFIO : ADMIN_SILENT;
	return judge(j, target->bdf, &occasion, ret_attr);
}

/* The steps that may take long, in words. */
static const char *step_text(const char *step)
{
	static const struct {
		const char *step, *text;
	} texts[] = {
		{ "load", "the VFIO module to be loaded" },
		{ "read-override", "whoever holds its device lock" },
		{ "unbind-lock", "nvidia to say whether it is in use" },
		{ "override", "whoever holds its device lock" },
		{ "unbind", "the driver it is on to let go of it" },
		{ "bind", "the kernel to attach the VFIO driver" },
		{ "give-back", "the kernel to attach its native driver" },
	};
	unsigned int i;

	for (i = 0; step && i < ARRAY_SIZE(texts); i++) {
		if (streq(step, texts[i].step))
			return texts[i].text;
	}
	return "the kernel";
}

bool request_watch(const char *bdf, const char *step, unsigned int waited_ms)
{
	static char said_bdf[BDF_SIZE];
	static const char *said_step;

	if (interrupted)
		return false;
	/* Steps are literals of this program; a function's name comes again with its next step. */
	if (waited_ms < 1000 || (streq(said_bdf, bdf) && said_step == step))
		return true;
	snprintf(said_bdf, sizeof(said_bdf), "%s", bdf);
	said_step = step;
	say_warning("waiting", bdf, "waiting for %s (step %s); Ctrl-C ends the waiting, not the act", step_text(step),
		    step ? step : "start");
	return true;
}

void request_dry_begin(struct json *json, const char *bdf, const char *text, bool writes)
{
	if (json) {
		json_open(json, NULL, '{');
		json_string(json, "bdf", bdf);
		json_string(json, "message", text);
		json_open(json, "writes", '[');
		return;
	}
	printf("%s: ", bdf);
	say_plain(text);
	puts(writes ? "; would write, in this order" : "");
}

void request_dry_end(struct json *json)
{
	if (!json)
		return;
	json_close(json, ']');
	json_close(json, '}');
	putchar('\n');
	json->comma = false;
}
