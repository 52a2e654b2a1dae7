// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Gathering facts for policy.c: who is asked about what, and in which order, is policy's business; how it is found out
 * is here. Nothing below takes a device lock in this process.
 */
#include "judge.h"

#include <stddef.h>
#include <sys/stat.h>
#include "child.h"
#include "console.h"
#include "host.h"
#include "root.h"
#include "siblings.h"
#include "steps.h"
#include "sysfs.h"

/* Long enough for a lock that is held for a moment, short enough to wait for in an event. */
#define OVERRIDE_READ_MS 500

static struct subject *subject_of(struct facts *facts)
{
	return (struct subject *)(void *)((char *)facts - offsetof(struct subject, facts));
}

static bool has_driverctl_override(const char *bdf)
{
	char path[64];

	snprintf(path, sizeof(path), "/etc/driverctl.d/pci-%s", bdf);
	return root_exists(path);
}

static void resolve_settings(struct subject *s, const struct config *config)
{
	struct config_subject who = { .bdf = s->fn.bdf, .ids = s->fn.ids, .is_vf = s->fn.is_vf };
	struct pci_function pf;

	if (s->fn.physfn[0] && host_pf(s->fn.physfn, &pf) == 0) {
		who.has_pf = true;
		who.pf = pf.bdf;
		who.pf_ids = pf.ids;
	}
	config_resolve(config, &who, &s->settings);
}

/* One that cannot be read may say that the function was released, or what it was before; garbage says nothing. */
static int load_record(struct subject *s)
{
	int r;

	s->record = (struct record){ 0 };
	r = state_load(&s->fn, &s->record);
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return r;
	s->has_record = r == 0;
	s->bad_record = r == -EBADMSG;
	s->facts.released = s->has_record && s->record.state == RECORD_RELEASED;
	s->facts.stays = s->has_record && s->record.companions_stay;
	if (s->has_record && state_is_act(&s->record))
		s->facts.ours = s->record.wanted;
	return 0;
}

struct owner_look {
	const struct pci_function *fn;
	int result;
	char override[DRIVER_NAME_SIZE];
	int leaving;
};

static void look_for_owner(void *arg)
{
	struct owner_look *o = arg;

	o->result = steps_read_override(o->fn, o->override, sizeof(o->override));
	if (o->result == 0)
		o->result = o->leaving = steps_is_leaving(o->fn);
}

/*
 * A missing driver link does not mean that nobody is in remove(). Up to 6.11 both attributes are read under the device
 * lock, so that is done in a child: a lock that is not to be had is somebody else acting on the function. Later kernels
 * take none, and name the driver.
 */
static int read_override(struct subject *s)
{
	struct owner_look *o = child_memory(sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	o->fn = &s->fn;
	r = child_run(look_for_owner, o, OVERRIDE_READ_MS);
	if (r == -ETIMEDOUT) {
		s->facts.busy = true;
		return 0;
	}
	if (r < 0)
		return r;
	if (o->result < 0)
		return o->result;
	s->facts.busy = o->leaving > 0;
	r = copy_name(s->override, sizeof(s->override), o->override);
	if (r < 0)
		return r;
	s->facts.override = s->override;
	return 0;
}

static int begin_subject(struct subject *s, const struct judgement *j, const struct occasion *occasion,
			 const struct pci_function *function0)
{
	struct facts *f = &s->facts;
	int locked = occasion->locked ? 0 : state_is_locked(s->fn.name), r;

	if (locked < 0)
		return locked;

	if (occasion->no_driver)
		s->fn.driver[0] = '\0';
	resolve_settings(s, j->config);
	*f = (struct facts){
		.event = occasion->event,
		.fn = &s->fn,
		.settings = &s->settings,
		.role = policy_role(&s->fn, function0),
		.admin = occasion->admin,
		.off = occasion->off,
		.asked = occasion->asked,
		.forced = occasion->forced,
		.config_broken = j->config_error[0] != '\0',
		.in_flight = locked > 0,
		.was_deferred = occasion->was_deferred,
		.was_met = occasion->was_met,
		.driverctl = has_driverctl_override(s->fn.name),
		.iommu_present = host_has_iommu(),
		.group_comes_late = host_groups_come_late(),
	};
	r = load_record(s);
	if (r < 0)
		return r;
	if (occasion->read_override && !s->fn.driver[0] && !s->fn.on_vfio && !f->in_flight)
		return read_override(s);
	return 0;
}

static int gather_driver(struct subject *s)
{
	const struct setting *name = &s->settings.key[KEY_DRIVER];
	/* [policy] means GPUs: a driver for those is none for another vendor's disk. */
	bool own = s->facts.role != ROLE_FOREIGN || name->level == LEVEL_ADDRESS;
	int r = kmod_choose(s->fn.modalias, own ? name->text : "", &s->facts.driver);

	if (r == 0)
		s->facts.driver_status = DRIVER_FOUND;
	else if (r == -EACCES)
		s->facts.driver_status = DRIVER_BLACKLISTED;
	else if (r == -ENOEXEC)
		s->facts.driver_status = DRIVER_INSTALL_COMMAND;
	else if (r == -ENOENT)
		s->facts.driver_status = DRIVER_NO_MODULE;
	else
		return r;
	return 0;
}

static bool has_vgpu_sign_at(const char *bdf, char *text, size_t size)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/class/mdev_bus/%s", bdf);
	if (root_exists(path)) {
		snprintf(text, size, "%s has mdev types", bdf);
		return true;
	}
	snprintf(path, sizeof(path), "/proc/driver/nvidia/gpus/%s/unbindLock", bdf);
	if (root_exists(path)) {
		snprintf(text, size, "nvidia offers unbindLock for %s", bdf);
		return true;
	}
	return false;
}

