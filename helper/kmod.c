// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which module drives a function over VFIO, and getting it into the kernel. Owns everything libkmod
 * knows: aliases, blacklists, `install` commands. What is loaded is read below /sys (driver.c) and
 * never asked of libkmod, which always looks at the host's. A context costs 0.1 ms and lives
 * for one public call, but for kmod_keep() and kmod_begin_event().
 */
#include "kmod.h"

#include <fnmatch.h>
#include <sys/utsname.h>
#include "driver.h"
#include "kmod-library.h"
#include "kmod-notes.h"
#include "root.h"

#define GENERIC "vfio_pci"
#define ALIAS_SIZE 256
#define CONFIG_DIRS_MAX 8

/* Set by context_new(); without a context there is nothing to call it with. */
static const struct libkmod *lib;

static void cleanup_ctxp(struct kmod_ctx **ctx)
{
	if (*ctx)
		lib->unref(*ctx);
}

static void cleanup_modp(struct kmod_module **mod)
{
	if (*mod)
		lib->module_unref(*mod);
}

static void cleanup_listp(struct kmod_list **list)
{
	if (*list)
		lib->module_unref_list(*list);
}

#define _cleanup_ctx_ __attribute__((cleanup(cleanup_ctxp)))
#define _cleanup_mod_ __attribute__((cleanup(cleanup_modp)))
#define _cleanup_list_ __attribute__((cleanup(cleanup_listp)))
/* kmod_list_foreach() would call the library by name. */
#define LIST_FOREACH(l, list) for ((l) = (list); (l); (l) = lib->list_next((list), (l)))

int kmod_rank_alias(const char *pattern, const char *name)
{
	char p[ALIAS_SIZE], n[ALIAS_SIZE];
	int stars = 0;

	if (driver_normalise(pattern, p, sizeof(p)) < 0 ||
	    driver_normalise(name, n, sizeof(n)) < 0 || fnmatch(p, n, 0) != 0)
		return -1;
	for (const char *s = p; *s; s++)
		stars += *s == '*';
	return stars;
}

/* See kmod_keep() and kmod_begin_event(). */
static struct kmod_ctx *kept;
static bool keep_first, keep_answers;
static struct answer {
	char *modalias, *pinned;
	int result;
	struct vfio_driver driver;
} *answers;
static size_t n_answers;

/* libkmod would print to stderr, which udev drops; what matters comes back as an error. */
_printf_(6, 0) static void quiet(void *data _unused_, int priority _unused_,
				 const char *file _unused_, int line _unused_,
				 const char *fn _unused_, const char *format _unused_,
				 va_list args _unused_)
{
}

/*
 * Under a --sysroot the indexes and the configuration are those of the tree, but libkmod still
 * reads the host's /proc/cmdline for modprobe.blacklist=; there is no way to tell it not to.
 */
static struct kmod_ctx *context_new(void)
{
	char paths[CONFIG_DIRS_MAX][PATH_MAX], indexes[PATH_MAX], release[128];
	const char *list[CONFIG_DIRS_MAX + 1] = { NULL };
	struct kmod_ctx *ctx;
	struct utsname u;

	if (kept)
		return lib->ref(kept);
	lib = libkmod();
	if (!lib)
		return NULL;
	if (root_is_host()) {
		ctx = lib->new(NULL, NULL);
	} else {
		if (uname(&u) < 0)
			return NULL;
		snprintf(release, sizeof(release), "/lib/modules/%s", u.release);
		if (root_path(release, indexes, sizeof(indexes)) < 0)
			return NULL;
		for (size_t i = 0; i < CONFIG_DIRS_MAX && kmod_config_dirs[i]; i++) {
			if (root_path(kmod_config_dirs[i], paths[i], PATH_MAX) < 0)
				return NULL;
			list[i] = paths[i];
		}
		ctx = lib->new(indexes, list);
	}
	if (ctx)
		lib->set_log_fn(ctx, quiet, NULL);
	if (ctx && keep_first)
		kept = lib->ref(ctx);
	/* Only makes it faster: without, each look-up opens its index. */
	if (ctx && keep_answers && lib->load_resources(ctx) < 0)
		lib->unload_resources(ctx);
	return ctx;
}

static bool list_names(char *list, const char *module)
{
	char *name, *next;

	for (name = strtok_r(list, ",", &next); name; name = strtok_r(NULL, ",", &next)) {
		if (driver_same_name(name, module))
			return true;
	}
	return false;
}

/*
 * module_blacklist= is the kernel's own, libkmod does not know it and loading would end in EPERM;
 * modprobe.blacklist= libkmod knows, but of the host only.
 */
