// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One attribute of a PF, and the record that tells our "off" from an administrator's.
 */
#include "sriov.h"

#include "kmod.h"
#include "sysfs.h"

#define ATTR "sriov_drivers_autoprobe"

static int switch_off(struct subject *s)
{
	struct vfio_driver driver;
	int r;

	/* They most likely are of its model: what libkmod says of that is noted by the time they come, all at once. */
	if (s->facts.driver_status == DRIVER_UNKNOWN)
		(void)!kmod_choose(s->fn.modalias, "", &driver);

	/* Write ahead: an "off" without a record would be taken for an administrator's, and stay for ever. */
	s->record.autoprobe_off = true;
	r = state_save_flags(&s->fn, &s->record);
	if (r == 0)
		r = sysfs_write(s->fn.dirfd, ATTR, "0");
	return r < 0 ? r : 1;
}

static int switch_on(struct subject *s)
{
	int r = sysfs_write(s->fn.dirfd, ATTR, "1");

	s->record.autoprobe_off = false;
	if (r == 0)
		r = state_save_flags(&s->fn, &s->record);
	return r < 0 ? r : 1;
}

int sriov_settle_autoprobe(struct judgement *j)
{
	struct subject *s = &j->self;
	bool by_us = s->has_record && s->record.autoprobe_off;
	_cleanup_close_ int lock = -1;
	enum need need = NEED_NONE;
	enum autoprobe wish;
	char value[8];
	int r;

	while ((wish = policy_vf_autoprobe(&s->facts, &j->verdict, &need)) == AUTOPROBE_NEED) {
		r = judge_gather(&s->facts, need);
		if (r < 0)
			return r;
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
