// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sequence: lock, child, look again, write ahead, override, unbind, bind, verify; and back if a step fails.
 * Everything up to the write-ahead record leaves the function exactly as it was.
 */
#include "bind.h"

#include "child.h"
#include "iommu.h"
#include "log.h"
#include "node-access.h"
#include "siblings.h"
#include "steps.h"
#include "sysfs.h"
#include "uevent.h"
#include "undo.h"

/* One act. Its result may be in memory that the parent of the acting child sees. */
struct act {
	struct judgement *j;
	struct record rec;
	char current[DRIVER_NAME_SIZE]; /* driver_override as found */
	bool resumed;                   /* it goes on from an interrupted act's record */
	bool unbind_locked;
	int lock;                       /* held by the child until it ends */
	int64_t deadline;
	struct bind_result *result;     /* what others may see of it */
};

const char *bind_state_name(enum bind_state state)
{
	static const char *const name[BIND_STATE_COUNT] = {
		[BIND_RUNNING] = "claimed", [BIND_BOUND] = "bound",	  [BIND_CLAIMED] = "claimed",
		[BIND_LEFT] = "left",	    [BIND_DEFERRED] = "deferred", [BIND_REFUSED] = "refused",
		[BIND_FAILED] = "failed",   [BIND_GONE] = "gone",
	};

	return name[state];
}

static void end(struct bind_result *res, enum bind_state state, const char *reason, int error)
{
	res->state = state;
	res->reason = reason;
	res->error = error < 0 ? -error : error;
}

static void send_record(const char *bdf, enum event_kind event, const struct bind_result *res)
{
	static const int priority[BIND_STATE_COUNT] = {
		[BIND_RUNNING] = LOG_WARNING,  [BIND_BOUND] = LOG_NOTICE,   [BIND_CLAIMED] = LOG_NOTICE,
		[BIND_LEFT] = LOG_INFO,	       [BIND_DEFERRED] = LOG_NOTICE, [BIND_REFUSED] = LOG_WARNING,
		[BIND_FAILED] = LOG_ERR,       [BIND_GONE] = LOG_INFO,
	};

	log_send(&(struct log_record){
		.priority = priority[res->state],
		.bdf = bdf,
		.event = policy_event_name(event),
		.state = bind_state_name(res->state),
		.reason = res->reason,
		.driver = res->driver,
		.step = res->step,
		.error = res->error,
		.message = res->message,
	});
}

/* kmod_load()'s errors in an administrator's words. */
static const char *load_error(int r)
{
	switch (r) {
	case -EACCES:
		return "it is blacklisted";
	case -ENOENT:
		return "it is not installed";
	case -ENOEXEC:
		return "modprobe.d has an install command for it, which is not run";
	case -EINVAL:
		return "it does not fit this kernel";
	case -EPERM:
		return "the kernel refuses it (lockdown, signature, modules_disabled or module_blacklist)";
	default:
		return strerror(-r);
	}
}

/* In a container sysfs may be mounted read-only, or be another root's. 0: go on; 1: the act is over. */
static int check_sysfs(struct act *a)
{
	int r = sysfs_may_write(a->j->self.fn.dirfd, "driver_override");

	if (r == 0 || r == -ENOENT) /* gone: whoever reads it next says so */
		return 0;
	a->result->step = "write-access";
	end(a->result, BIND_FAILED, "failed", r);
	snprintf(a->result->message, sizeof(a->result->message),
		 "failed: sysfs %s: %s (in a container?); nothing was changed",
		 r == -EROFS ? "is read-only" : "may not be written", strerror(-r));
	return 1;
}

/* Loads the module. 0: go on; 1: the act is over; -errno. */
static int load_driver(struct act *a)
{
	struct vfio_driver *drv = &a->j->self.facts.driver;
	int r;

	a->result->step = "load";
	r = kmod_load(drv);
	if (r == 0)
		return copy_name(a->result->driver, sizeof(a->result->driver), drv->driver);
	end(a->result, BIND_REFUSED, "load", r);
	snprintf(a->result->message, sizeof(a->result->message),
		 "refused: module %s cannot be loaded: %s; nothing was changed, the native driver has it as ever",
		 drv->module, load_error(r));
	return 1;
}

