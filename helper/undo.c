// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Undoing by the record. Only what the record says we wrote is touched: a driver_override that reads otherwise by now is
 * somebody else's. A function whose VFIO node is open is never unbound: vfio-pci's remove() waits for the user.
 */
#include "undo.h"

#include "child.h"
#include "siblings.h"
#include "steps.h"

/* For the holder of the function's lock, in a child. 1 if it was given back, 0 if it is somebody else's, -errno. */
static int give_back(struct pci_function *fn, struct record *rec)
{
	char current[DRIVER_NAME_SIZE];
	struct holders holders;
	int r;

	r = steps_read_override(fn, current, sizeof(current));
	if (r < 0)
		return r;
	/* The earlier value is there already where the undoing itself was interrupted; the driver may still be missing. */
	if (!streq(current, rec->wanted) && !streq(current, rec->override)) {
		r = state_settle(fn, rec);
		return r < 0 ? r : 0;
	}
	if (fn->driver[0] && streq(fn->driver, rec->wanted)) {
		r = holders_find(fn, &holders);
		if (r < 0 || holders.found || holders.doubt)
			return r < 0 ? r : -EBUSY;
		r = steps_unbind(fn, rec->wanted);
		if (r < 0)
			return r;
	}
	/* A kill between taking nvidia's gate and the unbind would leave it shut to every user. */
	if (streq(fn->driver, "nvidia"))
		holders_unlock_unbind(fn->name);
	r = steps_restore(fn, rec->override, rec->wanted, rec->driver);
	if (r == 0)
		r = state_settle(fn, rec);
	return r < 0 ? r : 1;
}

int undo_locked(struct judgement *j)
{
	struct subject *s = &j->self;
	int r;

	/* What was known before the lock was ours may have been overtaken by whoever had it. */
	r = pci_refresh(&s->fn);
	if (r < 0 || s->fn.on_vfio)
		return r;
	r = state_load(&s->fn, &s->record);
	if (r < 0 || !state_is_act(&s->record)) {
		s->facts.ours = NULL;
		return r == -ENOENT ? 0 : r;
	}
	r = give_back(&s->fn, &s->record);
	if (r >= 0)
		s->facts.ours = NULL;
	return r;
}

struct undo {
	struct judgement *j;
	int result;
	struct record record; /* as it is afterwards, for the parent */
};

static void undo_work(void *arg)
{
	struct undo *u = arg;

	u->result = undo_locked(u->j);
	u->record = u->j->self.record;
}

int undo_interrupted(struct judgement *j)
{
	struct subject *s = &j->self;
	_cleanup_close_ int lock = -1;
	struct undo *u;
	int r;

	if (!s->facts.ours || s->fn.on_vfio || s->facts.in_flight || s->facts.busy)
		return 0;
	if (j->locked)
		return undo_locked(j);
	lock = state_lock(s->fn.name);
	if (lock < 0)
		return lock == -EBUSY ? 0 : lock;
	u = child_memory(sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->j = j;
	r = child_run(undo_work, u, s->settings.key[KEY_TIMEOUT].ms);
	if (r < 0)
		return r;
	s->record = u->record;
	return u->result;
}

int undo_if_alone(struct judgement *j, struct record *record)
{
	struct record first;

	if (j->self.facts.role != ROLE_COMPANION || j->function0.fn.dirfd < 0 ||
	    state_load(&j->function0.fn, &first) < 0 || !first.companions_stay)
		return 0;
	return give_back(&j->self.fn, record);
}

/* Waits for whoever acts on the companion: one that looked for the mark before it was set is still holding its lock. */
static void take_back_work(void *arg)
{
	struct pci_function *fn = arg;
	_cleanup_close_ int lock = state_lock_wait(fn->name);
	struct record rec;

	if (lock < 0 || pci_refresh(fn) < 0 || state_load(fn, &rec) < 0 || !state_is_act(&rec))
		return;
	/* What cannot be given back now (a user, a fault) is tried again at function 0's next event. */
	(void)give_back(fn, &rec);
}

static int mark(struct judgement *j, bool left)
{
	struct subject *s = &j->self;
	/* Not kept over what follows: that may block, and function 0 would be in flight with it. */
	_cleanup_close_ int lock = j->locked ? -1 : state_lock(s->fn.name);

	if (!j->locked && lock < 0)
		return lock;
	s->record.companions_stay = s->facts.stays = left;
	return state_save_flags(&s->fn, &s->record);
}

int undo_companions(struct judgement *j, bool left)
{
	struct subject *s = &j->self;
	/* A child does not wait for its own children: its parent waits for it. */
	unsigned int wait_ms = j->locked ? 0 : s->settings.key[KEY_TIMEOUT].ms;
	_cleanup_pci_ struct pci_function other = { .dirfd = -1 };
	struct bdf bdf = s->fn.bdf;
	bool marked = false;
	int r = 0, failed;

	if (bdf.function != 0 || s->facts.role != ROLE_GPU)
		return 0;
	if (!left)
		return s->facts.stays ? mark(j, false) : 0;
	while (r >= 0 && siblings_next_companion(&s->fn, &bdf, &other)) {
		/* Before the first is looked at, and only where there is one. */
		r = marked ? 0 : mark(j, true);
		if (r < 0)
			break;
		marked = true;
		failed = child_run(take_back_work, &other, wait_ms);
		if (failed < 0 && failed != -ETIMEDOUT)
			r = failed;
		pci_close(&other);
	}
	return r == -EBUSY ? 0 : r;
}