/* Any of these means that somebody may want the VFs on nvidia; at a VF's add the intent itself is nowhere to be seen. */
static bool find_vgpu_sign(struct subject *s)
{
	char *text = s->vgpu;
	size_t size = sizeof(s->vgpu);
	const char *sign = host_vgpu_sign();
	struct pci_function pf;

	if (sign)
		return snprintf(text, size, "%s", sign) > 0;
	if (sysfs_has(s->fn.dirfd, "nvidia") != 0)
		return snprintf(text, size, "%s has nvidia vGPU attributes", s->fn.name) > 0;
	if (streq(s->fn.driver, "pci-pf-stub"))
		return snprintf(text, size, "it is on pci-pf-stub") > 0;
	if (has_vgpu_sign_at(s->fn.name, text, size))
		return true;
	if (!s->fn.physfn[0])
		return false;
	if (has_vgpu_sign_at(s->fn.physfn, text, size))
		return true;
	return host_pf(s->fn.physfn, &pf) == 0 && streq(pf.driver, "pci-pf-stub") &&
	       snprintf(text, size, "its PF %s is on pci-pf-stub", pf.name) > 0;
}

static int gather_holders(struct subject *s)
{
	int r = holders_find(&s->fn, &s->holders);

	if (r < 0) {
		/* Not knowing is no proof of idleness. */
		snprintf(s->holders.text, sizeof(s->holders.text), "cannot look for users: %s", strerror(-r));
		s->holders.doubt = true;
	}
	s->facts.held = s->holders.found || s->holders.doubt ? TRI_YES : TRI_NO;
	return 0;
}

int judge_gather(struct facts *facts, enum need need)
{
	struct subject *s = subject_of(facts);
	int r;

	switch (need) {
	case NEED_DRIVER:
		return gather_driver(s);
	case NEED_CONSOLE:
		r = console_find(&s->fn, s->console, sizeof(s->console));
		if (r < 0)
			return r;
		facts->console = r > 0 ? TRI_YES : TRI_NO;
		return 0;
	case NEED_VGPU:
		facts->vgpu = find_vgpu_sign(s) ? TRI_YES : TRI_NO;
		return 0;
	case NEED_CRITICAL:
		r = critical_find(&s->fn, &s->critical);
		if (r < 0)
			return r;
		facts->critical = s->critical.found ? TRI_YES : TRI_NO;
		return 0;
	case NEED_HOLDERS:
		return gather_holders(s);
	case NEED_NONE:
	default:
		return -EINVAL;
	}
}

/* Users, and what the host would lose, are looked for by a child; the latter opens disks. */
static bool takes_process(enum need need)
{
	return need == NEED_HOLDERS || need == NEED_CRITICAL;
}

