/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes into the facts of a function and of function 0 of its slot that a host could have: what the kernel, a record
 * and one event never show together is not made. For fuzz-policy.c.
 */
#ifndef NVFIO_FUZZ_WORLD_H
#define NVFIO_FUZZ_WORLD_H

#include "fuzz.h"
#include "policy.h"

struct world {
	const uint8_t *data, *end;
	struct pci_function fn[2];       /* the function, and function 0 of its slot */
	struct pci_function namer;       /* a GPU of its group that names it */
	struct settings set[2];
	struct facts f[2], answer[2];    /* answer: what gathering a fact yields */
};

/* A number below n from the input; 0 when it is used up. */
static unsigned int pick(struct world *w, unsigned int n)
{
	return w->data < w->end ? *w->data++ % n : 0;
}
#define PICK(w, array) ((array)[pick(w, ARRAY_SIZE(array))])

static void make_function(struct world *w, struct pci_function *fn, unsigned int number)
{
	static const uint32_t class[] = { 0x030200, 0x030000, 0x040300, 0x0c0330, 0x068000, 0x038000, 0x060400,
					  0x010802, 0x020000, 0x060100, 0x0c0340, 0x088000 };
	static const uint16_t device[] = { 0x2331, 0x2e12, 0x1aef }; /* the second is integrated graphics */
	static const uint16_t vendor[] = { 0x10de, 0x10de, 0x10de, 0x1002 };
	static const char *const driver[] = { "", "", "nvidia", "nouveau", "vfio-pci", "snd_hda_intel", "pci-stub" };

	*fn = (struct pci_function){ .dirfd = -1, .bdf = { 0, 1, 0, (uint8_t)number }, .class = PICK(w, class),
				     .ids = { .vendor = PICK(w, vendor), .device = PICK(w, device) } };
	fn->on_vfio = pick(w, 4) == 1;
	strcpy(fn->driver, fn->on_vfio ? pick(w, 2) ? "nvidia" : "vfio-pci" : PICK(w, driver));
	fn->has_group = pick(w, 4) != 1;
	fn->is_vf = pick(w, 3) == 1;
	strcpy(fn->physfn, fn->is_vf && pick(w, 2) ? "0000:01:00.0" : "");
	fn->has_sriov = !fn->is_vf && pick(w, 2);
	fn->has_vfs = fn->has_sriov && pick(w, 2);
	fn->is_bridge = (fn->class >> 16 == 0x06 && !pci_is_nvswitch(fn->class)) || pick(w, 16) == 1;
	fn->boot_vga = pci_is_display(fn->class) && pick(w, 4) == 1;
}

static void make_settings(struct world *w, struct settings *s)
{
	static const enum choice or_native[] = { CHOICE_VFIO, CHOICE_NATIVE };
	static const enum choice vf[] = { CHOICE_AUTO, CHOICE_VFIO, CHOICE_NATIVE };
	static const enum choice takeover[] = { CHOICE_HOTPLUG, CHOICE_IDLE, CHOICE_NEVER };
	static const enum choice autoprobe[] = { CHOICE_AUTO, CHOICE_KEEP, CHOICE_OFF };

	config_resolve(NULL, &(struct config_subject){ 0 }, s);
	for (unsigned int key = 0; key < KEY_COUNT; key++) {
		s->key[key].level = (enum config_level)pick(w, LEVEL_ADDRESS + 1);
		s->key[key].choice = key == KEY_VF	     ? PICK(w, vf) :
				     key == KEY_TAKEOVER     ? PICK(w, takeover) :
				     key == KEY_VF_AUTOPROBE ? PICK(w, autoprobe) :
							       PICK(w, or_native);
	}
}

static void make_facts(struct world *w, unsigned int i)
{
	static const char *const name[] = { "", "vfio-pci", "nvgrace_gpu_vfio_pci", "pci-stub" };
	unsigned int record = pick(w, 4), acts = pick(w, 6);
	struct facts *f = &w->f[i];

	*f = (struct facts){ .fn = &w->fn[i], .settings = &w->set[i], .in_flight = acts == 1,
			     .released = record == 1, .ours = record == 2 ? name[1 + pick(w, 2)] : NULL, .stays = record == 3,
			     .was_deferred = pick(w, 2), .was_met = pick(w, 2), .driverctl = pick(w, 6) == 1 };
	/* The override of a bound function is not read, and to find the device lock held is to fail to read it. */
	f->busy = acts == 2 && !f->fn->driver[0];
	f->override = f->fn->driver[0] || f->in_flight || f->busy ? NULL : PICK(w, name);
	f->driver_status = (enum driver_status)pick(w, DRIVER_INSTALL_COMMAND + 1);
	strcpy(f->driver.module, pick(w, 2) ? "vfio_pci" : "nvgrace_gpu_vfio_pci");
	strcpy(f->driver.driver, pick(w, 2) ? name[1 + (f->driver.module[0] == 'n')] : "");
	f->console = (enum tri)pick(w, 3);
	f->vgpu = (enum tri)pick(w, 3);
	f->critical = (enum tri)pick(w, 3);
	f->held = (enum tri)pick(w, 3);
	w->answer[i] = (struct facts){ .driver_status = (enum driver_status)(1 + pick(w, DRIVER_INSTALL_COMMAND)),
				       .console = (enum tri)(1 + pick(w, 2)), .vgpu = (enum tri)(1 + pick(w, 2)),
				       .critical = (enum tri)(1 + pick(w, 2)),
				       .held = (enum tri)(1 + pick(w, 2)) };
}

static void make_world(struct world *w)
{
	unsigned int number = pick(w, 2), event = pick(w, EVENT_COUNT), admin = pick(w, 3), host = pick(w, 64);

	for (unsigned int i = 0; i < 2; i++) {
		make_function(w, &w->fn[i], i ? 0 : number);
		make_settings(w, &w->set[i]);
		make_facts(w, i);
		w->f[i].event = (enum event_kind)event;
		w->f[i].iommu_present = !(host & 1);
		w->f[i].group_comes_late = host & 2;
		w->f[i].off = (host & 0x1c) == 4;
		w->f[i].config_broken = (host & 0x1c) == 8;
		if (w->f[i].config_broken) /* config_load() yields no half of one */
			config_resolve(NULL, &(struct config_subject){ 0 }, &w->set[i]);
		w->f[i].role = policy_role(&w->fn[i], NULL);
	}
	w->f[0].admin = (enum admin)admin; /* a companion's event does not see function 0's rules */
	if (number != 0 && pci_is_companion_class(w->fn[0].class))
		w->f[0].function0 = &w->f[1];
	w->f[0].role = policy_role(&w->fn[0], w->f[0].function0 ? &w->fn[1] : NULL);
	w->namer = (struct pci_function){ .dirfd = -1, .class = 0x030200, .ids.vendor = 0x10de, .on_vfio = pick(w, 4) != 1 };
	if (policy_needs_naming(w->f[0].role) && pick(w, 4) != 1)
		w->f[0].named_by = &w->namer;
	if (w->f[0].event == EVENT_REQUEST) {
		w->f[0].asked = w->f[1].asked = pick(w, 2);
		w->f[0].forced = w->f[1].forced = pick(w, 4) == 1;
	}
}

#endif
