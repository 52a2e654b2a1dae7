// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The decision table, row by row. Each case starts from one function for which everything speaks for VFIO (hotplugged,
 * no driver) and changes what the row is about.
 */
#include "policy.h"
#include "test.h"

/* One function with its settings and facts. */
struct world {
	struct pci_function fn, fn0;
	struct settings set, set0;
	struct facts f, f0;
};

static void defaults(struct settings *s)
{
	config_resolve(NULL, &(struct config_subject){ 0 }, s);
}

static void set(struct settings *s, enum config_key key, enum choice choice, enum config_level level)
{
	s->key[key].choice = choice;
	s->key[key].level = level;
}

static void gpu(struct pci_function *fn)
{
	*fn = (struct pci_function){ .dirfd = -1, .ids = { 0x10de, 0x2331, 0x10de, 0x1626 }, .class = 0x030200,
				     .has_group = true, .group = "7", .bdf = { 0, 1, 0, 0 }, .name = "0000:01:00.0" };
}

static void willing(struct facts *f, const struct pci_function *fn, const struct settings *s)
{
	*f = (struct facts){ .event = EVENT_HOTPLUG, .fn = fn, .settings = s, .role = ROLE_GPU, .iommu_present = true,
			     .driver_status = DRIVER_FOUND, .driver = { "vfio_pci", "vfio-pci" }, .console = TRI_NO,
			     .vgpu = TRI_NO, .critical = TRI_NO, .held = TRI_NO };
}

static struct world gpu_world(void)
{
	struct world w;

	memset(&w, 0, sizeof(w));
	defaults(&w.set);
	defaults(&w.set0);
	gpu(&w.fn);
	return w;
}

/* Pointers are set last: a world is returned by value. */
static void settle_pointers(struct world *w)
{
	willing(&w->f, &w->fn, &w->set);
}

static struct world companion_world(void)
{
	struct world w = gpu_world();

	gpu(&w.fn0);
	w.fn.bdf.function = 1;
	w.fn.class = 0x040300;
	return w;
}

static void settle_companion(struct world *w)
{
	settle_pointers(w);
	willing(&w->f0, &w->fn0, &w->set0);
	w->f.role = ROLE_COMPANION;
	w->f.function0 = &w->f0;
}

/* A disk of another vendor that a GPU on VFIO names, met by its follow-up event; nothing is on it. */
static struct world sibling_world(void)
{
	struct world w = gpu_world();

	gpu(&w.fn0);
	w.fn0.on_vfio = true;
	w.fn.bdf = (struct bdf){ 0, 5, 0, 0 };
	w.fn.ids.vendor = 0x144d;
	w.fn.class = 0x010802;
	strcpy(w.fn.driver, "nvme");
	return w;
}

static void settle_sibling(struct world *w)
{
	settle_pointers(w);
	w->f.role = ROLE_FOREIGN;
	w->f.event = EVENT_FOLLOW_UP;
	w->f.named_by = &w->fn0;
}

#define EXPECT(facts, want_code, want_reason) \
	do { \
		struct verdict v = policy_judge(facts); \
		CHECK(v.code == (want_code)); \
		CHECK_STR(policy_reason_name(v.reason), policy_reason_name(want_reason)); \
	} while (0)

#define EXPECT_NEED(facts, want, who) \
	do { \
		struct verdict v = policy_judge(facts); \
		CHECK(v.code == VERDICT_NEED); \
		CHECK(v.need == (want)); \
		CHECK(v.whose == (who)); \
	} while (0)

static void plain_gpu_is_bound(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
}

static void off_and_rule_and_configuration_leave(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.off = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_OFF);
	w.f.off = false;
	w.f.admin = ADMIN_NATIVE;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_ADMIN);
	w.f.admin = ADMIN_SILENT;
	set(&w.set, KEY_GPU, CHOICE_NATIVE, LEVEL_POLICY);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONFIGURED);
	w.f.admin = ADMIN_VFIO;
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
}

