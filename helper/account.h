/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Users and groups: the host's as nsswitch.conf(5) has them, under --sysroot those of the tree's passwd(5) and group(5).
 */
#ifndef NVFIO_ACCOUNT_H
#define NVFIO_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>
#include "util.h"

#define ACCOUNT_GROUPS_MAX 256

struct account {
	char name[64];
	uid_t uid;
	gid_t groups[ACCOUNT_GROUPS_MAX]; /* the primary one is the first */
	unsigned int n_groups;
};

/* 0, or -ENOENT if there is no such user; -errno. */
int account_find(const char *name, struct account *ret) _must_check_;

/* The id of a group. 0, -ENOENT, -errno. */
int account_group(const char *name, gid_t *ret) _must_check_;

/* The name of a group, or its number where it has none. */
const char *account_group_name(gid_t gid, char *buf, size_t size);

bool account_is_member(const struct account *account, gid_t gid);

#endif
