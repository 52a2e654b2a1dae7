// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The decision table, a row a line or two. Rows are grouped into functions of one subject each; the first that has an
 * opinion ends the matter. REASON_NONE means "no opinion, next row".
 */
#include "policy.h"

#include "driver.h"

static const struct verdict no_opinion = { .code = VERDICT_BIND, .reason = REASON_NONE };

static struct verdict say(enum verdict_code code, enum reason reason)
{
	return (struct verdict){ .code = code, .reason = reason };
}

static struct verdict ask(enum need need, const struct facts *whose)
{
	return (struct verdict){ .code = VERDICT_NEED, .need = need, .whose = whose };
}

static bool decided(struct verdict v)
{
	return v.code == VERDICT_NEED || v.reason != REASON_NONE;
}

enum role policy_role(const struct pci_function *fn, const struct pci_function *function0)
{
	if (fn->ids.vendor != PCI_VENDOR_NVIDIA)
		return ROLE_FOREIGN;
	if (pci_is_display(fn->class))
		return fn->is_vf ? ROLE_VF : fn->has_vfs ? ROLE_PF : ROLE_GPU;
	if (pci_is_nvswitch(fn->class))
		return ROLE_NVSWITCH;
	if (pci_is_companion_class(fn->class) && function0 && fn->bdf.function != 0 &&
	    function0->ids.vendor == PCI_VENDOR_NVIDIA && pci_is_display(function0->class))
		return ROLE_COMPANION;
	return ROLE_OTHER;
}

enum config_key policy_role_key(enum role role)
{
	switch (role) {
	case ROLE_COMPANION:
		return KEY_COMPANION;
	case ROLE_VF:
		return KEY_VF;
	case ROLE_NVSWITCH:
		return KEY_NVSWITCH;
	case ROLE_GPU:
	case ROLE_PF:
	case ROLE_OTHER:
	case ROLE_FOREIGN:
	case ROLE_COUNT:
	default:
		return KEY_GPU;
	}
}

static enum choice choice_of(const struct facts *f, enum config_key key)
{
	return f->settings->key[key].choice;
}

/* Named: by address, or by an administrator's rule. A model's section names a model, not this card. */
static bool named(const struct facts *f)
{
	const struct setting *s = &f->settings->key[policy_role_key(f->role)];

	return f->admin == ADMIN_VFIO || (s->level == LEVEL_ADDRESS && s->choice == CHOICE_VFIO);
}

bool policy_needs_naming(enum role role)
{
	return role == ROLE_FOREIGN || role == ROLE_OTHER;
}

/* A function that goes with a GPU because the GPU's settings name it, and for no reason of its own. */
static bool is_sibling(const struct facts *f)
{
	return f->role == ROLE_FOREIGN || (f->role == ROLE_OTHER && f->named_by && !named(f));
}

/* `gpu`, which speaks for the roles that have no key of their own, means GPUs: for a sibling only its own section counts. */
static bool is_configured_native(const struct facts *f)
{
	const struct setting *s = &f->settings->key[policy_role_key(f->role)];

	/* What is said about this very function holds against a request for it; what is said about its kind does not. */
	if (f->asked && s->level != LEVEL_ADDRESS)
		return false;
	return s->choice == CHOICE_NATIVE && (!is_sibling(f) || s->level == LEVEL_ADDRESS);
}

static bool on_vgpu(const struct facts *f)
{
	/* A vGPU VF is a VFIO device and on nvidia at once: nvidia.ko itself is its VFIO driver. */
	return f->fn->on_vfio && streq(f->fn->driver, "nvidia");
}

static struct verdict judge_wish(const struct facts *f)
{
	if (f->off)
		return say(VERDICT_LEAVE, REASON_OFF);
	if (f->admin == ADMIN_NATIVE)
		return say(VERDICT_LEAVE, REASON_ADMIN);
	if (f->config_broken)
		return say(VERDICT_LEAVE, REASON_CONFIG_BROKEN);
	if (is_configured_native(f) && f->admin != ADMIN_VFIO)
		return say(VERDICT_LEAVE, f->ours && f->fn->on_vfio ? REASON_NATIVE_BUT_BOUND : REASON_CONFIGURED);
	return no_opinion;
}