static void native_but_bound_is_left_and_explained(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	set(&w.set, KEY_GPU, CHOICE_NATIVE, LEVEL_POLICY);
	w.fn.on_vfio = true;
	strcpy(w.fn.driver, "vfio-pci");
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONFIGURED);
	w.f.ours = "vfio-pci";
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NATIVE_BUT_BOUND);
}

static void broken_configuration_leaves(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.config_broken = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONFIG_BROKEN);
	w.f.admin = ADMIN_VFIO; /* a rule does not make half a configuration whole */
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONFIG_BROKEN);
}

static void owners_are_respected(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.in_flight = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_IN_FLIGHT);
	w.f.in_flight = false;
	w.f.released = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_RELEASED);
	w.f.released = false;
	w.f.driverctl = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_DRIVERCTL);
	w.f.driverctl = false;
	strcpy(w.fn.driver, "pci-stub");
	EXPECT(&w.f, VERDICT_LEAVE, REASON_STUB_DRIVER);
	w.fn.driver[0] = '\0';
	w.f.override = "pci-stub";
	EXPECT(&w.f, VERDICT_LEAVE, REASON_OVERRIDE);
	w.f.override = "vfio-pci";
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	w.f.override = "older-variant";
	w.f.ours = "older-variant";
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	w.f.ours = NULL;
	w.f.driver_status = DRIVER_UNKNOWN;
	EXPECT_NEED(&w.f, NEED_DRIVER, &w.f);
}

static void on_vfio_is_bound_but_not_on_nvidia(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.fn.on_vfio = true;
	strcpy(w.fn.driver, "vfio-pci");
	EXPECT(&w.f, VERDICT_BOUND, REASON_ON_VFIO);
	strcpy(w.fn.driver, "nvidia");
	w.f.role = ROLE_VF;
	w.fn.is_vf = true;
	set(&w.set, KEY_VF, CHOICE_VFIO, LEVEL_ADDRESS);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_VGPU);
}

static void what_is_no_gpu_is_left_unless_named(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.role = ROLE_OTHER;
	w.fn.class = 0x038000;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NOT_GPU);
	set(&w.set, KEY_GPU, CHOICE_VFIO, LEVEL_MODEL); /* a model is not this card */
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NOT_GPU);
	set(&w.set, KEY_GPU, CHOICE_VFIO, LEVEL_ADDRESS);
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	w.f.critical = TRI_YES; /* NVIDIA's, but the host's disk is on it */
	EXPECT(&w.f, VERDICT_REFUSE, REASON_CRITICAL);
	w.f.critical = TRI_NO;
	defaults(&w.set);
	w.f.role = ROLE_FOREIGN;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NOT_NVIDIA);
	w.f.role = ROLE_GPU;
	w.fn.class = 0x030000;
	w.fn.ids.device = 0x2e12;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_INTEGRATED);
	w.f.admin = ADMIN_VFIO;
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
}

static void the_console_is_never_taken_unnamed(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.fn.boot_vga = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_BOOT_VGA);
	set(&w.set, KEY_GPU, CHOICE_VFIO, LEVEL_SUBSYSTEM);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_BOOT_VGA);
	set(&w.set, KEY_BOOT_VGA, CHOICE_VFIO, LEVEL_POLICY);
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	defaults(&w.set);
	w.fn.boot_vga = false;
	w.f.console = TRI_UNKNOWN;
	EXPECT_NEED(&w.f, NEED_CONSOLE, &w.f);
	w.f.console = TRI_YES;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONSOLE);
	set(&w.set, KEY_GPU, CHOICE_VFIO, LEVEL_ADDRESS);
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
}

