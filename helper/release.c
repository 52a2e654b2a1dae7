// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Releasing: look, write ahead, unbind from the VFIO driver, override and driver of before, tell udev. Undoing that an
 * event begins is undo.c's; here an administrator asked, so it ends on record as released, also where there was nothing
 * to undo.
 */
#include "release.h"

#include <stdarg.h>
#include "child.h"
#include "log.h"
#include "steps.h"
#include "sysfs.h"
#include "uevent.h"

/* One release. Lives in memory shared by parent and child. */
struct work {
	struct judgement *j;
	const char *to;
	bind_watch watch;
	int lock;
	struct record before, rec;
	struct release_result result;
};

const char *release_state_name(enum release_state state)
{
	static const char *const name[RELEASE_STATE_COUNT] = {
		[RELEASE_RUNNING] = "claimed", [RELEASE_DONE] = "left",	    [RELEASE_THERE] = "left",
		[RELEASE_REFUSED] = "refused", [RELEASE_FAILED] = "failed", [RELEASE_GONE] = "gone",
	};

	return name[state];
}

_printf_(5, 6) static int end(struct release_result *res, enum release_state state, const char *reason, int error,
			      const char *format, ...)
{
	va_list args;

	res->state = state;
	res->reason = reason;
	res->error = error < 0 ? -error : error;
	va_start(args, format);
	vsnprintf(res->message, sizeof(res->message), format, args);
	va_end(args);
	return 1;
}

static int gone(struct release_result *res)
{
	return end(res, RELEASE_GONE, "gone", ENODEV, "it went away at step %s; nothing is left to do", res->step);
}

static bool is_on_vfio(const struct pci_function *fn)
{
	/* On a vGPU's VF nvidia is the native driver, whatever it registers. */
	return fn->on_vfio && !streq(fn->driver, "nvidia");
}

/* VFIO's own users: remove() of its driver waits for them, and cannot be interrupted. */
static int check_users(const struct pci_function *fn, struct release_result *res)
{
	struct holders holders;
	int r;

	res->step = "look-for-users";
	r = holders_find(fn, &holders);
	if (r < 0)
		return r;
	if (!holders.found && !holders.doubt)
		return 0;
	return end(res, RELEASE_REFUSED, policy_reason_name(REASON_BUSY), 0, "refused: %s: %s", holders.found ?
		   "its VFIO node is in use" : "whether its VFIO node is in use cannot be seen", holders.text);
}

/* On VFIO, but is it nvfio's to take off? 0: yes; 1: over. */
static int check_owner(const struct judgement *j, const char *to, struct release_result *res)
{
	const struct subject *s = &j->self;

	if (s->facts.driverctl)
		return end(res, RELEASE_REFUSED, policy_reason_name(REASON_DRIVERCTL), 0, "refused: %s",
			   policy_reason_text(REASON_DRIVERCTL));
	if (to || state_is_act(&s->record))
		return 0;
	return end(res, RELEASE_REFUSED, "not-ours", 0, "refused: it is on %s, but not by nvfio, which does not know what was "
		   "there before; --to DRIVER tells where it shall go", s->fn.driver);
}

/* Off VFIO as it is. 0: but there is something to undo or to attach; 1: over. */
static int check_native(const struct judgement *j, const char *to, struct release_result *res)
{
	const struct pci_function *fn = &j->self.fn;

	if (to && fn->driver[0] && !streq(fn->driver, to))
		return end(res, RELEASE_REFUSED, "not-on-vfio", 0, "refused: it is on %s, not on VFIO, and nvfio puts no "
			   "native driver in another's place", fn->driver);
	if (state_is_act(&j->self.record) || (to && !fn->driver[0]))
		return 0;
	return end(res, RELEASE_THERE, "already", 0, "left: it is not on VFIO already (driver %s)",
		   fn->driver[0] ? fn->driver : "none");
}

int release_check(struct judgement *j, const char *to, struct release_result *res)
{
	const struct pci_function *fn = &j->self.fn;
	int r;

	*res = (struct release_result){ .state = RELEASE_RUNNING, .step = "look" };
	snprintf(res->driver, sizeof(res->driver), "%s", fn->driver);
	if (!is_on_vfio(fn))
		return check_native(j, to, res);
	if (to && streq(fn->driver, to))
		return end(res, RELEASE_REFUSED, "not-native", 0, "refused: %s is the VFIO driver that it is on", to);
	r = check_owner(j, to, res);
	return r != 0 ? r : check_users(fn, res);
}

/* What is known is from before the lock was ours. */
static int look_again(struct work *w)
{
	struct subject *s = &w->j->self;
	int r;

	w->result.step = "look-again";
	r = sysfs_may_write(s->fn.dirfd, "driver_override");
	if (r < 0 && r != -ENOENT)
		return r;
	r = pci_refresh(&s->fn);
	if (r < 0)
		return r;
	s->record = (struct record){ .state = RECORD_NONE };
	r = state_load(&s->fn, &s->record);
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return r;
	w->before = s->record;
	return release_check(w->j, w->to, &w->result);
}

