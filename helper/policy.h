/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What should happen to a function: facts in, verdict out. Pure: no I/O, no log, no clock, so that every row of the
 * decision table is a test. Facts that cost something are gathered only when a verdict turns on them: policy_judge()
 * then answers VERDICT_NEED and says which.
 */
#ifndef NVFIO_POLICY_H
#define NVFIO_POLICY_H

#include "config.h"
#include "kmod.h"
#include "pci.h"

enum event_kind {
	EVENT_HOTPLUG,   /* a kernel event: no SYNTH_UUID */
	EVENT_COLDPLUG,  /* replayed add: boot, switch-root, `udevadm trigger --action=add` */
	EVENT_REAPPLY,   /* replayed change: plain `udevadm trigger` */
	EVENT_FOLLOW_UP, /* sent to companions and named siblings once function 0 is on VFIO */
	EVENT_RELEASE,   /* the native driver's unbind */
	EVENT_REQUEST,   /* no event: an administrator's `nvfio bind` */
	EVENT_COUNT
};

enum role {
	ROLE_GPU,       /* 10de, class 0300 or 0302; a PF too, as long as it has no VFs */
	ROLE_PF,        /* a GPU that has VFs */
	ROLE_VF,
	ROLE_COMPANION, /* audio, USB or UCSI of a card whose function 0 is a 10de display function */
	ROLE_NVSWITCH,
	ROLE_OTHER,     /* 10de, but none of these: nForce, Tegra bridges, class 0380 */
	ROLE_FOREIGN,   /* not 10de */
	ROLE_COUNT
};

/* What an administrator's rule said in ENV{NVFIO}. */
enum admin { ADMIN_SILENT, ADMIN_NATIVE, ADMIN_VFIO };

/* A fact that is gathered on demand. */
enum tri { TRI_UNKNOWN, TRI_NO, TRI_YES };

enum driver_status {
	DRIVER_UNKNOWN,
	DRIVER_FOUND,
	DRIVER_NO_MODULE,
	DRIVER_BLACKLISTED,
	DRIVER_INSTALL_COMMAND,
};

struct facts {
	enum event_kind event;
	const struct pci_function *fn;
	const struct settings *settings;
	enum role role;
	enum admin admin;
	bool off;               /* nvfio=off on the kernel command line */
	bool config_broken;
	bool in_flight;         /* its lock is held: nvfio acts on it */
	bool busy;              /* its device lock is held: somebody else acts on it */
	bool released;          /* by `nvfio unbind` */
	bool asked;             /* of a request: its address was given, or its card's; not --all */
	bool forced;            /* of a request: whether it is in use is not asked */
	const char *ours;       /* what we wrote into driver_override before (interrupted, claimed or bound); NULL: nothing */
	bool stays;             /* a function 0 that was left for what its companions cannot see */
	bool was_deferred;      /* NVFIO_STATE of its last event */
	bool was_met;           /* that was set: an earlier event led here */
	const struct pci_function *named_by; /* a GPU's function 0 of its group whose `siblings` names it; NULL: none */
	bool driverctl;         /* driverctl has an override saved for it */
	const char *override;   /* driver_override if it could be read, "" for unset, NULL for not read */
	bool iommu_present;     /* any IOMMU came up */
	bool group_comes_late;  /* the IOMMU group is made at the first probe (Arm, before 6.15) */
	enum driver_status driver_status;
	struct vfio_driver driver; /* where driver_status is DRIVER_FOUND */
	enum tri console;       /* firmware framebuffer, console or enabled connector on it */
	enum tri vgpu;          /* the host shows vGPU signs for it */
	enum tri critical;      /* of what is no GPU: the host needs what is on it, or that is in doubt */
	enum tri held;          /* somebody uses it through its native driver, or that is in doubt */
	const struct facts *function0; /* of a companion; NULL if the slot has none */
};