static void companion_follows_function0(void)
{
	struct world w = companion_world();

	settle_companion(&w);
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	strcpy(w.fn0.driver, "nvidia");
	w.f0.held = TRI_YES;
	EXPECT(&w.f, VERDICT_DEFER, REASON_FUNCTION0);
	w.f0.held = TRI_UNKNOWN;
	EXPECT_NEED(&w.f, NEED_HOLDERS, &w.f0);
	w.f0.held = TRI_NO;
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	w.fn0.has_group = false;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_FUNCTION0);
	w.fn0.has_group = true;
	w.f0.stays = true; /* its own event found what this one cannot see */
	EXPECT(&w.f, VERDICT_LEAVE, REASON_FUNCTION0);
	w.f0.stays = false;
	w.f0.in_flight = true; /* somebody has decided to take function 0 */
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	w.f0.in_flight = false;
	w.f0.busy = true; /* somebody, but not nvfio */
	EXPECT(&w.f, VERDICT_LEAVE, REASON_FUNCTION0);
	w.f0.busy = false;
	set(&w.set0, KEY_GPU, CHOICE_NATIVE, LEVEL_ADDRESS);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_FUNCTION0);
	set(&w.set, KEY_COMPANION, CHOICE_NATIVE, LEVEL_POLICY);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONFIGURED);
}

static void follow_up_needs_function0_on_vfio(void)
{
	struct world w = companion_world();

	settle_companion(&w);
	w.f.event = EVENT_FOLLOW_UP;
	w.f0.event = EVENT_FOLLOW_UP;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_FUNCTION0);
	w.fn0.on_vfio = true;
	strcpy(w.fn0.driver, "vfio-pci");
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	strcpy(w.fn.driver, "snd_hda_intel");
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	w.f.held = TRI_YES;
	EXPECT(&w.f, VERDICT_DEFER, REASON_HELD);
	w.f.event = EVENT_RELEASE; /* let go and taken by another driver since */
	w.f.held = TRI_NO;
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	w.fn0.on_vfio = false;
	strcpy(w.fn0.driver, "nvidia");
	EXPECT(&w.f, VERDICT_DEFER, REASON_FUNCTION0);
}

static void pf_with_vfs_is_always_left(void)
{
	struct world w = gpu_world();
	static const enum event_kind all[] = { EVENT_HOTPLUG, EVENT_COLDPLUG, EVENT_REAPPLY, EVENT_RELEASE };
	unsigned int i;

	settle_pointers(&w);
	w.f.role = ROLE_PF;
	w.fn.has_sriov = w.fn.has_vfs = true;
	set(&w.set, KEY_BOOT, CHOICE_VFIO, LEVEL_POLICY);
	set(&w.set, KEY_GPU, CHOICE_VFIO, LEVEL_ADDRESS);
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		w.f.event = all[i];
		EXPECT(&w.f, VERDICT_LEAVE, REASON_PF_HAS_VFS);
	}
	w.f.role = ROLE_OTHER; /* whatever its class */
	EXPECT(&w.f, VERDICT_LEAVE, REASON_PF_HAS_VFS);
}

static void sriov_on_a_vgpu_host_is_left(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.fn.has_sriov = true;
	w.f.vgpu = TRI_UNKNOWN;
	EXPECT_NEED(&w.f, NEED_VGPU, &w.f);
	w.f.vgpu = TRI_YES;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_VGPU);
	w.f.vgpu = TRI_NO;
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
}

static void vf_follows_configuration_and_vgpu_signs(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.role = ROLE_VF;
	w.fn.is_vf = true;
	EXPECT(&w.f, VERDICT_DEFER, REASON_NO_PHYSFN);
	strcpy(w.fn.physfn, "0000:01:00.0");
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	w.f.vgpu = TRI_YES;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_VGPU);
	set(&w.set, KEY_VF, CHOICE_VFIO, LEVEL_PF_ADDRESS);
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	set(&w.set, KEY_VF, CHOICE_NATIVE, LEVEL_PF_ADDRESS);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONFIGURED);
	set(&w.set, KEY_VF, CHOICE_VFIO, LEVEL_ADDRESS); /* its own section needs no PF */
	w.fn.physfn[0] = '\0';
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
}

