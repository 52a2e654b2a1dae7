/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /run/nvfio: what was there before nvfio changed it, and who is changing it right now.
 *
 * /run/nvfio/<BDF> is the record, written before the first write to the device and removed when nothing of it is left to
 * undo. /run/nvfio/<BDF>.lock is locked for as long as somebody acts on the function, and by nobody else: a lock
 * held means in flight, also when the process that waited for it is gone. It is an open-file-description lock
 * (fcntl(2), F_OFD_SETLK), which unlike flock(2) can be looked at (F_OFD_GETLK) without taking it: a companion that
 * looks at function 0 must not make function 0's own attempt fail.
 */
#ifndef NVFIO_STATE_H
#define NVFIO_STATE_H

#include "pci.h"

enum record_state {
	RECORD_NONE,
	RECORD_ACTING,    /* begun; found without the lock held: interrupted */
	RECORD_CLAIMED,   /* override in place, the kernel attaches when it gets there */
	RECORD_BOUND,     /* on VFIO by us */
	RECORD_RELEASED,  /* given back by `nvfio unbind`: no event takes it again; with wanted: that is not over */
	RECORD_LEFT,      /* not taken, but there is something to know about it: one of the flags below */
	RECORD_STATE_COUNT
};

struct record {
	enum record_state state;
	ino_t ino;                          /* with the ids: which device this is about */
	uint16_t vendor, device;
	char wanted[DRIVER_NAME_SIZE];      /* what we wrote, or were about to write, into driver_override */
	char driver[DRIVER_NAME_SIZE];      /* bound before, empty for none */
	char override[DRIVER_NAME_SIZE];    /* driver_override before, empty for unset */
	bool autoprobe_off;                 /* its sriov_drivers_autoprobe was 1 before we switched it off */
	bool companions_stay;               /* function 0 is left for what its companions cannot see: they are to stay too */
	bool was_released;                  /* RECORD_RELEASED before this act: what it is again if the act is undone */
};

/*
 * Reads the record about exactly this function. 0; -ENOENT: there is none, or it is about another device that sat at the
 * address before; -EBADMSG: not a record we wrote (garbage, a link, a FIFO), which says nothing; -EPROTO: a newer
 * helper's, in a state this one does not know, so that the function is not to be touched; -errno.
 * Two versions may share the directory: keys that are not known are ignored, keys that are missing are empty or off.
 */
int state_load(const struct pci_function *f, struct record *ret) _must_check_;

/* Whether the record is about something that was written to the function and is not undone. */
bool state_is_act(const struct record *record);

/* Writes it, replacing what was there in one rename. 0 or -errno; -EPERM if /run/nvfio is not root's alone. */
int state_save(const struct pci_function *f, const struct record *record) _must_check_;

/*
 * Saves a record whose flags were changed, whatever its state; one of no state (RECORD_NONE, as of a function that was
 * given back) becomes RECORD_LEFT, or goes if no flag is set. 0 or -errno.
 */
int state_save_flags(const struct pci_function *f, struct record *record) _must_check_;

/* The act the record is about is undone: nothing of it stays but the flags, and that it was released. 0 or -errno. */
int state_settle(const struct pci_function *f, struct record *record) _must_check_;

/*
 * Writes /run/nvfio/<BDF>.properties, which 70-nvfio.rules imports in an event of a VF that its PF's event took: the lines
 * that `nvfio-udev event` prints. For the holder of the function's lock. 0, or -errno with none there: an earlier one's do not
 * hold any more.
 */
int state_save_properties(const char *bdf, const char *text, size_t len) _must_check_;

/* Removes the record. 0, also if there was none, or -errno. */
int state_remove(const char *bdf);

/* Takes the function's lock. A descriptor to close; -EBUSY: in flight; -EBADMSG: no file of ours; -errno. */
int state_lock(const char *bdf) _must_check_;

/* The same, but waits for it; for a child only. */
int state_lock_wait(const char *bdf) _must_check_;

/* Gives it back now, for all who have the descriptor. */
void state_unlock(int lock);

/* Whether it is held. 1, 0 or -errno. Takes and creates nothing. */
int state_is_locked(const char *bdf) _must_check_;

/* Removes record, properties and lock file of a function that is gone; somebody still acting on it keeps the lock file. 0 or -errno. */
int state_forget(const char *bdf) _must_check_;

/* Makes an empty file of that name ([A-Za-z0-9-], no BDF) that lasts until the next boot. 0, also if it is there, or -errno. */
int state_mark(const char *name) _must_check_;

/* Reads the beginning of such a file, NUL-terminated. Its length or -errno; -EBADMSG: no file of ours. */
ssize_t state_read_file(const char *name, char *buf, size_t size) _must_check_;

/*
 * Adds a line by one write; one that does not fit into max bytes removes the file, and the next begins it anew. 0;
 * -ENOSPC: removed; -EBADMSG: no file of ours; -errno.
 */
int state_append_line(const char *name, const char *line, size_t len, size_t max);

/*
 * True the first time it is called for this token since boot (the token is made part of a file name: [A-Za-z0-9.-]),
 * and whenever that cannot be found out: better said twice than never.
 */
bool state_first_time(const char *token);

#endif