static bool cmdline_blacklists(const char *module)
{
	static const char *const keys[] = { "module_blacklist=", "modprobe.blacklist=" };
	char cmdline[8192], *word, *next;

	if (root_read("/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
		return false;
	for (word = strtok_r(cmdline, " \n", &next); word; word = strtok_r(NULL, " \n", &next)) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			if (startswith(word, keys[i]) && list_names(word + strlen(keys[i]), module))
				return true;
		}
	}
	return false;
}

static bool is_blacklisted(struct kmod_ctx *ctx, const char *module)
{
	struct kmod_config_iter *iter = lib->config_get_blacklists(ctx);
	bool found = false;

	while (iter && !found && lib->config_iter_next(iter))
		found = driver_same_name(lib->config_iter_get_key(iter), module);
	lib->config_iter_free_iter(iter);
	return found || cmdline_blacklists(module);
}

/* 0 or -ENOENT: libkmod itself says "no such module" by success and an untouched pointer. */
static int lookup_name(struct kmod_ctx *ctx, const char *module, struct kmod_module **ret)
{
	struct kmod_module *mod = NULL;
	int r;

	r = lib->module_new_from_name_lookup(ctx, module, &mod);
	if (r < 0)
		return r;
	if (!mod)
		return -ENOENT;
	*ret = mod;
	return 0;
}

/* Wildcards of the module's most precise alias; one whose aliases cannot be read comes last. */
static int rank_module(const struct kmod_module *mod, const char *alias)
{
	struct kmod_list *info = NULL, *l;
	int best = ALIAS_SIZE;

	if (lib->module_get_info(mod, &info) < 0)
		return best;
	LIST_FOREACH(l, info) {
		int rank;

		if (!streq(lib->module_info_get_key(l), "alias"))
			continue;
		rank = kmod_rank_alias(lib->module_info_get_value(l), alias);
		if (rank >= 0 && rank < best)
			best = rank;
	}
	lib->module_info_free_list(info);
	return best;
}

/* Of equally precise ones a variant knows more than the generic; names only make it stable. */
static bool is_better(int rank, const char *name, int best_rank, const char *best)
{
	if (rank != best_rank)
		return rank < best_rank;
	if (streq(name, GENERIC) != streq(best, GENERIC))
		return streq(best, GENERIC);
	return strcmp(name, best) < 0;
}

/* libkmod lists the matches as modules.order has them, the generic driver first, not by fit. */
static int choose_by_alias(struct kmod_ctx *ctx, const char *alias,
			   char module[static DRIVER_NAME_SIZE])
{
	_cleanup_list_ struct kmod_list *list = NULL;
	struct kmod_list *l;
	bool blacklisted = false, single;
	int best = 0, r;

	r = lib->module_new_from_lookup(ctx, alias, &list);
	if (r < 0)
		return r;
	single = list && !lib->list_next(list, list);
	LIST_FOREACH(l, list) {
		_cleanup_mod_ struct kmod_module *mod = lib->module_get_module(l);
		const char *name = lib->module_get_name(mod);
		int rank;

		if (is_blacklisted(ctx, name)) {
			blacklisted = true;
			continue;
		}
		rank = single ? 0 : rank_module(mod, alias);
		if (module[0] && !is_better(rank, name, best, module))
			continue;
		r = copy_name(module, DRIVER_NAME_SIZE, name);
		if (r < 0)
			return r;
		best = rank;
	}
	if (module[0])
		return 0;
	return blacklisted ? -EACCES : -ENOENT;
}

static int choose_best(struct kmod_ctx *ctx, const char *modalias,
		       char module[static DRIVER_NAME_SIZE])
{
	_cleanup_mod_ struct kmod_module *mod = NULL;
	char alias[ALIAS_SIZE];
	int r, by_name;

	if (!startswith(modalias, "pci:") ||
	    (size_t)snprintf(alias, sizeof(alias), "vfio_%s", modalias) >= sizeof(alias))
		return -EINVAL;
	r = choose_by_alias(ctx, alias, module);
	if (r != -ENOENT && r != -EACCES)
		return r;
	/*
	 * By name: before 5.16 the generic driver had no alias, and where it is built in and a
	 * blacklisted variant is not, the lookup has shown the variant only.
	 */
	if (is_blacklisted(ctx, GENERIC))
		return -EACCES;
	by_name = lookup_name(ctx, GENERIC, &mod);
	if (by_name < 0)
		return r == -EACCES ? r : by_name;
	return copy_name(module, DRIVER_NAME_SIZE, GENERIC);
}

