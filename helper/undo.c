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