static int reach_verdict(struct judgement *j)
{
	for (;;) {
		struct verdict v = policy_judge(&j->self.facts);
		int r;

		if (v.code != VERDICT_NEED || (j->quick && takes_process(v.need))) {
			j->verdict = v;
			return 0;
		}
		r = judge_gather(v.whose == &j->self.facts ? &j->self.facts : &j->function0.facts, v.need);
		if (r < 0)
			return r;
	}
}

/* Function 0 of the slot, which companions follow. That there is none is an answer. */
static int open_function0(struct judgement *j)
{
	struct bdf bdf = j->self.fn.bdf;
	char name[BDF_SIZE];
	const char *attr;
	int r;

	if (bdf.function == 0 || !pci_is_companion_class(j->self.fn.class))
		return 0;
	bdf.function = 0;
	pci_format_bdf(&bdf, name);
	r = pci_open(name, &j->function0.fn, &attr);
	return r == -ENODEV ? 0 : r;
}

static int judge_opened(struct judgement *j, const struct occasion *occasion)
{
	struct occasion about_function0 = { .event = occasion->event, .off = occasion->off,
					    .asked = occasion->asked, .forced = occasion->forced,
					    .read_override = !occasion->quick };
	const struct pci_function *function0 = NULL;
	int r;

	if (j->function0.fn.dirfd >= 0) {
		r = begin_subject(&j->function0, j, &about_function0, NULL);
		if (r < 0 && pci_check(&j->function0.fn) != -ENODEV)
			return r;
		/* It went away: then this function is nobody's companion any more. */
		if (r < 0)
			pci_close(&j->function0.fn);
		else
			function0 = &j->function0.fn;
	}
	r = begin_subject(&j->self, j, occasion, function0);
	if (r < 0)
		return r;
	if (function0)
		j->self.facts.function0 = &j->function0.facts;
	if (policy_needs_naming(j->self.facts.role)) {
		pci_close(&j->namer);
		r = siblings_find_namer(&j->self.fn, j->config, &j->namer);
		if (r < 0)
			return r;
		j->self.facts.named_by = r > 0 ? &j->namer : NULL;
	}
	return reach_verdict(j);
}

