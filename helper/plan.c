// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The writes of bind.c and release.c as text. Whoever changes an order there changes it here.
 */
#include "plan.h"

#include "node-access.h"
#include "root.h"
#include "say.h"
#include "steps.h"

static void show_write(struct json *json, const char *path, const char *value)
{
	if (json) {
		json_open(json, NULL, '{');
		json_string(json, "path", path);
		json_string(json, "value", value);
		json_close(json, '}');
	} else {
		fputs("    ", stdout);
		say_plain(value);
		printf(" > %s\n", path);
	}
}

static void show_record(struct json *json, const struct pci_function *fn, const char *what)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/run/nvfio/%s", fn->name);
	show_write(json, path, what);
}

static void show_attribute(struct json *json, const struct pci_function *fn, const char *attr, const char *value)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", fn->name, attr);
	show_write(json, path, value);
}

/* "" is how an override is cleared. */
static void show_override(struct json *json, const struct pci_function *fn, const char *driver)
{
	show_attribute(json, fn, "driver_override", driver[0] ? driver : "newline");
}

static void show_driver(struct json *json, const struct pci_function *fn, const char *driver, const char *attr)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s", driver, attr);
	show_write(json, path, fn->name);
}

static void show_follow_up(struct json *json, const struct judgement *j)
{
	bool siblings = j->self.settings.key[KEY_SIBLINGS].choice == CHOICE_LIST;
	bool companions = j->self.facts.event != EVENT_REQUEST; /* `nvfio bind` takes those itself */

	if (j->self.fn.bdf.function != 0 || j->self.facts.role != ROLE_GPU || (!siblings && !companions))
		return;
	show_write(json, !companions ? "uevent of its siblings that are not on VFIO" :
		   siblings ? "uevent of its companions and siblings that are not on VFIO" :
		   "uevent of its companions that are not on VFIO", "change UUID NVFIO=1");
}

void plan_bind(struct json *json, const struct judgement *j, const char *driver)
{
	const struct pci_function *fn = &j->self.fn;
	char path[PATH_MAX];

	show_record(json, fn, "driver and driver_override as they are, for the way back");
	snprintf(path, sizeof(path), "/proc/driver/nvidia/gpus/%s/unbindLock", fn->name);
	if (streq(fn->driver, "nvidia") && root_exists(path))
		show_write(json, path, "1");
	if (!j->self.facts.override || !streq(j->self.facts.override, driver))
		show_override(json, fn, driver);
	if (steps_probes_on(fn->driver))
		show_attribute(json, fn, "power/control", "on");
	if (fn->driver[0])
		show_driver(json, fn, fn->driver, "unbind");
	show_driver(json, fn, driver, "bind");
	show_follow_up(json, j);
	if (node_access_configured(&j->self.settings))
		show_write(json, "uevent of the VFIO nodes of its IOMMU group", "change UUID NVFIO=1");
}

void plan_release(struct json *json, const struct judgement *j, const char *to)
{
	const struct pci_function *fn = &j->self.fn;
	const struct record *rec = &j->self.record;
	const char *driver = to ? to : rec->driver;

	show_record(json, fn, "that it is released, and what is given back");
	if (fn->on_vfio)
		show_driver(json, fn, fn->driver, "unbind");
	show_override(json, fn, rec->override);
	if (driver[0] && (fn->on_vfio || !fn->driver[0]))
		show_driver(json, fn, driver, "bind");
	else if (fn->on_vfio || !fn->driver[0])
		show_write(json, "/sys/bus/pci/drivers_probe", fn->name);
	show_record(json, fn, "that it is released");
	show_attribute(json, fn, "uevent",
		       driver[0] ? "change UUID NVFIO=1" : "change UUID NVFIO=1, or add UUID if no driver took it");
}