/* Of one that is not there yet the name is taken for the module's. */
static int choose_pinned(struct kmod_ctx *ctx, const char *pinned, struct vfio_driver *drv)
{
	_cleanup_mod_ struct kmod_module *mod = NULL;
	int r;

	if (driver_normalise(pinned, drv->module, sizeof(drv->module)) < 0)
		return -ENOENT;
	r = lookup_name(ctx, drv->module, &mod);
	if (r < 0)
		return r;
	if (is_blacklisted(ctx, drv->module))
		return -EACCES;
	driver_find(drv->module, drv->driver);
	return 0;
}

/*
 * Looked at before anything is loaded, and not left to refuse_install(): libkmod skips the command if there are
 * softdeps. 0 or -ENOEXEC.
 */
static int check_install(struct kmod_ctx *ctx, const char *module)
{
	_cleanup_mod_ struct kmod_module *mod = NULL;

	return lookup_name(ctx, module, &mod) == 0 && lib->module_get_install_commands(mod) ? -ENOEXEC : 0;
}

/* A driver that is in the kernel is taken as it is. */
static bool find_there(const char *pinned, struct vfio_driver *drv)
{
	return driver_module(pinned, drv->module) == 0 && copy_name(drv->driver, sizeof(drv->driver), pinned) == 0;
}

/* What an earlier event found out, if it is in the kernel still: then there is nothing to load, either. */
static bool find_noted(const char *modalias, struct vfio_driver *drv)
{
	return kmod_notes_find(modalias, drv->module, sizeof(drv->module)) && driver_find(drv->module, drv->driver) == 0;
}

static int choose(const char *modalias, const char *pinned, struct vfio_driver *ret)
{
	_cleanup_ctx_ struct kmod_ctx *ctx = NULL;
	struct vfio_driver drv = { .driver = "" };
	int r;

	if (pinned[0] ? find_there(pinned, ret) : find_noted(modalias, ret))
		return 0;
	ctx = context_new();
	if (!ctx)
		return lib ? -ENOMEM : -ENOPKG;
	if (pinned[0]) {
		r = choose_pinned(ctx, pinned, &drv);
	} else {
		r = choose_best(ctx, modalias, drv.module);
		if (r == 0 && driver_find(drv.module, drv.driver) == 0)
			kmod_notes_add(modalias, drv.module);
	}
	if (r == 0 && !drv.driver[0])
		r = check_install(ctx, drv.module);
	if (r == 0)
		*ret = drv;
	return r;
}

/* A host has many VFs, and few models of them. */
static void keep_answer(const char *modalias, const char *pinned, int result, const struct vfio_driver *drv)
{
	struct answer a = { .modalias = strdup(modalias), .pinned = strdup(pinned), .result = result }, *more;

	if (result == 0)
		a.driver = *drv;
	more = a.modalias && a.pinned ? reallocarray(answers, n_answers + 1, sizeof(*answers)) : NULL;
	if (!more) {
		free(a.modalias);
		free(a.pinned);
		return;
	}
	answers = more;
	answers[n_answers++] = a;
}

int kmod_choose(const char *modalias, const char *pinned, struct vfio_driver *ret)
{
	struct vfio_driver drv;
	size_t i;
	int r;

	pinned = pinned ? pinned : "";
	for (i = 0; i < n_answers; i++) {
		if (!streq(answers[i].modalias, modalias) || !streq(answers[i].pinned, pinned))
			continue;
		if (answers[i].result == 0)
			*ret = answers[i].driver;
		return answers[i].result;
	}
	r = choose(modalias, pinned, &drv);
	if (keep_answers)
		keep_answer(modalias, pinned, r, &drv);
	if (r == 0)
		*ret = drv;
	return r;
}

/* For modules below the one asked for, whose `install` command libkmod would give to a shell. */
static int refuse_install(struct kmod_module *mod _unused_, const char *command _unused_,
			  void *data)
{
	*(bool *)data = true;
	return -ENOEXEC;
}

static int insert(struct kmod_module *mod)
{
	bool refused = false;
	int r = -EBUSY;

	/* EBUSY: another insertion of this module was under way and failed, or its removal. */
	for (int i = 0; i < 2 && r == -EBUSY; i++)
		r = lib->module_probe_insert_module(mod, KMOD_PROBE_APPLY_BLACKLIST, NULL,
						    refuse_install, &refused, NULL);
	if (r > 0)
		return -EACCES;
	if (r == -EACCES || r == -EKEYREJECTED)
		return -EPERM;
	/* Unknown symbols, another kernel's module: here these codes have another meaning. */
	if (r == -ENOENT || (r == -ENOEXEC && !refused))
		return -EINVAL;
	return r;
}