static void nvswitch_is_left_unless_configured(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.role = ROLE_NVSWITCH;
	w.fn.class = 0x068000;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONFIGURED);
	set(&w.set, KEY_NVSWITCH, CHOICE_VFIO, LEVEL_POLICY);
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
}

static void without_iommu_or_module_it_is_refused(void)
{
	struct world w = gpu_world();
	static const struct { enum driver_status status; enum reason reason; } row[] = {
		{ DRIVER_NO_MODULE, REASON_NO_MODULE },
		{ DRIVER_BLACKLISTED, REASON_BLACKLISTED },
		{ DRIVER_INSTALL_COMMAND, REASON_INSTALL_COMMAND },
	};
	unsigned int i;

	settle_pointers(&w);
	w.fn.has_group = false;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_NO_IOMMU);
	w.f.group_comes_late = true;
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	w.f.iommu_present = false;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_NO_IOMMU);
	w.fn.has_group = true;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		w.f.driver_status = row[i].status;
		EXPECT(&w.f, VERDICT_REFUSE, row[i].reason);
	}
	w.f.driver_status = DRIVER_UNKNOWN;
	EXPECT_NEED(&w.f, NEED_DRIVER, &w.f);
}

static void boot_leaves_unless_configured_or_met_before(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.event = EVENT_COLDPLUG;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_BOOT);
	set(&w.set, KEY_BOOT, CHOICE_VFIO, LEVEL_POLICY);
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	strcpy(w.fn.driver, "nvidia");
	EXPECT(&w.f, VERDICT_DEFER, REASON_TAKEOVER);
	defaults(&w.set);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_BOOT);
	w.f.was_deferred = true; /* `udevadm trigger --action=add` is no boot for what hotplug deferred */
	EXPECT(&w.f, VERDICT_DEFER, REASON_TAKEOVER);
	w.f.was_deferred = false;
	w.fn.driver[0] = '\0';
	w.f.ours = "vfio-pci"; /* interrupted: repaired by any trigger */
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
}

static void hotplug_takes_the_idle_and_defers_the_used(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	strcpy(w.fn.driver, "nvidia");
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	w.f.held = TRI_YES;
	EXPECT(&w.f, VERDICT_DEFER, REASON_HELD);
	w.f.held = TRI_UNKNOWN;
	EXPECT_NEED(&w.f, NEED_HOLDERS, &w.f);
}

static void takeover_decides_replays(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	strcpy(w.fn.driver, "nvidia");
	w.f.event = EVENT_REAPPLY;
	EXPECT(&w.f, VERDICT_DEFER, REASON_TAKEOVER);
	set(&w.set, KEY_TAKEOVER, CHOICE_NEVER, LEVEL_POLICY);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_TAKEOVER_NEVER);
	set(&w.set, KEY_TAKEOVER, CHOICE_IDLE, LEVEL_POLICY);
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	w.f.held = TRI_YES;
	EXPECT(&w.f, VERDICT_DEFER, REASON_HELD);
	w.fn.driver[0] = '\0';
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
}

static void release_lands_what_was_deferred(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.event = EVENT_RELEASE;
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	strcpy(w.fn.driver, "nouveau"); /* another native driver was faster */
	EXPECT(&w.f, VERDICT_DEFER, REASON_TAKEOVER);
}

static void roles_are_told_apart(void)
{
	struct world w = companion_world();
	struct pci_function fn;

	gpu(&fn);
	CHECK(policy_role(&fn, NULL) == ROLE_GPU);
	fn.has_vfs = true;
	CHECK(policy_role(&fn, NULL) == ROLE_PF);
	fn.is_vf = true;
	CHECK(policy_role(&fn, NULL) == ROLE_VF);
	gpu(&fn);
	fn.class = 0x068000;
	CHECK(policy_role(&fn, NULL) == ROLE_NVSWITCH);
	fn.class = 0x038000;
	CHECK(policy_role(&fn, NULL) == ROLE_OTHER);
	fn.ids.vendor = 0x8086;
	CHECK(policy_role(&fn, NULL) == ROLE_FOREIGN);
	CHECK(policy_role(&w.fn, &w.fn0) == ROLE_COMPANION);
	CHECK(policy_role(&w.fn, NULL) == ROLE_OTHER);
	w.fn0.class = 0x060100; /* nForce: audio on a bridge's slot is the chipset's */
	CHECK(policy_role(&w.fn, &w.fn0) == ROLE_OTHER);
	w.fn0.class = 0x030000;
	w.fn0.ids.vendor = 0x1002;
	CHECK(policy_role(&w.fn, &w.fn0) == ROLE_OTHER);
}

