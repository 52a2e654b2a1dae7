// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * policy_judge() on facts of a function and of function 0 of its card. What is not known is answered
 * when it is asked for: only what is unknown may be asked, of one of the two, and within 8 rounds
 * there is a verdict. What must never be bound is spelled out below, from the documents rather than
 * from the table: not what is in use, shows the console, belongs to somebody else, could not be
 * driven, or was bound natively before the event and no rule lets it be taken over; of what is not
 * NVIDIA's nothing that the host may need. Companions go where function 0 goes. VF autoprobe is not switched off for VFs that are native.
 */
#include "fuzz-world.h"

static bool named(const struct facts *f)
{
	const struct settings *s = f->settings;
	const struct setting *wish = f->role == ROLE_COMPANION ? &s->key[KEY_COMPANION] :
				     f->role == ROLE_VF	       ? &s->key[KEY_VF] :
				     f->role == ROLE_NVSWITCH  ? &s->key[KEY_NVSWITCH] :
								 &s->key[KEY_GPU];

	return f->admin == ADMIN_VFIO || (wish->level == LEVEL_ADDRESS && wish->choice == CHOICE_VFIO);
}

/* Sets the fact that is asked for; it must not have been known. */
static void answer(struct facts *f, const struct facts *with, enum need need)
{
	switch (need) {
	case NEED_DRIVER:
		MUST(f->driver_status == DRIVER_UNKNOWN);
		f->driver_status = with->driver_status;
		break;
	case NEED_CONSOLE:
		MUST(f->console == TRI_UNKNOWN);
		f->console = with->console;
		break;
	case NEED_VGPU:
		MUST(f->vgpu == TRI_UNKNOWN);
		f->vgpu = with->vgpu;
		break;
	case NEED_CRITICAL:
		MUST(f->critical == TRI_UNKNOWN);
		f->critical = with->critical;
		break;
	case NEED_HOLDERS:
		MUST(f->held == TRI_UNKNOWN);
		f->held = with->held;
		break;
	case NEED_NONE:
	default:
		MUST(!"a need");
	}
}

static struct verdict judge(struct world *w, const struct facts *f)
{
	for (unsigned int round = 0; round <= 8; round++) {
		struct verdict v = policy_judge(f), again = policy_judge(f);

		MUST(v.code == again.code && v.reason == again.reason && v.need == again.need);
		if (v.code != VERDICT_NEED) {
			MUST(v.reason > REASON_NONE && v.reason < REASON_COUNT);
			return v;
		}
		MUST(v.whose == f || (f->function0 && v.whose == f->function0));
		answer(&w->f[v.whose == &w->f[1]], &w->answer[v.whose == &w->f[1]], v.need);
	}
	MUST(!"a verdict within 8 rounds");
	abort();
}

static bool able(const struct facts *f)
{
	return (f->fn->has_group || (f->group_comes_late && f->iommu_present)) && f->driver_status == DRIVER_FOUND;
}

/* What is bound natively is taken only if nobody uses it, and if the event or the configuration lets it be taken. */
static void check_takeover(const struct facts *f)
{
	bool follows = (f->event == EVENT_FOLLOW_UP || f->event == EVENT_RELEASE) && f->function0 &&
		       f->function0->fn->on_vfio;

	MUST(f->held == TRI_NO || f->forced);
	MUST(f->event == EVENT_HOTPLUG || f->event == EVENT_REQUEST || follows || f->settings->key[KEY_TAKEOVER].choice == CHOICE_IDLE);
}

/* Judged for its own event; a release is not its own. On a follow-up it is enough that it is on VFIO. */
static void check_function0(struct world *w, const struct facts *f)
{
	struct verdict v;

	if (f->event == EVENT_FOLLOW_UP) {
		MUST(f->function0->fn->on_vfio);
		return;
	}
	MUST(!f->function0->stays || f->function0->fn->on_vfio);
	if (f->event == EVENT_RELEASE)
		w->f[1].event = EVENT_REAPPLY;
	v = judge(w, &w->f[1]);
	MUST(!f->forced || f->event == EVENT_REQUEST);
	MUST(v.code == VERDICT_BIND || v.code == VERDICT_BOUND || (w->f[1].in_flight && v.reason == REASON_IN_FLIGHT));
	MUST(!w->f[1].busy);
}

/* Goes with a GPU by the GPU's list alone; what its own section or a rule says never takes it, nor makes it less critical. */
static bool is_sibling(const struct facts *f)
{
	return f->role == ROLE_FOREIGN || (f->role == ROLE_OTHER && f->named_by && !named(f));
}