static struct verdict judge_owner(const struct facts *f)
{
	if (f->in_flight || f->busy)
		return say(VERDICT_LEAVE, REASON_IN_FLIGHT);
	if (f->fn->on_vfio && !on_vgpu(f))
		return say(VERDICT_BOUND, REASON_ON_VFIO);
	if (f->released && f->event != EVENT_REQUEST)
		return say(VERDICT_LEAVE, REASON_RELEASED);
	if (f->driverctl)
		return say(VERDICT_LEAVE, REASON_DRIVERCTL);
	if (pci_is_foreign_stub(f->fn->driver))
		return say(VERDICT_LEAVE, REASON_STUB_DRIVER);
	if (f->override && f->override[0]) {
		if (f->driver_status == DRIVER_UNKNOWN)
			return ask(NEED_DRIVER, f);
		if (f->driver_status != DRIVER_FOUND || policy_override_is_foreign(f->override, &f->driver, f->ours))
			return say(VERDICT_LEAVE, REASON_OVERRIDE);
	}
	return no_opinion;
}

static struct verdict judge_kind(const struct facts *f)
{
	/* An address on a command line tells what is meant, but not that the console on it is known of (judge_console). */
	if (f->role == ROLE_OTHER && ((!named(f) && !f->asked && !f->named_by) || f->fn->is_bridge))
		return say(VERDICT_LEAVE, REASON_NOT_GPU);
	if (pci_is_integrated_gpu(&f->fn->ids) && !named(f) && !f->asked)
		return say(VERDICT_LEAVE, REASON_INTEGRATED);
	return no_opinion;
}

/*
 * A sibling is taken after the GPU that names it, and not for an event of its own: before a follow-up came, nobody asked.
 * Behind a bridge are other functions, and the kernel lets VFIO have the group with its driver on it.
 */
static struct verdict judge_sibling(const struct facts *f)
{
	if (!is_sibling(f))
		return no_opinion;
	if (!f->named_by || f->fn->is_bridge)
		return say(VERDICT_LEAVE, REASON_NOT_NVIDIA);
	if (!f->named_by->on_vfio ||
	    (f->event != EVENT_FOLLOW_UP && f->event != EVENT_REQUEST && !f->was_met && !f->ours))
		return say(VERDICT_LEAVE, REASON_FUNCTION0);
	return no_opinion;
}

static struct verdict judge_console(const struct facts *f)
{
	/* Of a sibling no word lifts this, and any class may draw: 0380, or whatever firmware left its framebuffer on. */
	if (!is_sibling(f) &&
	    (!pci_is_display(f->fn->class) || named(f) || choice_of(f, KEY_BOOT_VGA) == CHOICE_VFIO))
		return no_opinion;
	if (f->fn->boot_vga)
		return say(VERDICT_LEAVE, REASON_BOOT_VGA);
	if (f->console == TRI_UNKNOWN)
		return ask(NEED_CONSOLE, f);
	return f->console == TRI_YES ? say(VERDICT_LEAVE, REASON_CONSOLE) : no_opinion;
}

/* A card is passed through as a whole: what function 0 does not do, its companions do not do either. */
static struct verdict judge_companion(const struct facts *f)
{
	struct facts first;
	struct verdict v;

	if (f->role != ROLE_COMPANION || !f->function0)
		return no_opinion;
	if (f->event == EVENT_FOLLOW_UP)
		return f->function0->fn->on_vfio ? no_opinion : say(VERDICT_LEAVE, REASON_FUNCTION0);
	if (f->function0->stays && !f->function0->fn->on_vfio)
		return say(VERDICT_LEAVE, REASON_FUNCTION0);
	first = *f->function0;
	/* The companion's driver let go, not function 0's. */
	first.event = f->event == EVENT_RELEASE ? EVENT_REAPPLY : f->event;
	v = policy_judge(&first);
	if (v.code == VERDICT_NEED) {
		v.whose = f->function0;
		return v;
	}
	/* In flight: nvfio has decided to take function 0, and found nobody using it. */
	if (v.code == VERDICT_BIND || v.code == VERDICT_BOUND || (v.reason == REASON_IN_FLIGHT && !first.busy))
		return no_opinion;
	return say(v.code, REASON_FUNCTION0);
}

static struct verdict judge_sriov(const struct facts *f)
{
	enum choice vf = choice_of(f, KEY_VF);

