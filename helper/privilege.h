/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Root's rights that the helper has no use for, given up before it looks at anything.
 *
 * What is kept, and what asks for it in the kernel (6.1):
 *   CAP_SYS_MODULE          finit_module(2): may_init_module() in kernel/module/main.c
 *   CAP_SYS_PTRACE          /proc/<pid>/fd and map_files of a process that has rights this one gave up, or is another
 *                           user's; kcmp(2): __ptrace_may_access() in kernel/ptrace.c, cap_ptrace_access_check()
 *   CAP_DAC_READ_SEARCH     those directories are their owner's alone: generic_permission() in fs/namei.c
 *   CAP_CHECKPOINT_RESTORE  a link in map_files: proc_map_files_get_link() in fs/proc/base.c (CAP_SYS_ADMIN before 5.9)
 * Everything that is written (sysfs, /run/nvfio, cgroup.procs, /dev/kmsg, unbindLock) is root's own and asks for none.
 * /proc/iomem shows zeroes for addresses without CAP_SYS_ADMIN; console.c reads only what lies inside what.
 *
 * A driver's probe() and remove() run with the rights of whoever writes to bind and unbind. Where the card's NUMA node is
 * known a kernel worker calls probe() (pci_call_probe() in drivers/pci/pci-driver.c), so no driver can count on the
 * writer's. Looked through for capable(): 6.1's drivers/{pci,base,iommu,vfio,i2c}, usb/{core,host,typec},
 * gpu/drm (core, nouveau), sound/{core,hda,pci/hda}, fbdev, and NVIDIA's kernel-open: it is asked for in ioctl(2), open(2),
 * mmap(2) and attributes nobody writes here, never in probe() or remove(). Firmware is read with the kernel's own rights
 * (_request_firmware()), and a module a driver asks for is loaded by a worker's child (kernel/umh.c).
 */
#ifndef NVFIO_PRIVILEGE_H
#define NVFIO_PRIVILEGE_H

#include "util.h"

enum privilege {
	PRIVILEGE_NONE, /* root's files */
	PRIVILEGE_LOOK, /* and other processes' descriptors and mappings */
	PRIVILEGE_ACT,  /* and loading modules */
};

/*
 * Keeps of the process's capabilities those that keep names (one it does not have is not gained), in all sets, and sets
 * no_new_privs. Children inherit it; there is no way back. 0, or the first -errno; what could be given up has been. Without
 * CAP_SETPCAP (a container) the bounding set stays, which is no error: it only counts at an execve(2), and there is none.
 */
int privilege_reduce(enum privilege keep) _must_check_;

#endif
