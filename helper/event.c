// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the judgement to the act, the record in the log, and the properties for udev. All knowledge is in the modules below.
 */
#include "event.h"

#include "exit-code.h"
#include "host.h"
#include "log.h"
#include "sriov.h"
#include "undo.h"

void event_print(FILE *to, const char *key, const char *value)
{
	fprintf(to, "%s=\"", key);
	for (; *value; value++)
		fputc(*value == '"' || *value == '\\' ? '\'' : (unsigned char)*value < ' ' ? ' ' : *value, to);
	fputs("\"\n", to);
}

void event_print_result(FILE *to, const struct judgement *j, const struct event_result *res)
{
	if (res->state[0])
		event_print(to, "NVFIO_STATE", res->state);
	event_print(to, "NVFIO_VERDICT", policy_verdict_name(j->verdict.code)); /* bind bound leave defer refuse */
	event_print(to, "NVFIO_REASON", res->reason);
	event_print(to, "NVFIO_ROLE", policy_role_name(j->self.facts.role)); /* gpu pf vf companion nvswitch other foreign */
	if (res->driver[0])
		event_print(to, "NVFIO_DRIVER", res->driver);
	if (j->self.fn.group[0])
		event_print(to, "NVFIO_GROUP", j->self.fn.group); /* number of its IOMMU group */
	event_print(to, "NVFIO_MESSAGE", res->message);
}

/* Left, deferred or refused: the one record, unless it has been said for this configuration since boot. */
static void report_verdict(const struct judgement *j, const char *message)
{
	enum verdict_code code = j->verdict.code;
	int priority = code == VERDICT_REFUSE ? LOG_WARNING : code == VERDICT_DEFER ? LOG_NOTICE : LOG_INFO;

	if (j->verdict.reason == REASON_CONFIG_BROKEN) {
		priority = LOG_ERR;
		if (!state_first_time(j->config_version))
			return;
	}
	log_send(&(struct log_record){
		.priority = priority,
		.bdf = j->self.fn.name,
		.event = policy_event_name(j->self.facts.event),
		.state = policy_state_name(code),
		.reason = policy_reason_name(j->verdict.reason),
		.driver = j->self.facts.driver.driver,
		.message = message,
	});
}

/* r: 0 nothing was done, 1 done, -errno. */
static void report_side_act(const struct judgement *j, const char *step, const char *what, int r)
{
	char message[256];

	if (r == 0)
		return;
	snprintf(message, sizeof(message), "%s%s%s", what, r < 0 ? " failed: " : "", r < 0 ? strerror(-r) : "");
	log_send(&(struct log_record){
		.priority = r < 0 ? LOG_ERR : LOG_NOTICE,
		.bdf = j->self.fn.name,
		.event = policy_event_name(j->self.facts.event),
		.step = step,
		.error = r < 0 ? -r : 0,
		.message = message,
	});
}

/* What has to be done although the function is not taken. */
static void settle(struct judgement *j)
{
	int r = undo_interrupted(j);

	report_side_act(j, "undo", "giving back what nvfio changed earlier and is not wanted now", r);
	/* The record still is about that; the next event begins with it again. */
	if (r < 0)
		return;
	report_side_act(j, "companions", "taking back companions that were faster than function 0",
			undo_companions(j, j->verdict.reason == REASON_ADMIN));
	report_side_act(j, "vf-autoprobe", "setting native probing of its VFs (sriov_drivers_autoprobe)",
			sriov_settle_autoprobe(j));
}

static int act(struct event *e, struct judgement *j)
{
	struct bind_result res = { 0 };
	int r = e->bind ? e->bind(j, &res, e->arg) : bind_function(j, &res);

	if (r == -EBUSY) {
		j->verdict.code = VERDICT_LEAVE;
		j->verdict.reason = REASON_IN_FLIGHT;
		j->self.facts.in_flight = true;
		return 1;
	}
	if (r < 0) {
		log_message(LOG_ERR, j->self.fn.name, "could not begin: %s; nothing was changed", strerror(-r));
		return -EXIT_CODE_FAILED;
	}
	if (res.state == BIND_GONE)
		return -EXIT_CODE_GONE;
	e->reason = res.reason;
	event_print_result(e->to, j, &(struct event_result){ bind_state_name(res.state), res.reason, res.driver, res.message });
	return 0;
}