/* The error and the time of the file it is in: said again once somebody has tried to mend it. */
static void note_config_version(struct judgement *j)
{
	char file[sizeof(j->config_error)], path[PATH_MAX];
	uint32_t hash = 2166136261U; /* FNV-1a */
	struct stat st = { 0 };
	const char *s;

	snprintf(file, sizeof(file), "%.*s", (int)strcspn(j->config_error, ":"), j->config_error);
	if (root_path(file, path, sizeof(path)) == 0)
		(void)stat(path, &st);
	for (s = j->config_error; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 16777619U;
	snprintf(j->config_version, sizeof(j->config_version), "config-%08x-%llx", hash,
		 (unsigned long long)st.st_mtim.tv_sec * 1000000000ULL + (unsigned long long)st.st_mtim.tv_nsec);
}

int judge(struct judgement *j, const char *name, const struct occasion *occasion, const char **ret_attr)
{
	int r;

	*j = (struct judgement){ .self.fn.dirfd = -1, .function0.fn.dirfd = -1, .namer.dirfd = -1,
				 .quick = occasion->quick, .locked = occasion->locked };
	*ret_attr = NULL;
	r = pci_open(name, &j->self.fn, ret_attr);
	if (r < 0)
		return r;
	r = open_function0(j);
	if (r >= 0) {
		r = host_config(&j->config, j->config_error, sizeof(j->config_error));
		if (j->config_error[0])
			note_config_version(j);
		/* A broken configuration is a fact for the verdict, not a failure to reach one. */
		if (r >= 0 || j->config_error[0])
			r = judge_opened(j, occasion);
	}
	/* Whatever failed underneath: if the function has gone meanwhile, that is why. */
	if (r < 0 && pci_check(&j->self.fn) == -ENODEV)
		r = -ENODEV;
	if (r < 0)
		judge_free(j);
	return r;
}

int judge_again(struct judgement *j)
{
	struct occasion occasion = { .event = j->self.facts.event, .admin = j->self.facts.admin,
				     .off = j->self.facts.off, .asked = j->self.facts.asked,
				     .forced = j->self.facts.forced, .was_deferred = j->self.facts.was_deferred,
				     .was_met = j->self.facts.was_met, .locked = true };
	int r;

	r = pci_refresh(&j->self.fn);
	if (r == 0 && j->function0.fn.dirfd >= 0) {
		r = pci_refresh(&j->function0.fn);
		if (r == -ENODEV) {
			pci_close(&j->function0.fn);
			r = 0;
		}
	}
	return r < 0 ? r : judge_opened(j, &occasion);
}

void judge_free(struct judgement *j)
{
	pci_close(&j->self.fn);
	pci_close(&j->function0.fn);
	pci_close(&j->namer);
	host_config_done(j->config);
	j->config = NULL;
}

const char *judge_error_text(int r)
{
	switch (r) {
	case -EPROTO:
		return "its record in /run/nvfio is a newer nvfio's";
	case -EBADMSG:
		return "its lock in /run/nvfio is no file of ours";
	case -ENOPKG:
		return "libkmod.so.2 is not installed, or is none";
	default:
		return strerror(-r);
	}
}

/* Why a companion or a sibling stays: what its function 0 does. */
static void detail_of_function0(const struct judgement *j, char *buf, size_t size)
{
	const struct facts *first = j->self.facts.function0;
	struct verdict v;

	if (j->self.facts.named_by) {
		snprintf(buf, size, "%s names it, and %s", j->namer.name, j->namer.on_vfio ?
			 "was on VFIO before; only its follow-up event takes it" : "is not on VFIO");
		return;
	}
	if (!first)
		return;
	if (first->stays) {
		snprintf(buf, size, "%s is left by a rule or another manager", j->function0.fn.name);
		return;
	}
	v = policy_judge(first);
	snprintf(buf, size, "%s: %s%s%s", j->function0.fn.name, policy_reason_text(v.reason),
		 j->function0.holders.text[0] ? ": " : "", j->function0.holders.text);
}

/* What the reason's sentence leaves open: which file, who, what. */
static void detail(const struct judgement *j, char *buf, size_t size)
{
	const struct subject *s = &j->self;
	const struct setting *setting = &s->settings.key[policy_role_key(s->facts.role)];

	buf[0] = '\0';
	if (j->verdict.reason == REASON_FUNCTION0)
		detail_of_function0(j, buf, size);
	else if (j->verdict.reason == REASON_CONFIG_BROKEN)
		snprintf(buf, size, "%s", j->config_error);
	else if (j->verdict.reason == REASON_HELD || j->verdict.reason == REASON_BUSY)
		snprintf(buf, size, "%s", s->holders.text);
	else if (j->verdict.reason == REASON_CRITICAL)
		snprintf(buf, size, "%s", s->critical.text[0] ? s->critical.text :
			 "of functions of its class it cannot be told whether the host needs them");
	else if (j->verdict.reason == REASON_NOT_NVIDIA)
		snprintf(buf, size, "%s", s->fn.is_bridge ? "a bridge is never taken" : "no `siblings` of its group names it");
	else if (j->verdict.reason == REASON_CONSOLE)
		snprintf(buf, size, "%s", s->console);
	else if (j->verdict.reason == REASON_VGPU && s->vgpu[0])
		snprintf(buf, size, "%s", s->vgpu);
	else if (j->verdict.reason == REASON_OVERRIDE && s->facts.override)
		snprintf(buf, size, "%s", s->facts.override);
	else if (j->verdict.reason == REASON_CONFIGURED && setting->file)
		snprintf(buf, size, "%s:%u", setting->file, setting->line);
}

void judge_text(const struct judgement *j, char *buf, size_t size)
{
	char more[600];

	const struct settings *settings = &j->self.settings;
	int len;

	detail(j, more, sizeof(more));
	len = snprintf(buf, size, "%s: %s%s%s%s", policy_state_name(j->verdict.code),
		       policy_reason_text(j->verdict.reason), more[0] ? " (" : "", more, more[0] ? ")" : "");
	/* A section that names the address and was not meant for this device: nobody should have to guess why. */
	if (settings->id_guard_file && len > 0 && (size_t)len < size)
		snprintf(buf + len, size - (size_t)len, "; the section at %s:%u does not count, its id is another device's",
			 settings->id_guard_file, settings->id_guard_line);
}
