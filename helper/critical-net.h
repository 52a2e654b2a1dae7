/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a network interface is in use. For critical.c alone.
 */
#ifndef NVFIO_CRITICAL_NET_H
#define NVFIO_CRITICAL_NET_H

#include "util.h"

/*
 * The interface `name` in the `net` directory dirfd: up, with an address (an IPv6 link-local one counts), below another
 * interface, or with a route. 1 with the use in why ("up with an
 * address"), 0, or -errno. May wait for the kernel's routing lock (rtnl).
 */
int critical_net_use(int dirfd, const char *name, char *why, size_t size) _must_check_;

#endif