/* An override that is neither ours nor that of before is somebody else's, and so is the function. 0; 1: over; -errno. */
static int check_override(struct work *w)
{
	const struct pci_function *fn = &w->j->self.fn;
	char current[DRIVER_NAME_SIZE];
	int r;

	w->result.step = "read-override";
	r = steps_read_override(fn, current, sizeof(current));
	if (r < 0)
		return r;
	if (!current[0] || streq(current, w->rec.wanted) || streq(current, w->rec.override))
		return 0;
	return end(&w->result, RELEASE_REFUSED, policy_reason_name(REASON_OVERRIDE), 0, "refused: %s (%s)",
		   policy_reason_text(REASON_OVERRIDE), current);
}

/* The record that says: released, but not yet over. What stood before nvfio is kept from the earlier one. */
static int make_record(struct work *w)
{
	const struct subject *s = &w->j->self;
	bool act = state_is_act(&w->before);

	w->rec = w->before;
	w->rec.state = RECORD_RELEASED;
	w->rec.was_released = false;
	if (!act && copy_name(w->rec.wanted, sizeof(w->rec.wanted), s->fn.driver) < 0)
		return -ENAMETOOLONG;
	/* Somebody had asked for that driver by override before nvfio came: with it in place the function would go back. */
	if (streq(w->rec.override, w->rec.wanted))
		w->rec.override[0] = '\0';
	return w->to ? copy_name(w->rec.driver, sizeof(w->rec.driver), w->to) : 0;
}

/* From VFIO to the driver of before. 0, or -errno with result.step naming the step. */
static int give_back(struct work *w)
{
	struct pci_function *fn = &w->j->self.fn;
	int r;

	if (is_on_vfio(fn)) {
		w->result.step = "unbind";
		r = steps_unbind(fn, fn->driver);
		if (r < 0)
			return r;
	}
	w->result.step = "give-back";
	/* A kill between taking nvidia's gate and the unbind would leave it shut to every user. */
	if (streq(fn->driver, "nvidia"))
		holders_unlock_unbind(fn->name);
	/* By name: of two that match it drivers_probe takes the one that was loaded first. */
	if (w->rec.driver[0] && !fn->driver[0]) {
		r = steps_give_to(fn, w->rec.override, w->rec.driver);
		if (r == 0 || (w->to && (pci_check(fn) < 0 || fn->driver[0])))
			return r;
		w->result.error = r;
	}
	r = steps_restore(fn, w->rec.override, w->rec.wanted, w->to ? "" : w->rec.driver);
	return r < 0 || !w->to ? r : w->result.error;
}

/* Off VFIO with nobody on it: udev is asked to load what would drive it, as at boot. */
static void tell_udev(const struct pci_function *fn)
{
	int r = fn->driver[0] ? uevent_follow_up(fn->dirfd) : uevent_replay_add(fn->dirfd);

	if (r < 0 && r != -ENODEV && r != -ENOENT)
		log_message(LOG_WARNING, fn->name, "could not tell udev: %s; `udevadm trigger` does", strerror(-r));
}

static void done(struct work *w)
{
	const struct pci_function *fn = &w->j->self.fn;
	char override[DRIVER_NAME_SIZE];
	int r;

	memcpy(override, w->rec.override, sizeof(override));
	r = state_settle(fn, &w->rec);
	if (r < 0) {
		end(&w->result, RELEASE_FAILED, "failed", r, "failed: it is off VFIO, but that it was released could not be "
		    "recorded in /run/nvfio: %s", strerror(-r));
		return;
	}
	end(&w->result, RELEASE_DONE, policy_reason_name(REASON_RELEASED), 0,
	    "released: driver %s, override %s; no event takes it until it is re-plugged or `nvfio bind` asks for it%s",
	    fn->driver[0] ? fn->driver : "none", override[0] ? override : "unset",
	    fn->driver[0] ? "" : "; udev was asked to load a driver for it");
}

static void failed(struct work *w, int error)
{
	struct pci_function *fn = &w->j->self.fn;
	const char *step = w->result.step;
	int r = 0;

	if (pci_check(fn) == -ENODEV) {
		gone(&w->result);
		return;
	}
	if (pci_refresh(fn) == 0 && is_on_vfio(fn)) {
		/* Still there, as if nobody had asked. */
		r = w->before.state == RECORD_NONE ? state_remove(fn->name) : state_save(fn, &w->before);
		end(&w->result, RELEASE_FAILED, "failed", error, "failed at step %s: %s; it is on %s as before%s%s", step,
		    strerror(-error), fn->driver, r < 0 ? ", and its record could not be put back: " : "",
		    r < 0 ? strerror(-r) : "");
		return;
	}
	if (fn->driver[0])
		r = state_settle(fn, &w->rec);
	end(&w->result, RELEASE_FAILED, "failed", error, "failed at step %s: %s%s%s; it is off VFIO (driver %s)%s", step,
	    w->to ? w->to : "", w->to ? " does not take it: " : "", strerror(-error), fn->driver[0] ? fn->driver : "none",
	    fn->driver[0] && r == 0 ? "" : "; `udevadm trigger` or `nvfio unbind` tries again");
}