static void sibling_is_taken_only_where_a_gpu_on_vfio_names_it(void)
{
	struct world w = sibling_world();

	settle_sibling(&w);
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	w.fn0.on_vfio = false;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_FUNCTION0);
	w.fn0.on_vfio = true;
	w.f.named_by = NULL;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NOT_NVIDIA);
	w.f.admin = ADMIN_VFIO; /* a rule for the function alone names it for nobody */
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NOT_NVIDIA);
	w.f.admin = ADMIN_SILENT;
	set(&w.set, KEY_GPU, CHOICE_VFIO, LEVEL_ADDRESS);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NOT_NVIDIA);
}

static void sibling_waits_for_its_follow_up(void)
{
	static const enum event_kind own[] = { EVENT_HOTPLUG, EVENT_COLDPLUG, EVENT_REAPPLY, EVENT_RELEASE };
	struct world w = sibling_world();
	unsigned int i;

	settle_sibling(&w);
	for (i = 0; i < ARRAY_SIZE(own); i++) {
		w.f.event = own[i];
		w.f.was_met = false;
		EXPECT(&w.f, VERDICT_LEAVE, REASON_FUNCTION0);
		w.f.was_met = true;
		EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	}
	w.f.was_met = false;
	w.f.ours = "vfio-pci"; /* an interrupted act of ours */
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
}

static void sibling_that_is_critical_is_refused(void)
{
	struct world w = sibling_world();

	settle_sibling(&w);
	w.f.critical = TRI_UNKNOWN;
	EXPECT_NEED(&w.f, NEED_CRITICAL, &w.f);
	w.f.critical = TRI_YES;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_CRITICAL);
	w.f.held = TRI_YES; /* both: what is on it is the graver reason */
	EXPECT(&w.f, VERDICT_REFUSE, REASON_CRITICAL);
	w.f.critical = TRI_NO;
	EXPECT(&w.f, VERDICT_DEFER, REASON_HELD);
	w.f.held = TRI_UNKNOWN;
	EXPECT_NEED(&w.f, NEED_HOLDERS, &w.f);
	w.fn.driver[0] = '\0';
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	w.f.critical = TRI_YES; /* without a driver nothing should be on it; believe what was found */
	EXPECT(&w.f, VERDICT_REFUSE, REASON_CRITICAL);
}

static void sibling_meets_the_rows_of_all(void)
{
	struct world w = sibling_world();

	settle_sibling(&w);
	set(&w.set, KEY_GPU, CHOICE_NATIVE, LEVEL_POLICY); /* speaks of GPUs */
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	set(&w.set, KEY_GPU, CHOICE_NATIVE, LEVEL_ADDRESS);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONFIGURED);
	set(&w.set, KEY_GPU, CHOICE_VFIO, LEVEL_DEFAULT);
	w.f.driver_status = DRIVER_NO_MODULE;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_NO_MODULE);
	w.f.driver_status = DRIVER_FOUND;
	w.fn.has_sriov = true;
	w.f.vgpu = TRI_YES; /* a vGPU host needs NVIDIA's PFs, not this one */
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	w.fn.has_vfs = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_PF_HAS_VFS);
	w.fn.has_vfs = false;
	set(&w.set, KEY_TAKEOVER, CHOICE_NEVER, LEVEL_ADDRESS);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_TAKEOVER_NEVER);
	w.f.event = EVENT_HOTPLUG;
	w.f.was_met = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_TAKEOVER_NEVER);
	set(&w.set, KEY_TAKEOVER, CHOICE_HOTPLUG, LEVEL_DEFAULT);
	w.fn.class = 0x030000;
	w.fn.boot_vga = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_BOOT_VGA);
	w.fn.boot_vga = false;
	w.fn.is_bridge = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NOT_NVIDIA);
}