/* What the parent could not read without risk, and what may have changed since. 0: go on; 1: over; -errno. */
static int look_again(struct act *a)
{
	struct subject *s = &a->j->self;
	struct bind_result *res = a->result;
	bool was_bound = s->fn.driver[0] != '\0';
	int r;

	a->result->step = "read-override";
	r = steps_read_override(&s->fn, a->current, sizeof(a->current));
	if (r < 0)
		return r;
	if (policy_override_is_foreign(a->current, &s->facts.driver, s->facts.ours)) {
		end(a->result, BIND_LEFT, policy_reason_name(REASON_OVERRIDE), 0);
		snprintf(res->message, sizeof(res->message), "left: %s (%s)", policy_reason_text(REASON_OVERRIDE), a->current);
		return 1;
	}
	a->result->step = "await-probe";
	r = pci_refresh(&s->fn);
	/* Before the last look: a card that is probed to its end has nodes that somebody may open. */
	if (r == 0 && steps_probes_on(s->fn.driver))
		r = steps_await_probe(&s->fn, a->deadline);
	if (r < 0)
		return r;
	a->result->step = "look-again";
	/* Or the bind would wait for it, with the override written. Its `unbind` event, or a trigger, comes back to this. */
	r = steps_is_leaving(&s->fn);
	if (r > 0) {
		s->facts.busy = true;
		end(a->result, BIND_LEFT, policy_reason_name(REASON_IN_FLIGHT), 0);
		snprintf(res->message, sizeof(res->message), "left: %s (a driver is letting go of it)",
			 policy_reason_text(REASON_IN_FLIGHT));
		return 1;
	}
	if (r < 0)
		return r;
	/* Holders come and go while the lock is waited for; the last look is the one right before the unbind. */
	if (!s->fn.driver[0] && !was_bound && !s->fn.on_vfio)
		return 0;
	r = judge_again(a->j);
	if (r < 0 || a->j->verdict.code == VERDICT_BIND)
		return r;
	judge_text(a->j, res->message, sizeof(res->message));
	end(a->result, a->j->verdict.code == VERDICT_BOUND ? BIND_BOUND : a->j->verdict.code == VERDICT_DEFER ? BIND_DEFERRED :
	    a->j->verdict.code == VERDICT_REFUSE ? BIND_REFUSED : BIND_LEFT,
	    policy_reason_name(a->j->verdict.reason), 0);
	return 1;
}

/* judge_again() chose the driver anew; its name is known only once the module is there, which it is by now. */
static int name_driver(struct act *a)
{
	struct vfio_driver *drv = &a->j->self.facts.driver;

	if (!drv->driver[0]) {
		int r = kmod_load(drv);

		if (r < 0)
			return r;
	}
	return copy_name(a->result->driver, sizeof(a->result->driver), drv->driver);
}

static int write_ahead(struct act *a)
{
	struct subject *s = &a->j->self;
	struct record *rec = &a->rec;
	/* An interrupted act's record knows what was there before nvfio; the function now shows nvfio's own traces. */
	bool resume = s->facts.ours && streq(a->current, s->record.wanted);
	int r;

	a->resumed = resume;
	a->result->step = "record";
	/* Before the bind, whose vfio-dev event may be looked at before this act is over. */
	if (node_access_configured(&s->settings)) {
		r = node_access_begin();
		if (r < 0)
			return r;
	}
	*rec = (struct record){ .state = RECORD_ACTING, .autoprobe_off = s->record.autoprobe_off,
				.was_released = s->facts.released || s->record.was_released };
	r = copy_name(rec->wanted, sizeof(rec->wanted), a->result->driver);
	if (r == 0)
		r = copy_name(rec->override, sizeof(rec->override), resume ? s->record.override : a->current);
	if (r == 0)
		r = copy_name(rec->driver, sizeof(rec->driver),
			      !s->fn.driver[0] && resume ? s->record.driver : s->fn.driver);
	return r < 0 ? r : state_save(&s->fn, rec);
}