	if (f->fn->has_vfs)
		return say(VERDICT_LEAVE, REASON_PF_HAS_VFS);
	if (is_sibling(f))
		return no_opinion;
	if (f->role == ROLE_VF) {
		if (on_vgpu(f))
			return say(VERDICT_LEAVE, REASON_VGPU);
		if (!f->fn->physfn[0] && f->settings->key[KEY_VF].level != LEVEL_ADDRESS && f->admin != ADMIN_VFIO)
			return say(VERDICT_DEFER, REASON_NO_PHYSFN);
		if (vf == CHOICE_VFIO || f->admin == ADMIN_VFIO)
			return no_opinion;
	} else if (!f->fn->has_sriov) {
		return no_opinion;
	}
	if (f->vgpu == TRI_UNKNOWN)
		return ask(NEED_VGPU, f);
	return f->vgpu == TRI_YES ? say(VERDICT_LEAVE, REASON_VGPU) : no_opinion;
}

/* Would the bind work? Asked before anything is written: afterwards the function has lost its native driver already. */
static struct verdict judge_ability(const struct facts *f)
{
	if (!f->fn->has_group && !(f->group_comes_late && f->iommu_present))
		return say(VERDICT_REFUSE, REASON_NO_IOMMU);
	switch (f->driver_status) {
	case DRIVER_UNKNOWN:
		return ask(NEED_DRIVER, f);
	case DRIVER_NO_MODULE:
		return say(VERDICT_REFUSE, REASON_NO_MODULE);
	case DRIVER_BLACKLISTED:
		return say(VERDICT_REFUSE, REASON_BLACKLISTED);
	case DRIVER_INSTALL_COMMAND:
		return say(VERDICT_REFUSE, REASON_INSTALL_COMMAND);
	case DRIVER_FOUND:
	default:
		return no_opinion;
	}
}

/*
 * The host may live on what is no GPU, a disk controller of NVIDIA's included, and nobody has to have it open for that.
 * NVIDIA's audio and USB functions that only their own section names are judged by their users, as a GPU's are.
 */
static struct verdict judge_critical(const struct facts *f)
{
	if (!policy_needs_naming(f->role) || (!f->named_by && pci_is_companion_class(f->fn->class)))
		return no_opinion;
	if (is_sibling(f) && !pci_is_judgeable(f->fn->class))
		return say(VERDICT_REFUSE, REASON_CRITICAL);
	if (f->critical == TRI_UNKNOWN)
		return ask(NEED_CRITICAL, f);
	return f->critical == TRI_YES ? say(VERDICT_REFUSE, REASON_CRITICAL) : no_opinion;
}

static struct verdict judge_idle(const struct facts *f)
{
	if (f->forced)
		return say(VERDICT_BIND, REASON_FORCED);
	if (f->held == TRI_UNKNOWN)
		return ask(NEED_HOLDERS, f);
	if (f->held != TRI_YES)
		return say(VERDICT_BIND, REASON_IDLE);
	return f->event == EVENT_REQUEST ? say(VERDICT_REFUSE, REASON_BUSY) : say(VERDICT_DEFER, REASON_HELD);
}

static struct verdict judge_event(const struct facts *f)
{
	/* What hotplug deferred, or what was interrupted, has been met before: a replayed add is no boot for it. */
	bool met = f->was_deferred || f->ours;
	enum choice takeover = choice_of(f, KEY_TAKEOVER);

	if (f->event == EVENT_COLDPLUG && choice_of(f, KEY_BOOT) == CHOICE_NATIVE && f->admin != ADMIN_VFIO && !met &&
	    !is_sibling(f))
		return say(VERDICT_LEAVE, REASON_BOOT);
	if (!f->fn->driver[0])
		return say(VERDICT_BIND, REASON_NO_DRIVER);
	/* Its address was written down so that it goes with a GPU, and that GPU is on VFIO: no second wish is needed. */
	if (is_sibling(f))
		return takeover == CHOICE_NEVER ? say(VERDICT_LEAVE, REASON_TAKEOVER_NEVER) : judge_idle(f);
	/* `takeover` is about events that nobody sent for this function. */
	if (f->event == EVENT_HOTPLUG || f->event == EVENT_REQUEST)
		return judge_idle(f);
	if ((f->event == EVENT_FOLLOW_UP || f->event == EVENT_RELEASE) && f->function0 && f->function0->fn->on_vfio)
		return judge_idle(f);
	if (takeover == CHOICE_NEVER)
		return say(VERDICT_LEAVE, REASON_TAKEOVER_NEVER);
	if (takeover == CHOICE_IDLE)
		return judge_idle(f);
	return say(VERDICT_DEFER, REASON_TAKEOVER);
}

