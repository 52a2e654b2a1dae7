// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Undoing by the record. Only what the record says we wrote is touched: a driver_override that reads otherwise by now is
 * somebody else's.
 */
#include "undo.h"

#include "child.h"
#include "steps.h"

struct undo {
	struct subject *s;
	int result;
};

static void undo_work(void *arg)
{
	struct undo *u = arg;
	struct subject *s = u->s;
	char current[DRIVER_NAME_SIZE];
	int r;

	r = steps_read_override(&s->fn, current, sizeof(current));
	/* As it was already: the undoing itself was interrupted, and the driver may be missing still. */
	if (r == 0 && (streq(current, s->record.wanted) || streq(current, s->record.override)))
		r = steps_restore(&s->fn, s->record.override, s->record.wanted, s->record.driver);
	if (r == 0)
		r = state_remove(s->fn.name);
	u->result = r < 0 ? r : 1;
}

int undo_interrupted(struct judgement *j)
{
	struct subject *s = &j->self;
	_cleanup_close_ int lock = -1;
	struct undo *u;
	int r;

	if (!s->facts.ours || s->fn.on_vfio || s->facts.in_flight)
		return 0;
	lock = state_lock(s->fn.name);
	if (lock < 0)
		return lock == -EBUSY ? 0 : lock;
	u = child_memory(sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->s = s;
	r = child_run(undo_work, u, s->settings.key[KEY_TIMEOUT].ms);
	return r < 0 ? r : u->result;
}

/* Nobody can have opened the group meanwhile: the kernel refuses it as long as function 0 is on its native driver. */
static int give_back(struct pci_function *fn, const struct record *rec)
{
	int r = 0;

	if (streq(fn->driver, rec->wanted))
		r = steps_unbind(fn, rec->wanted);
	if (r == 0)
		r = steps_restore(fn, rec->override, rec->wanted, rec->driver);
	return r < 0 ? r : state_remove(fn->name);
}

int undo_if_alone(struct judgement *j, const struct record *record)
{
	struct record first;
	int r;

	if (j->self.facts.role != ROLE_COMPANION || j->function0.fn.dirfd < 0 ||
	    state_load(&j->function0.fn, &first) < 0 || !first.companions_stay)
		return 0;
	r = give_back(&j->self.fn, record);
	return r < 0 ? r : 1;
}

struct give_back {
	struct pci_function *fn;
	struct record *record;
	int result;
};

static void give_back_work(void *arg)
{
	struct give_back *g = arg;

	g->result = give_back(g->fn, g->record);
}

/* 1 if it was taken back, 0 if there was nothing of ours (or its own child will see to it), -errno. */
static int take_back(struct pci_function *fn, unsigned int timeout_ms)
{
	_cleanup_close_ int lock = -1;
	struct give_back *g;
	struct record rec;
	int r;

	lock = state_lock(fn->name);
	if (lock < 0)
		return lock == -EBUSY ? 0 : lock;
	if (state_load(fn, &rec) < 0 || (rec.state != RECORD_BOUND && rec.state != RECORD_CLAIMED))
		return 0;
	g = child_memory(sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->fn = fn;
	g->record = &rec;
	r = child_run(give_back_work, g, timeout_ms);
	if (r == 0)
		r = g->result;
	return r < 0 ? r : 1;
}

int undo_companions(struct judgement *j, bool left)
{
	struct subject *s = &j->self;
	_cleanup_close_ int lock = -1;
	struct bdf bdf = s->fn.bdf;
	int r, count = 0;

	if (bdf.function != 0 || s->facts.role != ROLE_GPU || left == s->facts.stays)
		return 0;
	lock = state_lock(s->fn.name);
	if (lock < 0)
		return lock == -EBUSY ? 0 : lock;
	s->record.companions_stay = s->facts.stays = left;
	r = state_save_left(&s->fn, &s->record);
	if (!left)
		return r;
	for (bdf.function = 1; r >= 0 && bdf.function < 8; bdf.function++) {
		_cleanup_pci_ struct pci_function other = { .dirfd = -1 };
		char name[BDF_SIZE];
		const char *attr;

		pci_format_bdf(&bdf, name);
		if (pci_open(name, &other, &attr) < 0 || policy_role(&other, &s->fn) != ROLE_COMPANION)
			continue;
		r = take_back(&other, s->settings.key[KEY_TIMEOUT].ms);
		count += r > 0;
	}
	return r < 0 ? r : count;
}