/* nvidia's own gate, where it is offered. 0: go on; 1: over; -errno. */
static int lock_unbind(struct act *a)
{
	struct subject *s = &a->j->self;
	int r;

	if (!streq(s->fn.driver, "nvidia"))
		return 0;
	a->result->step = "unbind-lock";
	r = holders_lock_unbind(s->fn.name);
	if (r == -EBUSY) {
		bool request = s->facts.event == EVENT_REQUEST;
		enum reason reason = request ? REASON_BUSY : REASON_HELD;

		end(a->result, request ? BIND_REFUSED : BIND_DEFERRED, policy_reason_name(reason), 0);
		snprintf(a->result->message, sizeof(a->result->message), "%s: %s (nvidia refuses its unbindLock)",
			 bind_state_name(a->result->state), policy_reason_text(reason));
		return 1;
	}
	a->unbind_locked = r > 0;
	return r < 0 ? r : 0;
}

/* The record could not follow what happened; what it says still leads the next event to the same end. */
static void warn_record(const struct act *a, int r)
{
	if (r < 0)
		log_message(LOG_WARNING, a->j->self.fn.name, "could not update its record in /run/nvfio: %s", strerror(-r));
}

/*
 * The act ends before anything was written to the function: its record goes. That of an interrupted act stays, for
 * clean_up() to give back by.
 */
static void drop_record(struct act *a)
{
	if (a->rec.state != RECORD_NONE && !a->resumed)
		warn_record(a, state_settle(&a->j->self.fn, &a->rec));
}

/* From override to attached. 0, or -errno with result.step naming the step. */
static int take(struct act *a)
{
	struct pci_function *fn = &a->j->self.fn;
	const char *wanted = a->result->driver;
	unsigned int tries;
	int r;

	a->result->step = "override";
	if (!streq(a->current, wanted)) {
		r = steps_write_override(fn, wanted);
		if (r < 0)
			return r;
	}
	for (tries = 0; tries < 2; tries++) {
		if (fn->driver[0] && !streq(fn->driver, wanted)) {
			a->result->step = "unbind";
			r = steps_unbind(fn, fn->driver);
			if (r < 0)
				return r;
		}
		a->result->step = "bind";
		r = steps_attach(fn, wanted, a->deadline);
		if (r != -EEXIST)
			return r;
		/* A native driver was quicker than the override; it may be in use by now. */
		a->result->step = "await-probe";
		r = steps_await_probe(fn, a->deadline);
		if (r == 0)
			r = judge_again(a->j);
		if (r < 0)
			return r;
		if (a->j->verdict.code != VERDICT_BIND || lock_unbind(a) != 0)
			return -EBUSY;
	}
	return -EBUSY;
}

static void gone(struct act *a)
{
	end(a->result, BIND_GONE, "gone", ENODEV);
	snprintf(a->result->message, sizeof(a->result->message), "it went away at step %s; nothing is left to do",
		 a->result->step);
}

static void roll_back(struct act *a, int error)
{
	struct pci_function *fn = &a->j->self.fn;
	struct bind_result *res = a->result;
	int r;

	if (a->unbind_locked)
		holders_unlock_unbind(fn->name);
	r = steps_restore(fn, a->rec.override, a->rec.wanted, a->rec.driver);
	if (r == -ENODEV) {
		gone(a);
		return;
	}
	end(a->result, BIND_FAILED, "failed", error);
	if (r < 0) {
		/* The record stays: the next event for this function tries again from it. */
		snprintf(res->message, sizeof(res->message),
			 "failed to bind to %s: %s at step %s; rolling back failed too: %s; `udevadm trigger` tries again",
			 res->driver, strerror(-error), res->step, strerror(-r));
		return;
	}
	warn_record(a, state_settle(fn, &a->rec));
	snprintf(res->message, sizeof(res->message), "failed to bind to %s: %s at step %s; rolled back: driver %s, override %s",
		 res->driver, strerror(-error), res->step, fn->driver[0] ? fn->driver : "none yet",
		 a->rec.override[0] ? a->rec.override : "unset");
}

static void say_bound(struct judgement *j, struct bind_result *res, const char *was, const struct iommu_viability *v)
{
	snprintf(res->message, sizeof(res->message), "bound to %s, was on %s (%s)%s%s%s%s", res->driver,
		 was[0] ? was : "no driver", policy_reason_text(j->verdict.reason), v->viable ? "" : "; IOMMU group ",
		 v->viable ? "" : j->self.fn.group, v->viable ? "" : " is not viable because of ", v->blockers);
}