/* Whatever speaks for it: the screen and the host's own parts stay. */
static void sibling_with_a_screen_or_of_an_unknown_kind_stays(void)
{
	static const uint32_t good[] = { 0x010601, 0x010802, 0x020000, 0x028000, 0x030000, 0x038000, 0x040300, 0x070002,
					 0x0c0330, 0x0c0300, 0x120000 };
	static const uint32_t bad[] = { 0x050000, 0x050210, 0x060000, 0x060100, 0x068000, 0x078000, 0x080600, 0x088000,
					0x098000, 0x0b4000, 0x0c0340, 0x0c0380, 0x0c03fe, 0x0c0500, 0x0c8000, 0x108000,
					0x118000, 0x130000, 0x000000, 0xff0000 };
	struct world w = sibling_world();
	unsigned int i;

	settle_sibling(&w);
	w.f.admin = ADMIN_VFIO;
	set(&w.set, KEY_GPU, CHOICE_VFIO, LEVEL_ADDRESS);
	set(&w.set, KEY_BOOT_VGA, CHOICE_VFIO, LEVEL_ADDRESS);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		w.fn.class = good[i];
		w.f.console = TRI_NO;
		EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
		w.f.console = TRI_UNKNOWN;
		EXPECT_NEED(&w.f, NEED_CONSOLE, &w.f);
		w.f.console = TRI_YES;
		EXPECT(&w.f, VERDICT_LEAVE, REASON_CONSOLE);
		w.fn.boot_vga = true;
		EXPECT(&w.f, VERDICT_LEAVE, REASON_BOOT_VGA);
		w.fn.boot_vga = false;
	}
	w.f.console = TRI_NO;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		w.fn.class = bad[i];
		EXPECT(&w.f, VERDICT_REFUSE, REASON_CRITICAL);
	}
}

static void nvidias_own_sibling_that_is_no_gpu_needs_a_name_too(void)
{
	struct world w = sibling_world();

	settle_sibling(&w);
	w.fn.ids.vendor = 0x10de;
	w.fn.class = 0x010601;
	w.f.role = ROLE_OTHER;
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	w.f.critical = TRI_YES;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_CRITICAL);
	w.f.event = EVENT_HOTPLUG;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_FUNCTION0);
	w.fn.is_bridge = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NOT_GPU);
	w.f.admin = ADMIN_VFIO;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NOT_GPU);
	w.f.admin = ADMIN_SILENT;
	w.f.named_by = NULL;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_NOT_GPU);
	/* By its own section alone: audio and USB as ever, a disk controller not if the host needs it. */
	w.fn.is_bridge = false;
	w.f.admin = ADMIN_VFIO;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_CRITICAL);
	w.fn.class = 0x040300;
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	CHECK(policy_needs_naming(ROLE_OTHER) && policy_needs_naming(ROLE_FOREIGN) && !policy_needs_naming(ROLE_GPU) &&
	      !policy_needs_naming(ROLE_COMPANION) && !policy_needs_naming(ROLE_NVSWITCH));
}

