/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libkmod, loaded when it is first asked something; for kmod.c alone. Its functions go by their own types, and by their
 * names without "kmod_".
 */
#ifndef NVFIO_KMOD_LIBRARY_H
#define NVFIO_KMOD_LIBRARY_H

#include <libkmod.h>

#define LIBKMOD_FUNCTIONS(F) \
	F(new) F(ref) F(unref) F(set_log_fn) F(load_resources) F(unload_resources) F(list_next) \
	F(config_get_blacklists) F(config_iter_next) F(config_iter_get_key) F(config_iter_free_iter) \
	F(module_new_from_lookup) F(module_new_from_name_lookup) F(module_get_module) F(module_unref) F(module_unref_list) \
	F(module_get_name) F(module_get_path) F(module_get_install_commands) F(module_probe_insert_module) \
	F(module_get_info) F(module_info_get_key) F(module_info_get_value) F(module_info_free_list)

struct libkmod {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): the name of a member */
#define LIBKMOD_MEMBER(name) __typeof__(&kmod_##name) name;
	LIBKMOD_FUNCTIONS(LIBKMOD_MEMBER)
#undef LIBKMOD_MEMBER
};

/* The library, for as long as the process lives. NULL: it is not installed, or lacks a function. */
const struct libkmod *libkmod(void);

#endif
