// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * capabilities(7) by the bare system calls: libcap would be one more library in the initramfs for two of them. The
 * bounding set first, as that needs CAP_SETPCAP, which goes with the others.
 */
#include "privilege.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define CAP_BIT(cap) ((uint64_t)1 << (cap))

struct capabilities {
	uint64_t effective, permitted, inheritable;
};

static uint64_t wanted(enum privilege keep)
{
	uint64_t set = 0;

	if (keep >= PRIVILEGE_LOOK)
		set |= CAP_BIT(CAP_SYS_PTRACE) | CAP_BIT(CAP_DAC_READ_SEARCH) | CAP_BIT(CAP_CHECKPOINT_RESTORE);
	if (keep >= PRIVILEGE_ACT)
		set |= CAP_BIT(CAP_SYS_MODULE);
	return set;
}

/* Version 3 has two words of 32 for each set. */
static int get(struct capabilities *ret)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	ret->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	ret->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	ret->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

/* What is inheritable is nothing: no program is started. That empties the ambient set, too. */
static int set(uint64_t permitted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	uint32_t low = (uint32_t)permitted, high = (uint32_t)(permitted >> 32);
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = low, .permitted = low }, { .effective = high, .permitted = high },
	};

	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int reduce_bounding(uint64_t keep)
{
	/* One that is not there is dropped as well. Behind the kernel's last one it says EINVAL, whatever the headers knew. */
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (!(keep & CAP_BIT(cap)) && prctl(PR_CAPBSET_DROP, cap, 0UL, 0UL, 0UL) < 0)
			return errno == EINVAL ? 0 : -errno;
	}
	return 0;
}

/* Keeps the first error, and goes on. */
static void keep_first(int *ret, int r)
{
	if (*ret == 0)
		*ret = r;
}

int privilege_reduce(enum privilege keep)
{
	struct capabilities now = { 0 };
	int ret = 0, r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0)
		ret = -errno;
	r = get(&now);
	if (r < 0)
		return r;
	if (now.effective & CAP_BIT(CAP_SETPCAP))
		keep_first(&ret, reduce_bounding(wanted(keep)));
	keep_first(&ret, set(now.permitted & wanted(keep)));
	return ret;
}