/* The mark alone: there is nothing to undo, but no event is to take it either. */
static void mark(struct work *w)
{
	struct record rec = w->before;
	int r = 0;

	if (rec.state != RECORD_RELEASED) {
		rec.state = RECORD_RELEASED;
		r = state_settle(&w->j->self.fn, &rec);
	}
	if (r < 0)
		end(&w->result, RELEASE_FAILED, "failed", r, "failed: it is not on VFIO, but that it was released could not be "
		    "recorded in /run/nvfio: %s", strerror(-r));
}

static void sequence(struct work *w)
{
	struct pci_function *fn = &w->j->self.fn;
	int r = look_again(w);

	if (r > 0 && w->result.state == RELEASE_THERE)
		mark(w);
	if (r == 0)
		r = make_record(w);
	if (r == 0)
		r = check_override(w);
	if (r == 0) {
		w->result.step = "record";
		r = state_save(fn, &w->rec);
	}
	if (r > 0)
		return;
	if (r < 0 && pci_check(fn) == -ENODEV) {
		gone(&w->result);
		return;
	}
	if (r < 0) {
		end(&w->result, RELEASE_FAILED, "failed", r, "failed at step %s: %s; nothing was changed", w->result.step,
		    strerror(-r));
		return;
	}
	r = give_back(w);
	if (r < 0)
		failed(w, r);
	else
		done(w);
	snprintf(w->result.driver, sizeof(w->result.driver), "%s", fn->driver);
}

static void send_record(const struct work *w)
{
	const struct release_result *res = &w->result;

	log_send(&(struct log_record){
		.priority = res->state == RELEASE_FAILED ? LOG_ERR : res->state == RELEASE_REFUSED ? LOG_WARNING : LOG_NOTICE,
		.bdf = w->j->self.fn.name,
		.event = policy_event_name(EVENT_REQUEST),
		.state = release_state_name(res->state),
		.reason = res->reason,
		.driver = res->driver,
		.step = res->step,
		.error = res->error,
		.message = res->message,
	});
}

static void release_work(void *arg)
{
	struct work *w = arg;
	enum release_state state;

	child_keep(w->lock);
	sequence(w);
	send_record(w);
	state = w->result.state;
	/* Only now: udev's helper would find it in flight. */
	state_unlock(w->lock);
	if (state == RELEASE_DONE || state == RELEASE_THERE || (state == RELEASE_FAILED && !is_on_vfio(&w->j->self.fn)))
		tell_udev(&w->j->self.fn);
}

static bool watch_work(void *arg, unsigned int waited_ms)
{
	const struct work *w = arg;

	return w->watch(w->j->self.fn.name, w->result.step, waited_ms);
}

/* The parent's word on a child that has none (yet). */
static void report_child(struct release_result *res, int r)
{
	const char *step = res->step ? res->step : "start";

	if (r == -ETIMEDOUT || r == -EINTR)
		end(res, RELEASE_RUNNING, policy_reason_name(REASON_IN_FLIGHT), r, "in flight: %s step %s%s; a process waits "
		    "on and finishes it", r == -EINTR ? "interrupted at" : "the kernel has not answered", step,
		    r == -EINTR ? "" : " in time");
	else
		end(res, RELEASE_FAILED, "failed", r, "failed: the acting process ended at step %s (%s); `nvfio unbind` "
		    "repairs what it left", step, strerror(-r));
}

int release_function(struct judgement *j, const char *to, bind_watch watch, struct release_result *ret)
{
	unsigned int timeout_ms = j->self.settings.key[KEY_TIMEOUT].ms;
	_cleanup_close_ int lock = state_lock(j->self.fn.name);
	struct work *w;
	int r;

	if (lock < 0)
		return lock;
	w = child_memory(sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->j = j;
	w->to = to;
	w->watch = watch;
	w->lock = lock;
	r = child_run_watched(release_work, w, timeout_ms + CHILD_GRACE_MS, watch ? watch_work : NULL);
	/* The child may still write its own result there. */
	*ret = w->result;
	if (r < 0)
		report_child(ret, r);
	return 0;
}

int release_forget(struct judgement *j)
{
	struct subject *s = &j->self;
	_cleanup_close_ int lock = -1;
	int r;

	if (!s->facts.released)
		return 0;
	lock = state_lock(s->fn.name);
	if (lock < 0)
		return lock;
	r = state_load(&s->fn, &s->record);
	if (r < 0)
		return r == -ENOENT || r == -EBADMSG ? 0 : r;
	if (s->record.state != RECORD_RELEASED)
		return 0;
	/* Not over: nvfio took it, and it never came off. */
	if (state_is_act(&s->record)) {
		s->record.state = RECORD_BOUND;
		r = state_save(&s->fn, &s->record);
	} else {
		s->record.state = RECORD_NONE;
		r = state_save_flags(&s->fn, &s->record);
	}
	return r < 0 ? r : 1;
}