static const struct {
	const char *name;
	struct verdict (*judge)(const struct facts *f);
} rows[] = {
	{ "wish", judge_wish },
	{ "owner", judge_owner },
	{ "kind", judge_kind },
	{ "sibling", judge_sibling },
	{ "console", judge_console },
	{ "sriov", judge_sriov },
	{ "companion", judge_companion },
	{ "ability", judge_ability },
	{ "critical", judge_critical },
	{ "event", judge_event },
};

const char *policy_row(unsigned int i, const struct facts *f, struct verdict *ret)
{
	if (i >= ARRAY_SIZE(rows))
		return NULL;
	*ret = rows[i].judge(f);
	return rows[i].name;
}

struct verdict policy_judge(const struct facts *f)
{
	struct verdict v = no_opinion;
	unsigned int i;

	/* The last row always has an opinion. */
	for (i = 0; policy_row(i, f, &v) && !decided(v); i++)
		;
	return v;
}

bool policy_override_is_foreign(const char *override, const struct vfio_driver *wanted, const char *ours)
{
	if (!override[0] || (ours && streq(override, ours)))
		return false;
	/* Until its module is loaded a driver's name is not known for certain. */
	return wanted->driver[0] ? !streq(override, wanted->driver) : !driver_same_name(override, wanted->module);
}

/* A PF that keeps its native driver because of what it is or is configured to be, and so may have VFs. */
static bool stays_native(const struct verdict *v)
{
	static const enum reason native[] = {
		REASON_ADMIN, REASON_CONFIGURED, REASON_BOOT_VGA, REASON_CONSOLE, REASON_PF_HAS_VFS, REASON_VGPU,
		REASON_BOOT, REASON_TAKEOVER_NEVER,
	};
	unsigned int i;

	for (i = 0; v->code == VERDICT_LEAVE && i < ARRAY_SIZE(native); i++) {
		if (v->reason == native[i])
			return true;
	}
	return v->code == VERDICT_DEFER;
}

static enum autoprobe vfs_wish(const struct facts *f, enum need *ret_need)
{
	enum choice autoprobe = choice_of(f, KEY_VF_AUTOPROBE);

	if (autoprobe == CHOICE_OFF)
		return AUTOPROBE_OFF;
	if (autoprobe == CHOICE_KEEP || choice_of(f, KEY_VF) == CHOICE_NATIVE)
		return AUTOPROBE_ON;
	if (choice_of(f, KEY_VF) == CHOICE_VFIO)
		return AUTOPROBE_OFF;
	*ret_need = NEED_VGPU;
	return f->vgpu == TRI_UNKNOWN ? AUTOPROBE_NEED : f->vgpu == TRI_YES ? AUTOPROBE_ON : AUTOPROBE_OFF;
}

enum autoprobe policy_vf_autoprobe(const struct facts *f, const struct verdict *v, enum need *ret_need)
{
	enum autoprobe wish;
	struct verdict able;

	if (!f->fn->has_sriov || (f->role != ROLE_GPU && f->role != ROLE_PF))
		return AUTOPROBE_KEEP;
	/* Nothing is taken then, VFs neither. */
	if (f->config_broken)
		return AUTOPROBE_ON;
	if (!stays_native(v))
		return AUTOPROBE_KEEP;
	wish = vfs_wish(f, ret_need);
	if (wish != AUTOPROBE_OFF || choice_of(f, KEY_VF_AUTOPROBE) == CHOICE_OFF)
		return wish;
	able = judge_ability(f);
	if (able.code == VERDICT_NEED) {
		*ret_need = able.need;
		return AUTOPROBE_NEED;
	}
	return decided(able) ? AUTOPROBE_ON : AUTOPROBE_OFF;
}

