// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state of a function. What can be seen (on VFIO, the lock, the record) is the truth; what an event decided is in
 * udev's database and counts where nothing to be seen contradicts it.
 */
#include "status.h"

#include "exit-code.h"
#include "names.h"
#include "root.h"
#include "say.h"

#define PCI_CLASS_BRIDGE 0x0604

static bool is_on_vfio(const struct status *s)
{
	/* nvidia on a vGPU's VF is the native driver, whatever it registers. */
	return s->judgement.self.fn.on_vfio && !streq(s->judgement.self.fn.driver, "nvidia");
}

/* What the kernel and /run/nvfio show. NULL: nothing that says more than udev's database. */
static const char *visible_state(const struct status *s, const char **ret_reason)
{
	const struct subject *self = &s->judgement.self;

	*ret_reason = policy_reason_name(REASON_IN_FLIGHT);
	if (self->facts.in_flight)
		return "in-flight";
	*ret_reason = s->db.state[0] && streq(s->db.state, "bound") ? s->db.reason : policy_reason_name(REASON_ON_VFIO);
	if (is_on_vfio(s))
		return "bound";
	if (!self->has_record)
		return NULL;
	*ret_reason = policy_reason_name(REASON_RELEASED);
	if (self->record.state == RECORD_RELEASED && !state_is_act(&self->record))
		return policy_state_name(VERDICT_LEAVE);
	*ret_reason = "claimed";
	if (self->record.state == RECORD_CLAIMED)
		return "claimed";
	*ret_reason = "interrupted";
	return self->record.state == RECORD_ACTING || self->record.state == RECORD_RELEASED ? "interrupted" : NULL;
}

static void note_disagreement(struct status *s)
{
	const struct pci_function *fn = &s->judgement.self.fn;

	snprintf(s->note, sizeof(s->note), "udev's database says %s (%s), but it is on %s; `udevadm trigger` judges it anew",
		 s->db.state, s->db.reason[0] ? s->db.reason : "no reason", fn->driver[0] ? fn->driver : "no driver");
}

static void find_state(struct status *s)
{
	const struct verdict *v = &s->judgement.verdict;
	bool says_bound = streq(s->db.state, "bound"), says_claimed = streq(s->db.state, "claimed");

	s->state = visible_state(s, &s->reason);
	if (s->state) {
		if (streq(s->state, "bound") && s->db.state[0] && !says_bound)
			note_disagreement(s);
		return;
	}
	/* The database is of an event that is over, and its end was another one. */
	if (says_bound || says_claimed) {
		s->state = policy_state_name(VERDICT_LEAVE);
		s->reason = says_bound ? "unbound" : policy_reason_name(v->reason);
		note_disagreement(s);
		return;
	}
	if (s->db.state[0]) {
		s->state = s->db.state;
		s->reason = s->db.reason;
		return;
	}
	/* No event has met it, or none that concerns nvfio. What is left now will be left then. */
	s->state = v->code == VERDICT_LEAVE ? policy_state_name(VERDICT_LEAVE) : "unseen";
	s->reason = v->code == VERDICT_NEED ? "not-asked" : policy_reason_name(v->reason);
}

static void note_record(struct status *s)
{
	if (s->judgement.self.bad_record && !s->note[0])
		snprintf(s->note, sizeof(s->note), "what is in its record's place in /run/nvfio is no record, and does not count");
}

static void find_message(struct status *s)
{
	if (streq(s->state, s->db.state))
		snprintf(s->message, sizeof(s->message), "%s", s->db.message);
	else if (s->judgement.verdict.code == VERDICT_NEED)
		snprintf(s->message, sizeof(s->message), "whether %s was not asked; `nvfio explain` does",
			 s->judgement.verdict.need == NEED_CRITICAL ? "the host needs what is on it" : "it is in use");
	else
		judge_text(&s->judgement, s->message, sizeof(s->message));
}

static void find_name(struct status *s)
{
	snprintf(s->name, sizeof(s->name), "%s", s->db.model);
	/* The hardware database is the host's: in a fake tree there is only what udev wrote down. */
	if (!s->name[0] && root_is_host() && names_find(s->judgement.self.fn.modalias, s->name, sizeof(s->name)) < 0)
		s->name[0] = '\0';
}

int status_read(struct status *s, const char *bdf, const struct look *look, const char **ret_attr)
{
	struct occasion occasion = { .event = look->event, .quick = look->quick, .no_driver = look->no_driver,
				     .off = look->off, .read_override = !look->quick };
	int r;

	*s = (struct status){ .judgement.self.fn.dirfd = -1, .judgement.function0.fn.dirfd = -1,
			       .judgement.namer.dirfd = -1 };
	*ret_attr = NULL;
	r = udevdb_read(bdf, &s->db);
	if (r < 0)
		return r;
	occasion.was_deferred = streq(s->db.state, "deferred");
	occasion.was_met = s->db.state[0] != '\0';
	occasion.admin = streq(s->db.admin, "native") ? ADMIN_NATIVE : streq(s->db.admin, "vfio") ? ADMIN_VFIO : ADMIN_SILENT;
	r = judge(&s->judgement, bdf, &occasion, ret_attr);
	if (r < 0)
		return r;
	/* Which driver it waits for, where the verdict did not turn on that. */
	if (s->judgement.verdict.code != VERDICT_LEAVE && s->judgement.self.facts.driver_status == DRIVER_UNKNOWN &&
	    judge_gather(&s->judgement.self.facts, NEED_DRIVER) < 0)
		s->judgement.self.facts.driver_status = DRIVER_UNKNOWN;
	find_state(s);
	note_record(s);
	if (!look->no_message)
		find_message(s);
	if (!look->no_name)
		find_name(s);
	return 0;
}

void status_free(struct status *s)
{
	judge_free(&s->judgement);
}

int status_say_error(const char *bdf, const char *attr, int r)
{
	if (r == -ENODEV) {
		say_error("no-such-function", bdf, "no such PCI function, or it went away");
		return EXIT_CODE_GONE;
	}
	if (attr) {
		say_error("bad-attribute", bdf, "attribute %s is not what a kernel prints: %s", attr, strerror(-r));
		return EXIT_CODE_BAD_DATA;
	}
	say_error("failed", bdf, "could not be looked at: %s", judge_error_text(r));
	return EXIT_CODE_FAILED;
}

const char *status_wanted(const struct status *s)
{
	const struct judgement *j = &s->judgement;

	if (j->self.facts.in_flight)
		return j->self.has_record ? j->self.record.wanted : "";
	if (j->verdict.code == VERDICT_LEAVE)
		return "native";
	if (is_on_vfio(s))
		return j->self.fn.driver;
	if (j->self.facts.driver_status != DRIVER_FOUND)
		return "";
	return j->self.facts.driver.driver[0] ? j->self.facts.driver.driver : j->self.facts.driver.module;
}

const char *status_role(const struct status *s)
{
	const struct facts *f = &s->judgement.self.facts;

	return f->role == ROLE_FOREIGN && f->fn->class >> 8 == PCI_CLASS_BRIDGE ? "bridge" : policy_role_name(f->role);
}
