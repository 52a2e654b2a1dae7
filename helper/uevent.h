/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's uevents: waiting for one, and asking for one. Never udev's own events: a program started by udev that
 * waits for udev waits for itself.
 */
#ifndef NVFIO_UEVENT_H
#define NVFIO_UEVENT_H

#include <stddef.h>
#include "util.h"

/* A socket on the kernel's uevent multicast group (not udev's). Descriptor or -errno. */
int uevent_listen(void) _must_check_;

enum uevent_seen {
	UEVENT_NONE = 0,   /* the time is over */
	UEVENT_BIND = 1,   /* a driver was bound to it */
	UEVENT_REMOVE = 2, /* it is gone */
};

/*
 * Waits up to timeout_ms for a `bind` or `remove` uevent of the PCI function with this BDF. An enum uevent_seen or -errno.
 * A receive buffer overrun (ENOBUFS) returns UEVENT_BIND: the caller looks for itself anyway.
 */
int uevent_wait(int fd, const char *bdf, int timeout_ms) _must_check_;

/* Waits up to timeout_ms for any uevent, and takes one. 0, also when time is over or events were lost; -errno. */
int uevent_wait_any(int fd, int timeout_ms) _must_check_;

/*
 * Parses one message of the kernel's multicast group. An enum uevent_seen for that BDF; UEVENT_NONE for anything else,
 * synthetic events (SYNTH_UUID) included. Pure.
 */
enum uevent_seen uevent_parse(const char *msg, size_t len, const char *bdf);

/*
 * Asks for a follow-up event: "change <random UUID> NVFIO=1" into the uevent attribute below dirfd, which udev sees as
 * SYNTH_ARG_NVFIO=1 (Documentation/ABI/testing/sysfs-uevent: keys and values are alphanumeric). 0 or -errno.
 */
int uevent_follow_up(int dirfd) _must_check_;

/*
 * The same with "add" and NVFIO=<what>, for a VF's event: "told", to import what was written for it (state_save_properties), or
 * "come", to be judged if it still waits. By `add` udev also loads the native driver's module of one that is left.
 */
int uevent_tell(int dirfd, const char *what) _must_check_;

/* Asks for a replayed "add", as at boot: udev then loads the native driver's module of a function that is left. 0 or -errno. */
int uevent_replay_add(int dirfd) _must_check_;

#endif