static void autoprobe_follows_what_vfs_are_for(void)
{
	struct world w = gpu_world();
	struct verdict leave = { .code = VERDICT_LEAVE, .reason = REASON_CONFIGURED };
	struct verdict bind = { .code = VERDICT_BIND, .reason = REASON_NO_DRIVER };
	struct verdict flight = { .code = VERDICT_LEAVE, .reason = REASON_IN_FLIGHT };
	struct verdict broken = { .code = VERDICT_LEAVE, .reason = REASON_CONFIG_BROKEN };
	enum need need = NEED_NONE;

	settle_pointers(&w);
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_KEEP); /* no SR-IOV */
	w.fn.has_sriov = true;
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_OFF);
	CHECK(policy_vf_autoprobe(&w.f, &bind, &need) == AUTOPROBE_KEEP);
	CHECK(policy_vf_autoprobe(&w.f, &flight, &need) == AUTOPROBE_KEEP);
	w.f.vgpu = TRI_UNKNOWN;
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_NEED);
	CHECK(need == NEED_VGPU);
	w.f.vgpu = TRI_YES;
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_ON);
	set(&w.set, KEY_VF, CHOICE_VFIO, LEVEL_POLICY);
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_OFF);
	w.f.config_broken = true;
	CHECK(policy_vf_autoprobe(&w.f, &broken, &need) == AUTOPROBE_ON);
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_ON);
	w.f.config_broken = false;
	w.fn.has_group = false; /* its VFs would be refused, and could not go back to their native driver */
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_ON);
	w.fn.has_group = true;
	w.f.driver_status = DRIVER_UNKNOWN;
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_NEED);
	CHECK(need == NEED_DRIVER);
	w.f.driver_status = DRIVER_BLACKLISTED;
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_ON);
	w.f.driver_status = DRIVER_FOUND;
	set(&w.set, KEY_VF_AUTOPROBE, CHOICE_KEEP, LEVEL_POLICY);
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_ON);
	set(&w.set, KEY_VF, CHOICE_NATIVE, LEVEL_POLICY);
	set(&w.set, KEY_VF_AUTOPROBE, CHOICE_OFF, LEVEL_POLICY);
	CHECK(policy_vf_autoprobe(&w.f, &leave, &need) == AUTOPROBE_OFF);
}

static void request_asks_for_neither_boot_nor_takeover_and_is_not_deferred(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.event = EVENT_REQUEST;
	set(&w.set, KEY_TAKEOVER, CHOICE_NEVER, LEVEL_ADDRESS);
	w.f.released = true;
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	strcpy(w.fn.driver, "nvidia");
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	w.f.held = TRI_UNKNOWN;
	EXPECT_NEED(&w.f, NEED_HOLDERS, &w.f);
	w.f.held = TRI_YES;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_BUSY);
	w.f.forced = true;
	EXPECT(&w.f, VERDICT_BIND, REASON_FORCED);
	w.f.event = EVENT_HOTPLUG;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_RELEASED);
}

static void request_by_address_goes_before_words_about_its_kind(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.event = EVENT_REQUEST;
	set(&w.set, KEY_GPU, CHOICE_NATIVE, LEVEL_SUBSYSTEM);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONFIGURED);
	w.f.asked = true;
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	set(&w.set, KEY_GPU, CHOICE_NATIVE, LEVEL_ADDRESS);
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONFIGURED);
	set(&w.set, KEY_GPU, CHOICE_NATIVE, LEVEL_POLICY);
	w.f.admin = ADMIN_NATIVE;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_ADMIN);
	w.f.admin = ADMIN_SILENT;
	w.fn.ids.device = 0x2e12; /* integrated */
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	w.f.role = ROLE_OTHER;
	w.fn.class = 0x010601;
	w.f.critical = TRI_YES;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_CRITICAL);
}

static void request_lifts_no_guard(void)
{
	struct world w = gpu_world();

	settle_pointers(&w);
	w.f.event = EVENT_REQUEST;
	w.f.asked = w.f.forced = true;
	w.f.console = TRI_YES;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_CONSOLE);
	w.fn.boot_vga = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_BOOT_VGA);
	set(&w.set, KEY_GPU, CHOICE_VFIO, LEVEL_ADDRESS);
	EXPECT(&w.f, VERDICT_BIND, REASON_NO_DRIVER);
	w.f.driverctl = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_DRIVERCTL);
	w.f.driverctl = false;
	w.fn.has_vfs = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_PF_HAS_VFS);
	w.fn.has_vfs = false;
	w.fn.has_group = false;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_NO_IOMMU);
	w.f.off = true;
	EXPECT(&w.f, VERDICT_LEAVE, REASON_OFF);
}