static const struct {
	const char *name, *text;
} reasons[REASON_COUNT] = {
	[REASON_NONE] = { "none", "no reason" },
	[REASON_OFF] = { "off", "nvfio=off is on the kernel command line" },
	[REASON_ADMIN] = { "rule", "a udev rule says ENV{NVFIO}=native" },
	[REASON_CONFIGURED] = { "configured", "configured native" },
	[REASON_NATIVE_BUT_BOUND] = { "native-but-bound",
				      "configured native, but nvfio put it on VFIO before; `nvfio unbind` gives it back" },
	[REASON_CONFIG_BROKEN] = { "config-broken", "the configuration does not parse, so nothing is taken" },
	[REASON_IN_FLIGHT] = { "in-flight", "it is being acted on right now" },
	[REASON_ON_VFIO] = { "on-vfio", "it is on VFIO already" },
	[REASON_RELEASED] = { "released", "`nvfio unbind` gave it back; re-plug it or use `nvfio bind`" },
	[REASON_DRIVERCTL] = { "driverctl", "driverctl manages it" },
	[REASON_STUB_DRIVER] = { "stub-driver", "another manager put it on a stub driver" },
	[REASON_OVERRIDE] = { "override", "another manager set its driver_override" },
	[REASON_NOT_NVIDIA] = { "not-nvidia", "it is not an NVIDIA function" },
	[REASON_NOT_GPU] = { "not-gpu", "it is no GPU and no companion of one; a section of its address takes it" },
	[REASON_INTEGRATED] = { "integrated", "it is integrated graphics; a section of its address takes it" },
	[REASON_BOOT_VGA] = { "boot-vga", "it is the boot VGA device; a section of its address or boot-vga = vfio takes it" },
	[REASON_CONSOLE] = { "console", "the console or a display is on it; a section of its address takes it" },
	[REASON_FUNCTION0] = { "function0", "it follows function 0 of its card, or of the card that names it" },
	[REASON_PF_HAS_VFS] = { "pf-has-vfs", "it is a PF with VFs" },
	[REASON_VGPU] = { "vgpu-host", "the host looks like a vGPU host, which needs it; for a VF, vf = vfio takes it all the same" },
	[REASON_NO_PHYSFN] = { "no-physfn", "its PF is not known yet; the kernel's next event for it tells" },
	[REASON_NO_IOMMU] = { "no-iommu", "it has no IOMMU group; enable the IOMMU (intel_iommu=on, firmware)" },
	[REASON_NO_MODULE] = { "no-module", "no VFIO module for it is installed" },
	[REASON_BLACKLISTED] = { "blacklisted", "its VFIO module is blacklisted" },
	[REASON_INSTALL_COMMAND] = { "install-command", "modprobe.d has an install command for its VFIO module" },
	[REASON_CRITICAL] = { "critical", "the host needs what is on it; free it and replay its event to take it" },
	[REASON_BOOT] = { "boot", "it was found at boot; boot = vfio would take it" },
	[REASON_NO_DRIVER] = { "no-driver", "no driver is bound" },
	[REASON_IDLE] = { "idle", "nobody uses it" },
	[REASON_HELD] = { "held", "it is in use; it lands when its native driver lets go" },
	[REASON_TAKEOVER] = { "takeover",
			      "its native driver has it and this is no hotplug; it lands when that driver lets go" },
	[REASON_TAKEOVER_NEVER] = { "takeover-never", "its native driver has it and takeover = never" },
	[REASON_BUSY] = { "busy", "it is in use; end its users and try again" },
	[REASON_FORCED] = { "forced", "whether it is in use was not asked" },
};

const char *policy_reason_name(enum reason reason)
{
	return reasons[reason].name;
}

const char *policy_reason_text(enum reason reason)
{
	return reasons[reason].text;
}

const char *policy_event_name(enum event_kind event)
{
	static const char *const name[EVENT_COUNT] = {
		[EVENT_HOTPLUG] = "hotplug",	 [EVENT_COLDPLUG] = "coldplug", [EVENT_REAPPLY] = "reapply",
		[EVENT_FOLLOW_UP] = "follow-up", [EVENT_RELEASE] = "release",
		[EVENT_REQUEST] = "request",
	};

	return name[event];
}

const char *policy_role_name(enum role role)
{
	static const char *const name[ROLE_COUNT] = {
		[ROLE_GPU] = "gpu",	      [ROLE_PF] = "pf",		[ROLE_VF] = "vf",
		[ROLE_COMPANION] = "companion", [ROLE_NVSWITCH] = "nvswitch", [ROLE_OTHER] = "other",
		[ROLE_FOREIGN] = "foreign",
	};

	return name[role];
}

/* The verdict, and the state a function is in after it. */
static const struct {
	const char *verdict, *state;
} codes[] = {
	[VERDICT_BIND] = { "bind", "bind" },	[VERDICT_BOUND] = { "bound", "bound" },
	[VERDICT_LEAVE] = { "leave", "left" },	[VERDICT_DEFER] = { "defer", "deferred" },
	[VERDICT_REFUSE] = { "refuse", "refused" }, [VERDICT_NEED] = { "need", "need" },
};

const char *policy_verdict_name(enum verdict_code code)
{
	return codes[code].verdict;
}

const char *policy_state_name(enum verdict_code code)
{
	return codes[code].state;
}
