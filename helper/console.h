/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether somebody looks at this GPU: boot framebuffer, text console, a display. Taking it would take the console away.
 */
#ifndef NVFIO_CONSOLE_H
#define NVFIO_CONSOLE_H

#include "pci.h"

/*
 * 1 with what it is in text ("firmware framebuffer", "console on fb0", "display card0-DP-1"); 0 if there is nothing;
 * -errno. Reads /proc/iomem (names are there for root only) and attributes that take no device lock.
 */
int console_find(const struct pci_function *f, char *text, size_t size) _must_check_;

/* Keeps of /proc/iomem what concerns console_find() from its next call on, or lets go of it: see host.h. */
void console_keep(bool keep);

/* Whether an /proc/iomem text has a firmware framebuffer inside a resource of this function. Pure. */
bool console_in_iomem(char *iomem, const char *bdf);

/*
 * Leaves of an /proc/iomem text the firmware framebuffers and what they lie inside of: for console_in_iomem() it says the
 * same. Pure.
 */
void console_reduce_iomem(char *iomem);

#endif
