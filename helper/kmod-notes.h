/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libkmod answered another event: a host has many VFs, and few models of them. For kmod.c alone.
 */
#ifndef NVFIO_KMOD_NOTES_H
#define NVFIO_KMOD_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include "util.h"

/* Where libkmod's configuration is; NULL ends it. */
extern const char *const kmod_config_dirs[];

/* Notes are read from now on, and written if add is set. Until then there are none. */
void kmod_notes_use(bool add);

/*
 * The value that this version noted for a key, as long as no index of modules, no file of modprobe.d and not the kernel's
 * command line is another than it was before libkmod was asked. False: none that counts.
 */
bool kmod_notes_find(const char *key, char *value, size_t size);

/*
 * Notes it. Only after kmod_notes_find() said no for it. Nothing is noted if one of those files was changed within the last
 * seconds: a second change might leave no trace in its time. Failing to note is no failure.
 */
void kmod_notes_add(const char *key, const char *value);

#endif