static void request_for_a_companion_goes_where_function0_goes(void)
{
	struct world w = companion_world();

	settle_companion(&w);
	w.f.event = EVENT_REQUEST;
	w.fn0.on_vfio = true;
	strcpy(w.fn.driver, "snd_hda_intel");
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
	w.fn0.on_vfio = false;
	strcpy(w.fn0.driver, "nvidia");
	w.f0.held = TRI_YES;
	EXPECT(&w.f, VERDICT_REFUSE, REASON_FUNCTION0);
	w.f0.forced = true;
	EXPECT(&w.f, VERDICT_BIND, REASON_IDLE);
}

static void foreign_overrides_are_told_from_ours(void)
{
	struct vfio_driver loaded = { "vfio_pci", "vfio-pci" }, unloaded = { "vfio_pci", "" };

	CHECK(!policy_override_is_foreign("", &loaded, NULL));
	CHECK(!policy_override_is_foreign("vfio-pci", &loaded, NULL));
	CHECK(policy_override_is_foreign("vfio_pci", &loaded, NULL)); /* matches no driver: somebody's mistake, not ours */
	CHECK(!policy_override_is_foreign("vfio-pci", &unloaded, NULL));
	CHECK(policy_override_is_foreign("nvidia", &unloaded, NULL));
	CHECK(!policy_override_is_foreign("old-variant", &loaded, "old-variant"));
	CHECK(policy_override_is_foreign("nvidia", &loaded, "old-variant"));
}

static void every_reason_has_a_name_and_a_sentence(void)
{
	unsigned int i, k;

	for (i = 0; i < REASON_COUNT; i++) {
		CHECK(policy_reason_name((enum reason)i) && policy_reason_text((enum reason)i));
		for (k = 0; k < i; k++)
			CHECK(strcmp(policy_reason_name((enum reason)i), policy_reason_name((enum reason)k)) != 0);
	}
}

TEST_MAIN(TEST(plain_gpu_is_bound), TEST(off_and_rule_and_configuration_leave),
	  TEST(native_but_bound_is_left_and_explained), TEST(broken_configuration_leaves), TEST(owners_are_respected),
	  TEST(on_vfio_is_bound_but_not_on_nvidia), TEST(what_is_no_gpu_is_left_unless_named),
	  TEST(the_console_is_never_taken_unnamed), TEST(companion_follows_function0),
	  TEST(follow_up_needs_function0_on_vfio), TEST(pf_with_vfs_is_always_left), TEST(sriov_on_a_vgpu_host_is_left),
	  TEST(vf_follows_configuration_and_vgpu_signs), TEST(nvswitch_is_left_unless_configured),
	  TEST(without_iommu_or_module_it_is_refused), TEST(boot_leaves_unless_configured_or_met_before),
	  TEST(hotplug_takes_the_idle_and_defers_the_used), TEST(takeover_decides_replays),
	  TEST(release_lands_what_was_deferred), TEST(roles_are_told_apart),
	  TEST(sibling_is_taken_only_where_a_gpu_on_vfio_names_it), TEST(sibling_waits_for_its_follow_up),
	  TEST(sibling_that_is_critical_is_refused), TEST(sibling_meets_the_rows_of_all),
	  TEST(sibling_with_a_screen_or_of_an_unknown_kind_stays),
	  TEST(nvidias_own_sibling_that_is_no_gpu_needs_a_name_too), TEST(autoprobe_follows_what_vfs_are_for),
	  TEST(request_asks_for_neither_boot_nor_takeover_and_is_not_deferred),
	  TEST(request_by_address_goes_before_words_about_its_kind), TEST(request_lifts_no_guard),
	  TEST(request_for_a_companion_goes_where_function0_goes),
	  TEST(foreign_overrides_are_told_from_ours), TEST(every_reason_has_a_name_and_a_sentence))