/* judge() failed: say what is wrong with which function. */
int event_failed(const char *bdf, const char *attr, int r)
{
	log_setup("nvfio-udev", true);
	if (r == -ENODEV) {
		log_message(LOG_INFO, bdf, "no such PCI function, or it went away; nothing was changed");
		return EXIT_CODE_GONE;
	}
	if (attr) {
		log_message(LOG_ERR, bdf, "attribute %s is not what a kernel prints: %s; nothing was changed", attr,
			    strerror(-r));
		return EXIT_CODE_BAD_DATA;
	}
	log_message(LOG_ERR, bdf, "could not be judged: %s; nothing was changed", judge_error_text(r));
	return EXIT_CODE_FAILED;
}

/* The off switch has to work also where the rest does not: nothing is looked at, and it is said once a boot. */
static int run_off(struct event *e)
{
	if (state_first_time("off"))
		log_message(LOG_NOTICE, NULL, "%s: every NVIDIA function is left to its native driver",
			    policy_reason_text(REASON_OFF));
	e->reason = policy_reason_name(REASON_OFF);
	event_print(e->to, "NVFIO_STATE", policy_state_name(VERDICT_LEAVE));
	event_print(e->to, "NVFIO_REASON", e->reason);
	return EXIT_CODE_OK;
}

int event_run(struct event *e)
{
	_cleanup_judge_ struct judgement j = { .self.fn.dirfd = -1, .function0.fn.dirfd = -1, .namer.dirfd = -1 };
	struct occasion occasion = e->occasion;
	const char *attr = NULL;
	char text[700];
	int r = host_is_off();

	if (r < 0)
		return event_failed(e->bdf, NULL, r);
	occasion.off = r > 0;
	if (e->may_act && occasion.off)
		return run_off(e);
	r = judge(&j, e->bdf, &occasion, &attr);
	if (r < 0)
		return event_failed(e->bdf, attr, r);
	if (e->may_act && j.self.bad_record)
		log_message(LOG_WARNING, e->bdf, "what is in its record's place in /run/nvfio is no record, and does not count");
	if (e->may_act && j.verdict.code == VERDICT_BIND) {
		r = act(e, &j);
		if (r <= 0)
			return -r;
	}
	judge_text(&j, text, sizeof(text));
	if (e->may_act) {
		if (j.verdict.code != VERDICT_BOUND)
			settle(&j);
		report_verdict(&j, text);
	}
	e->reason = policy_reason_name(j.verdict.reason);
	/* A judgement alone changes no state: `udevadm test` writes what is printed here into udev's database. */
	event_print_result(e->to, &j, &(struct event_result){
		e->may_act ? policy_state_name(j.verdict.code) : e->state, e->reason,
		j.self.fn.on_vfio ? j.self.fn.driver : j.self.facts.driver.driver, text });
	return EXIT_CODE_OK;
}

/* Another function may sit at the address by now: what is known about that one is not forgotten. */
int event_forget(const char *bdf)
{
	_cleanup_pci_ struct pci_function fn = { .dirfd = -1 };
	struct record rec;
	const char *attr;
	int r;

	if (pci_open(bdf, &fn, &attr) == 0) {
		r = state_load(&fn, &rec);
		if (r == 0 || r == -EPROTO)
			return EXIT_CODE_OK;
	}
	r = state_forget(bdf);
	if (r == 0)
		return EXIT_CODE_OK;
	log_message(LOG_WARNING, bdf, "could not remove its record from /run/nvfio: %s", strerror(-r));
	return EXIT_CODE_FAILED;
}