static void landed(struct act *a)
{
	struct pci_function *fn = &a->j->self.fn;
	const struct setting *siblings = &a->j->self.settings.key[KEY_SIBLINGS];
	struct iommu_viability v = { .viable = true };
	struct bind_result *res = a->result;

	a->rec.state = RECORD_BOUND;
	a->rec.was_released = false;
	end(a->result, BIND_BOUND, "bound", 0);
	/* Without the record `nvfio unbind` knows less, but the function is where it should be. */
	warn_record(a, state_save(fn, &a->rec));
	if (iommu_viability(fn, siblings, &v) < 0)
		v.viable = true; /* nothing can be said, so nothing is */
	say_bound(a->j, res, a->rec.driver, &v);
	/* `nvfio bind` was told which functions, and takes them itself. */
	siblings_follow_up(fn, siblings, a->j->self.facts.event != EVENT_REQUEST);
	if (node_access_configured(&a->j->self.settings))
		node_access_follow_up(fn->group, fn->name, false);
}

static void claimed(struct act *a)
{
	a->rec.state = RECORD_CLAIMED;
	end(a->result, BIND_CLAIMED, "claimed", 0);
	/* The earlier record says "acting", which reads as interrupted and leads the next event to the same end. */
	warn_record(a, state_save(&a->j->self.fn, &a->rec));
	snprintf(a->result->message, sizeof(a->result->message),
		 "claimed for %s: the kernel has not attached drivers to it yet and will find driver_override set",
		 a->result->driver);
}

static void left_alone(struct act *a, int r)
{
	const char *first = a->j->function0.fn.name;

	if (r > 0)
		end(a->result, BIND_LEFT, policy_reason_name(REASON_FUNCTION0), 0);
	else
		end(a->result, BIND_FAILED, "failed", r);
	snprintf(a->result->message, sizeof(a->result->message),
		 "%s: function 0 of its card, %s, turned out to stay%s%s%s", r > 0 ? "left" : "failed", first,
		 r > 0 ? "" : ", and giving this one back failed: ", r > 0 ? "" : strerror(-r),
		 r > 0 ? "" : "; the next event of function 0 tries again");
}

/* Only an event the kernel itself sends can come before its attach; anything later that is not matched has failed. */
static bool attach_may_follow(const struct facts *f)
{
	return f->event == EVENT_HOTPLUG || f->ours;
}

static void sequence(struct act *a)
{
	struct pci_function *fn = &a->j->self.fn;
	struct facts facts = a->j->self.facts;
	int r, alone;

	r = check_sysfs(a);
	if (r == 0)
		r = load_driver(a);
	if (r == 0)
		r = look_again(a);
	if (r == 0)
		r = name_driver(a);
	if (r == 0)
		r = write_ahead(a);
	if (r == 0)
		r = lock_unbind(a);
	if (r > 0) {
		drop_record(a);
		return;
	}
	if (r < 0) {
		/* Nothing was written to the function yet. */
		if (a->unbind_locked)
			holders_unlock_unbind(fn->name);
		drop_record(a);
		if (pci_check(fn) == -ENODEV) {
			gone(a);
			return;
		}
		end(a->result, BIND_FAILED, "failed", r);
		snprintf(a->result->message, sizeof(a->result->message), "failed at step %s: %s; nothing was changed",
			 a->result->step, strerror(-r));
		return;
	}
	r = take(a);
	/* Whatever step stumbled: a function that is where it was to go has landed. */
	if (r < 0 && pci_refresh(fn) == 0 && fn->on_vfio && streq(fn->driver, a->result->driver))
		r = 0;
	if ((r == 0 || r == -EINPROGRESS) && (alone = undo_if_alone(a->j, &a->rec)) != 0)
		left_alone(a, alone);
	else if (r == 0)
		landed(a);
	else if (r == -EINPROGRESS && attach_may_follow(&facts))
		claimed(a);
	else if (pci_check(fn) == -ENODEV)
		gone(a);
	else
		roll_back(a, r == -EINPROGRESS ? -ENODEV : r);
	if (a->result->state == BIND_FAILED && a->j->verdict.code == VERDICT_DEFER) {
		end(a->result, BIND_DEFERRED, policy_reason_name(a->j->verdict.reason), 0);
		snprintf(a->result->message, sizeof(a->result->message), "deferred: %s; it got its native driver meanwhile",
			 policy_reason_text(a->j->verdict.reason));
	}
}