static void check_sibling(const struct facts *f)
{
	static const uint8_t base[] = { 0x01, 0x02, 0x03, 0x04, 0x07, 0x0c, 0x12 };
	const struct setting *own = &f->settings->key[KEY_GPU];

	MUST(f->named_by && f->named_by->on_vfio && f->named_by->ids.vendor == 0x10de);
	MUST(f->event == EVENT_FOLLOW_UP || f->event == EVENT_REQUEST || f->was_met || f->ours);
	MUST(!f->fn->is_bridge && memchr(base, (int)(f->fn->class >> 16), sizeof(base)) && f->fn->class != 0x0c0340);
	MUST(!f->fn->boot_vga && f->console == TRI_NO);
	MUST(f->critical == TRI_NO && (!f->fn->driver[0] || f->held == TRI_NO || f->forced));
	MUST(own->level != LEVEL_ADDRESS || own->choice != CHOICE_NATIVE || f->admin == ADMIN_VFIO);
	MUST(!f->fn->driver[0] || f->settings->key[KEY_TAKEOVER].choice != CHOICE_NEVER);
}

static void check_bind(struct world *w, const struct facts *f)
{
	const struct pci_function *fn = f->fn;
	const struct settings *s = f->settings;

	MUST(!f->off && !f->config_broken && f->admin != ADMIN_NATIVE);
	MUST(!f->in_flight && !f->busy && (!f->released || f->event == EVENT_REQUEST) && !f->driverctl && !pci_is_foreign_stub(fn->driver));
	MUST(!f->override || !policy_override_is_foreign(f->override, &f->driver, f->ours));
	MUST(!fn->has_vfs && able(f));
	MUST(f->critical == TRI_NO || !policy_needs_naming(f->role) || (!f->named_by && pci_is_companion_class(fn->class)));
	if (is_sibling(f)) {
		check_sibling(f);
		return;
	}
	MUST(s->key[policy_role_key(f->role)].choice != CHOICE_NATIVE || f->admin == ADMIN_VFIO ||
	     (f->asked && s->key[policy_role_key(f->role)].level != LEVEL_ADDRESS));
	MUST((f->role != ROLE_OTHER && !pci_is_integrated_gpu(&fn->ids)) || named(f) || f->asked);
	MUST(f->role != ROLE_OTHER || !fn->is_bridge);
	if (pci_is_display(fn->class) && !named(f) && s->key[KEY_BOOT_VGA].choice != CHOICE_VFIO)
		MUST(!fn->boot_vga && f->console == TRI_NO);
	MUST(f->vgpu == TRI_NO || !(fn->has_sriov || f->role == ROLE_VF) ||
	     (f->role == ROLE_VF && (s->key[KEY_VF].choice == CHOICE_VFIO || f->admin == ADMIN_VFIO)));
	MUST(f->event != EVENT_COLDPLUG || s->key[KEY_BOOT].choice != CHOICE_NATIVE || f->admin == ADMIN_VFIO ||
	     f->was_deferred || f->ours);
	if (fn->driver[0])
		check_takeover(f);
	if (f->role == ROLE_COMPANION)
		check_function0(w, f);
}

static void check_autoprobe(struct world *w, struct facts *f, const struct verdict *v)
{
	enum choice vf = f->settings->key[KEY_VF].choice, key = f->settings->key[KEY_VF_AUTOPROBE].choice;
	enum need need = NEED_NONE;
	enum autoprobe probe = policy_vf_autoprobe(f, v, &need);

	for (unsigned int round = 0; probe == AUTOPROBE_NEED && round < 4; round++) {
		answer(f, &w->answer[0], need);
		probe = policy_vf_autoprobe(f, v, &need);
	}
	MUST(probe == AUTOPROBE_KEEP || probe == AUTOPROBE_OFF || probe == AUTOPROBE_ON);
	if (probe != AUTOPROBE_OFF)
		return;
	MUST(f->fn->has_sriov && v->code != VERDICT_BIND && v->code != VERDICT_BOUND && !f->off && !f->config_broken);
	MUST(key == CHOICE_OFF || (key == CHOICE_AUTO && vf != CHOICE_NATIVE && able(f)));
	MUST(key == CHOICE_OFF || vf == CHOICE_VFIO || f->vgpu == TRI_NO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .data = data, .end = data + size };
	struct verdict v;

	make_world(&w);
	v = judge(&w, &w.f[0]);
	check_autoprobe(&w, &w.f[0], &v);
	if (v.code == VERDICT_BIND)
		check_bind(&w, &w.f[0]);
	else if (v.code == VERDICT_BOUND)
		MUST(w.fn[0].on_vfio);
	return 0;
}
