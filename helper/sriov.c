// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One attribute of a PF, and the record that tells our "off" from an administrator's.
 */
#include "sriov.h"

#include "sysfs.h"

#define ATTR "sriov_drivers_autoprobe"

static int switch_off(struct subject *s)
{
	int r;

	/* Write ahead: an "off" without a record would be taken for an administrator's, and stay for ever. */
	s->record.autoprobe_off = true;
	r = state_save_left(&s->fn, &s->record);
	if (r == 0)
		r = sysfs_write(s->fn.dirfd, ATTR, "0");
	return r < 0 ? r : 1;
}

static int switch_on(struct subject *s)
{
	int r = sysfs_write(s->fn.dirfd, ATTR, "1");

	s->record.autoprobe_off = false;
	if (r == 0)
		r = state_save_left(&s->fn, &s->record);
	return r < 0 ? r : 1;
}

int sriov_settle_autoprobe(struct judgement *j)
{
	struct subject *s = &j->self;
	bool by_us = s->has_record && s->record.autoprobe_off;
	_cleanup_close_ int lock = -1;
	enum autoprobe wish = policy_vf_autoprobe(&s->facts, &j->verdict);
	char value[8];
	int r;

	if (wish == AUTOPROBE_VGPU_UNKNOWN) {
		r = judge_gather(&s->facts, NEED_VGPU);
		if (r < 0)
			return r;
		wish = policy_vf_autoprobe(&s->facts, &j->verdict);
	}
	if (wish == AUTOPROBE_KEEP || (wish == AUTOPROBE_ON && !by_us))
		return 0;
	lock = state_lock(s->fn.name);
	if (lock < 0)
		return lock == -EBUSY ? 0 : lock;
	r = sysfs_read(s->fn.dirfd, ATTR, value, sizeof(value));
	if (r < 0)
		return r;
	if (wish == AUTOPROBE_OFF)
		return streq(value, "0") ? 0 : switch_off(s);
	return switch_on(s);
}
