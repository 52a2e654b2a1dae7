// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One function a row, named as policy.c names it. A row without one here still is shown, with its verdict alone.
 */
#include "explain-rows.h"

#include <stdarg.h>

struct text {
	char *buf;
	size_t size;
};

/* Adds to a comma separated list. */
_printf_(2, 3) static void add(struct text *t, const char *format, ...)
{
	size_t used = strlen(t->buf);
	va_list args;

	if (used && used + 2 < t->size)
		used += (size_t)snprintf(t->buf + used, t->size - used, ", ");
	va_start(args, format);
	vsnprintf(t->buf + used, t->size - used, format, args);
	va_end(args);
}

static void add_setting(struct text *t, const struct subject *s, enum config_key key)
{
	char value[128];

	config_value(key, &s->settings.key[key], value, sizeof(value));
	add(t, "%s = %s", config_key_name(key), value);
}

/* A fact that policy asks for only where a verdict turns on it. */
static void add_asked(struct text *t, const char *what, enum tri answer, const char *text)
{
	if (answer == TRI_UNKNOWN)
		add(t, "%s: not asked", what);
	else
		add(t, "%s: %s", what, answer == TRI_NO ? "none" : text);
}

static const char *driver_text(const struct pci_function *fn)
{
	return fn->driver[0] ? fn->driver : "none";
}

static void wish(struct text *t, const struct judgement *j)
{
	const struct facts *f = &j->self.facts;

	add_setting(t, &j->self, policy_role_key(f->role));
	if (f->off)
		add(t, "nvfio=off");
	if (f->admin != ADMIN_SILENT)
		add(t, "a udev rule says %s", f->admin == ADMIN_VFIO ? "vfio" : "native");
	if (f->config_broken)
		add(t, "%s", j->config_error);
}

static void owner(struct text *t, const struct judgement *j)
{
	static const char *const record[RECORD_STATE_COUNT] = {
		[RECORD_NONE] = "none", [RECORD_ACTING] = "acting", [RECORD_CLAIMED] = "claimed",
		[RECORD_BOUND] = "bound", [RECORD_RELEASED] = "released", [RECORD_LEFT] = "left",
	};
	const struct facts *f = &j->self.facts;

	add(t, "lock: %s", f->in_flight ? "held" : "free");
	if (f->busy)
		add(t, "its device lock is held");
	add(t, "record: %s", j->self.bad_record ? "garbage, which does not count" : record[j->self.record.state]);
	add(t, "driver: %s", driver_text(f->fn));
	if (f->driverctl)
		add(t, "driverctl has a file for it");
	if (f->override)
		add(t, "driver_override: %s", f->override[0] ? f->override : "unset");
	else
		add(t, "driver_override: not read while a driver is bound");
}

static void kind(struct text *t, const struct judgement *j)
{
	const struct pci_function *fn = &j->self.fn;

	add(t, "%04x:%04x class %04x", fn->ids.vendor, fn->ids.device, fn->class >> 8);
	add(t, "role: %s", policy_role_name(j->self.facts.role));
	if (pci_is_integrated_gpu(&fn->ids))
		add(t, "integrated graphics");
}

static void sibling(struct text *t, const struct judgement *j)
{
	const struct facts *f = &j->self.facts;

	if (f->named_by) {
		add(t, "siblings of %s names it", f->named_by->name);
		add(t, "which is %son VFIO", f->named_by->on_vfio ? "" : "not ");
		if (f->was_met)
			add(t, "met before");
	} else {
		add(t, policy_needs_naming(f->role) ? "no siblings of its group names it" : "no sibling of a GPU");
	}
	if (f->fn->is_bridge)
		add(t, "a bridge");
}

static void console(struct text *t, const struct judgement *j)
{
	const struct facts *f = &j->self.facts;

	/* Whatever goes with a GPU may draw. */
	if (!pci_is_display(f->fn->class) && !f->fn->boot_vga && f->console == TRI_UNKNOWN) {
		add(t, "no display function");
		return;
	}
	if (f->role != ROLE_FOREIGN)
		add_setting(t, &j->self, KEY_BOOT_VGA);
	add(t, "boot VGA: %s", f->fn->boot_vga ? "yes" : "no");
	add_asked(t, "console or display", f->console, j->self.console);
}