static int load(struct vfio_driver *drv)
{
	_cleanup_ctx_ struct kmod_ctx *ctx = NULL;
	_cleanup_mod_ struct kmod_module *mod = NULL;
	char module[DRIVER_NAME_SIZE], driver[DRIVER_NAME_SIZE];
	int r;

	r = driver_find(drv->module, driver);
	/* A pinned driver that is there need not be named like its module. */
	if (r != -EBUSY && drv->driver[0] && driver_module(drv->driver, module) == 0)
		return 0;
	if (r == 0)
		return copy_name(drv->driver, sizeof(drv->driver), driver);
	ctx = context_new();
	if (!ctx)
		return lib ? -ENOMEM : -ENOPKG;
	if (is_blacklisted(ctx, drv->module))
		return -EACCES;
	if (lookup_name(ctx, drv->module, &mod) < 0)
		return r;
	if (check_install(ctx, drv->module) < 0)
		return -ENOEXEC;
	if (!root_is_host())
		return r;
	r = insert(mod);
	if (r < 0)
		return r;
	if (driver_find(drv->module, driver) < 0)
		return -ENXIO;
	return copy_name(drv->driver, sizeof(drv->driver), driver);
}

int kmod_load(struct vfio_driver *drv)
{
	size_t i;
	int r;

	if (keep_answers && drv->driver[0])
		return 0;
	r = load(drv);
	/* What was answered without its name. */
	for (i = 0; r == 0 && i < n_answers; i++) {
		if (answers[i].result == 0 && streq(answers[i].driver.module, drv->module))
			answers[i].driver = *drv;
	}
	return r;
}

#define NOTED_YES "there"
#define NOTED_NO "missing"

int kmod_exists(const char *module)
{
	_cleanup_ctx_ struct kmod_ctx *ctx = NULL;
	_cleanup_mod_ struct kmod_module *mod = NULL;
	char path[sizeof("/sys/module/") + DRIVER_NAME_SIZE], name[DRIVER_NAME_SIZE], noted[8];
	int r;

	r = driver_normalise(module, name, sizeof(name));
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/sys/module/%s", name);
	if (root_exists(path))
		return 1;
	if (kmod_notes_find(name, noted, sizeof(noted)))
		return streq(noted, NOTED_YES);
	ctx = context_new();
	if (!ctx)
		return lib ? -ENOMEM : -ENOPKG;
	r = lookup_name(ctx, name, &mod);
	if (r < 0 && r != -ENOENT)
		return r;
	kmod_notes_add(name, r == 0 ? NOTED_YES : NOTED_NO);
	return r == 0;
}

/* The kernel's signature is at the end of the file; libkmod finds it in a compressed one as well. */
static bool is_signed(const struct kmod_module *mod)
{
	struct kmod_list *info = NULL, *l;
	bool found = false;

	if (lib->module_get_info(mod, &info) < 0)
		return false;
	LIST_FOREACH(l, info)
		found |= streq(lib->module_info_get_key(l), "sig_id");
	lib->module_info_free_list(info);
	return found;
}

enum kmod_presence kmod_find(const char *module, bool *ret_signed)
{
	_cleanup_ctx_ struct kmod_ctx *ctx = context_new();
	_cleanup_mod_ struct kmod_module *mod = NULL;
	char path[sizeof("/sys/module//initstate") + DRIVER_NAME_SIZE], name[DRIVER_NAME_SIZE];
	bool there;

	*ret_signed = false;
	if (driver_normalise(module, name, sizeof(name)) < 0)
		return KMOD_MISSING;
	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	/* Built-in modules have a directory only if they have parameters or drivers, and no state. */
	if (root_exists(path))
		return KMOD_LOADED;
	snprintf(path, sizeof(path), "/sys/module/%s", name);
	there = root_exists(path);
	if (!ctx || lookup_name(ctx, name, &mod) < 0)
		return there ? KMOD_BUILTIN : KMOD_MISSING;
	if (there || !lib->module_get_path(mod))
		return KMOD_BUILTIN;
	*ret_signed = is_signed(mod);
	if (is_blacklisted(ctx, name))
		return KMOD_BLACKLISTED;
	return lib->module_get_install_commands(mod) ? KMOD_INSTALL_COMMAND : KMOD_LOADABLE;
}

void kmod_begin_event(bool note)
{
	keep_first = true;
	kmod_notes_use(note);
}

void kmod_keep(bool keep)
{
	keep_first = keep_answers = keep;
	if (keep)
		return;
	cleanup_ctxp(&kept);
	kept = NULL;
	for (; n_answers > 0; n_answers--) {
		free(answers[n_answers - 1].modalias);
		free(answers[n_answers - 1].pinned);
	}
	free(answers);
	answers = NULL;
}