enum verdict_code {
	VERDICT_BIND,
	VERDICT_BOUND, /* it is on VFIO already */
	VERDICT_LEAVE,
	VERDICT_DEFER,
	VERDICT_REFUSE,
	VERDICT_NEED,  /* gather `need` of `whose` and judge again */
};

enum reason {
	REASON_NONE,
	REASON_OFF, REASON_ADMIN, REASON_CONFIGURED, REASON_NATIVE_BUT_BOUND, REASON_CONFIG_BROKEN, REASON_IN_FLIGHT,
	REASON_ON_VFIO, REASON_RELEASED, REASON_DRIVERCTL, REASON_STUB_DRIVER, REASON_OVERRIDE, REASON_NOT_NVIDIA,
	REASON_NOT_GPU, REASON_INTEGRATED, REASON_BOOT_VGA, REASON_CONSOLE, REASON_FUNCTION0, REASON_PF_HAS_VFS,
	REASON_VGPU, REASON_NO_PHYSFN, REASON_NO_IOMMU, REASON_NO_MODULE, REASON_BLACKLISTED,
	REASON_INSTALL_COMMAND, REASON_CRITICAL, REASON_BOOT, REASON_NO_DRIVER, REASON_IDLE, REASON_HELD, REASON_TAKEOVER,
	REASON_TAKEOVER_NEVER, REASON_BUSY, REASON_FORCED,
	REASON_COUNT
};

enum need { NEED_NONE, NEED_DRIVER, NEED_CONSOLE, NEED_VGPU, NEED_CRITICAL, NEED_HOLDERS };

struct verdict {
	enum verdict_code code;
	enum reason reason;
	enum need need;
	const struct facts *whose; /* the facts that lack `need`, the companion's own or function 0's */
};

/* Which part a function plays. function0 is that of its slot, NULL if there is none (or it is the function itself). */
enum role policy_role(const struct pci_function *fn, const struct pci_function *function0);

/* Whether a function of this role belongs to no GPU by itself, and is taken only where somebody names it. */
bool policy_needs_naming(enum role role);

/* The configuration key that speaks for a role. */
enum config_key policy_role_key(enum role role);

/* The first row of the decision table that fits. */
struct verdict policy_judge(const struct facts *facts);

/*
 * The rows of the table, in order, each asked by itself: the name of row i, with what it says in *ret (reason
 * REASON_NONE: nothing, the next row is asked). NULL after the last. For showing how a verdict came about.
 */
const char *policy_row(unsigned int i, const struct facts *facts, struct verdict *ret);

/*
 * Whether a driver_override found on the function belongs to somebody else: set, and neither the wanted driver nor what
 * we wrote ourselves (ours, NULL if there is no record).
 */
bool policy_override_is_foreign(const char *override, const struct vfio_driver *wanted, const char *ours);

enum autoprobe {
	AUTOPROBE_KEEP,         /* nothing to do with it */
	AUTOPROBE_OFF,
	AUTOPROBE_ON,           /* as the kernel has it: switched on again where it was us who switched it off */
	AUTOPROBE_NEED,         /* gather *ret_need and ask again */
};

/*
 * What should become of sriov_drivers_autoprobe of a PF that stays native: off where its VFs are for VFIO, so that the
 * native driver does not probe each of them first. Never off where the VFs would be refused: the kernel
 * would keep them from their native driver, too.
 */
enum autoprobe policy_vf_autoprobe(const struct facts *facts, const struct verdict *verdict, enum need *ret_need);

/* Short stable tokens for properties, log fields and tests: "held", "no-iommu", ... */
const char *policy_reason_name(enum reason reason);
const char *policy_event_name(enum event_kind event);
const char *policy_role_name(enum role role);

const char *policy_verdict_name(enum verdict_code code);

/* The state a verdict leads to where nothing has to be done: "left", "deferred", "refused", "bound". */
const char *policy_state_name(enum verdict_code code);

/* One sentence for people: why, and what happens next. Static text. */
const char *policy_reason_text(enum reason reason);

#endif
