// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Getting libkmod. It brings libcrypto, zstd and lzma, whose 22,000 relocations took 95 % of the instructions of a start of
 * the helper (docs/PERFORMANCE.md); most starts have nothing to ask it. With -DNVFIO_LINK_KMOD (make KMOD=linked) it is
 * linked instead, for a libc that cannot load.
 */
#include "kmod-library.h"

#include <stdbool.h>
#include "util.h"

#ifdef NVFIO_LINK_KMOD

const struct libkmod *libkmod(void)
{
#define LIBKMOD_ADDRESS(name) .name = kmod_##name,
	static const struct libkmod library = { LIBKMOD_FUNCTIONS(LIBKMOD_ADDRESS) };

	return &library;
}

#else

#include <dlfcn.h>

static bool find_symbol(const char *name, void *ret)
{
	/* Of the whole program: a library that was preloaded comes first, as with one that is linked. */
	void *symbol = dlsym(RTLD_DEFAULT, name);

	/* POSIX has dlsym() return functions as objects; C has no such conversion. */
	memcpy(ret, &symbol, sizeof(symbol));
	return symbol != NULL;
}

const struct libkmod *libkmod(void)
{
	static struct libkmod library;
	static bool tried, found;

	if (!tried) {
		found = dlopen("libkmod.so.2", RTLD_NOW | RTLD_GLOBAL) != NULL;
#define LIBKMOD_FIND(name) found = found && find_symbol("kmod_" #name, &library.name);
		LIBKMOD_FUNCTIONS(LIBKMOD_FIND)
	}
	tried = true;
	return found ? &library : NULL;
}

#endif