static void sriov(struct text *t, const struct judgement *j)
{
	const struct pci_function *fn = &j->self.fn;

	if (!fn->is_vf && !fn->has_sriov) {
		add(t, "no SR-IOV");
		return;
	}
	if (fn->is_vf) {
		add(t, "VF of %s", fn->physfn[0] ? fn->physfn : "a PF that is not known yet");
		add_setting(t, &j->self, KEY_VF);
	} else {
		add(t, "PF %s VFs", fn->has_vfs ? "with" : "without");
	}
	add_asked(t, "vGPU signs", j->self.facts.vgpu, j->self.vgpu);
}

static void companion(struct text *t, const struct judgement *j)
{
	if (j->self.facts.role != ROLE_COMPANION) {
		add(t, "no companion of a GPU");
		return;
	}
	add(t, "function 0 is %s", j->function0.fn.name);
	add(t, "driver: %s", driver_text(&j->function0.fn));
	if (j->function0.facts.stays)
		add(t, "on record to stay");
}

static void ability(struct text *t, const struct judgement *j)
{
	const struct facts *f = &j->self.facts;

	add(t, "IOMMU group: %s", f->fn->has_group ? f->fn->group : "none");
	if (!f->fn->has_group)
		add(t, "IOMMU: %s", f->iommu_present ? "there" : "none");
	switch (f->driver_status) {
	case DRIVER_FOUND:
		add(t, "module %s%s%s", f->driver.module, f->driver.driver[0] ? " with driver " : ", not loaded",
		    f->driver.driver);
		break;
	case DRIVER_NO_MODULE:
		add(t, "no VFIO module");
		break;
	case DRIVER_BLACKLISTED:
		add(t, "VFIO module blacklisted");
		break;
	case DRIVER_INSTALL_COMMAND:
		add(t, "VFIO module has an install command");
		break;
	case DRIVER_UNKNOWN:
	default:
		add(t, "VFIO module: not asked");
	}
}

static void critical(struct text *t, const struct judgement *j)
{
	const struct facts *f = &j->self.facts;

	if (f->critical == TRI_UNKNOWN && !policy_needs_naming(f->role))
		add(t, "a GPU, or a part of one");
	else if (f->critical == TRI_UNKNOWN && f->named_by && !pci_is_judgeable(f->fn->class))
		add(t, "class %04x, of which that cannot be told", f->fn->class >> 8);
	else
		add_asked(t, "what the host needs on it", f->critical, j->self.critical.text);
}

static void event(struct text *t, const struct judgement *j)
{
	const struct facts *f = &j->self.facts;

	add(t, "driver: %s", driver_text(f->fn));
	if (f->event == EVENT_COLDPLUG)
		add_setting(t, &j->self, KEY_BOOT);
	if (f->was_deferred)
		add(t, "deferred before");
	if (f->fn->driver[0]) {
		if (f->event != EVENT_HOTPLUG)
			add_setting(t, &j->self, KEY_TAKEOVER);
		add_asked(t, "users", f->held, j->self.holders.text);
	}
}

void explain_row_facts(const char *row, const struct status *s, char *buf, size_t size)
{
	static const struct {
		const char *row;
		void (*say)(struct text *t, const struct judgement *j);
	} sayer[] = {
		{ "wish", wish }, { "owner", owner }, { "kind", kind }, { "sibling", sibling },
		{ "console", console }, { "sriov", sriov }, { "companion", companion }, { "ability", ability },
		{ "critical", critical }, { "event", event },
	};
	struct text t = { .buf = buf, .size = size };
	unsigned int i;

	buf[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(sayer); i++) {
		if (streq(row, sayer[i].row))
			sayer[i].say(&t, &s->judgement);
	}
}