/* Not taken after all: nothing of an earlier, interrupted act stays, nor companions that were faster. */
static void clean_up(struct act *a)
{
	struct judgement *j = a->j;
	int r;

	r = undo_locked(j);
	if (r < 0 && r != -ENODEV)
		log_message(LOG_ERR, j->self.fn.name, "giving back an earlier act failed: %s; the next event tries again",
			    strerror(-r));
	if (r >= 0)
		r = undo_companions(j, true);
	if (r < 0 && r != -ENODEV)
		log_message(LOG_ERR, j->self.fn.name, "taking back its companions failed: %s", strerror(-r));
}

static void act_here(struct act *a)
{
	a->j->locked = true;
	a->deadline = now_ms() + a->j->self.settings.key[KEY_TIMEOUT].ms;
	sequence(a);
	send_record(a->j->self.fn.name, a->j->self.facts.event, a->result);
	/* While somebody else acts on it a write would wait for him: the next event cleans up. */
	if ((a->result->state == BIND_LEFT && !a->j->self.facts.busy) || a->result->state == BIND_DEFERRED ||
	    a->result->state == BIND_REFUSED || a->result->state == BIND_FAILED)
		clean_up(a);
}

void bind_here(struct judgement *j, struct bind_result *ret)
{
	struct act a = { .j = j, .result = ret };

	*ret = (struct bind_result){ .state = BIND_RUNNING };
	act_here(&a);
}

void bind_expect(struct judgement *j, struct bind_result *ret)
{
	*ret = (struct bind_result){ .state = BIND_BOUND, .reason = "bound" };
	snprintf(ret->driver, sizeof(ret->driver), "%s", j->self.facts.driver.driver);
	say_bound(j, ret, j->self.fn.driver, &(struct iommu_viability){ .viable = true });
}

static void act_work(void *arg)
{
	struct act *a = arg;

	child_keep(a->lock);
	act_here(a);
}

void bind_report_child(const char *bdf, enum event_kind event, int r, struct bind_result *res)
{
	bool began = res->step || r == -ECHILD;
	const char *step = res->step ? res->step : "start";

	res->step = step;
	if (r == -ETIMEDOUT || r == -EINTR) {
		end(res, BIND_RUNNING, policy_reason_name(REASON_IN_FLIGHT), r);
		snprintf(res->message, sizeof(res->message),
			 "in flight: %s step %s%s; a process waits on and finishes it", r == -EINTR ?
			 "interrupted at" : "the kernel has not answered", step, r == -EINTR ? "" : " in time");
	} else if (!began) {
		end(res, BIND_FAILED, "failed", r);
		snprintf(res->message, sizeof(res->message),
			 "failed: no process to act could be started: %s; nothing was changed", strerror(-r));
	} else {
		end(res, BIND_FAILED, "failed", r);
		snprintf(res->message, sizeof(res->message),
			 "failed: the acting process ended at step %s (%s); `udevadm trigger` repairs what it left", step,
			 strerror(-r));
	}
	send_record(bdf, event, res);
}

static bind_watch watcher;

void bind_set_watch(bind_watch watch)
{
	watcher = watch;
}

static bool watch_act(void *arg, unsigned int waited_ms)
{
	const struct act *a = arg;

	return watcher(a->j->self.fn.name, a->result->step, waited_ms);
}

int bind_function(struct judgement *j, struct bind_result *ret)
{
	unsigned int timeout_ms = j->self.settings.key[KEY_TIMEOUT].ms;
	_cleanup_close_ int lock = state_lock(j->self.fn.name);
	struct bind_result *shared;
	struct act a;
	int r;

	if (lock < 0)
		return lock;
	shared = child_memory(sizeof(*shared));
	if (!shared)
		return -ENOMEM;
	a = (struct act){ .j = j, .lock = lock, .result = shared };
	r = child_run_watched(act_work, &a, timeout_ms + CHILD_GRACE_MS, watcher ? watch_act : NULL);
	/* The child may still write its own result there: reported is the copy. */
	*ret = *shared;
	if (r < 0)
		bind_report_child(j->self.fn.name, j->self.facts.event, r, ret);
	return 0;
}
