// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio check: what there is to take, and nvfio itself. Its rules and its helper, the switches that turn it off, the configuration, and what that does
 * to GPUs found at boot and to the one with the console.
 */
#include "check.h"

#include <limits.h>
#include "root.h"

#define RULES "70-nvfio.rules"

void check_functions(const struct host *host, struct finding *f)
{
	struct crowd unreadable = host->unreadable, gpus = { .n = 0 };
	size_t i;

	for (i = 0; i < host->n; i++) {
		if (host->functions[i].role != ROLE_COMPANION)
			crowd_add(&gpus, "%s", host->functions[i].bdf);
	}
	if (unreadable.n > 0)
		finding_say(f, GRADE_PROBLEM, "No other finding speaks of them, and nvfio cannot judge them either.",
			    "could not be looked at: %s", crowd_text(&unreadable));
	else if (host->no_pci)
		finding_say(f, GRADE_PROBLEM, "A chroot or a container without /sys says nothing of the host: look there.",
			    "no PCI functions: /sys is not mounted, or the kernel has no PCI");
	else if (gpus.n == 0)
		finding_say(f, GRADE_NOTE, "What follows is of the host alone.", "no NVIDIA GPU is here yet");
	else
		finding_say(f, GRADE_OK, NULL, "%s", crowd_text(&gpus));
}

/* In the order of udev(7): the first file of a name counts. */
static const char *const rules_dirs[] = { "/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d",
					  "/usr/lib/udev/rules.d", "/lib/udev/rules.d" };

static bool find_helper(void)
{
	static const char *const paths[] = { "/usr/lib/udev/nvfio-udev", "/lib/udev/nvfio-udev", "/usr/local/lib/udev/nvfio-udev" };
	char full[PATH_MAX];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		if (root_path(paths[i], full, sizeof(full)) == 0 && access(full, X_OK) == 0)
			return true;
	}
	return false;
}

void check_rules(const struct host *host _unused_, struct finding *f)
{
	char path[96] = "";
	unsigned int i;
	int r;

	for (i = 0; i < ARRAY_SIZE(rules_dirs); i++) {
		_cleanup_free_ char *text = NULL;

		snprintf(path, sizeof(path), "%s/" RULES, rules_dirs[i]);
		text = host_file(path, &r);
		if (r == -ENOENT)
			continue;
		if (r == -EACCES) {
			finding_needs_root(f, "what is in the rules");
			return;
		}
		if (!text || !strstr(text, "nvfio-udev")) {
			finding_say(f, GRADE_PROBLEM, "A file of this name in /etc or /run replaces nvfio's rules: nothing is taken.",
				    "nvfio is switched off by %s", path);
			finding_mend(f, SYSTEM_ALL, "rm %s", path);
		} else if (!find_helper()) {
			finding_say(f, GRADE_PROBLEM, "udev has nothing to start: nothing is taken.",
				    "the rules are there, /usr/lib/udev/nvfio-udev is not");
			finding_mend(f, SYSTEM_ALL, "install nvfio again");
		} else {
			finding_say(f, GRADE_OK, NULL, "%s", path);
		}
		return;
	}
	finding_say(f, GRADE_PROBLEM, "udev does not know of nvfio: nothing is taken.", "there is no " RULES);
	finding_mend(f, SYSTEM_ALL, "install nvfio again, then: udevadm control --reload");
}

void check_udev(const struct host *host _unused_, struct finding *f)
{
	if (root_exists("/run/udev/control")) {
		finding_say(f, GRADE_OK, NULL, "udev is running");
		return;
	}
	finding_say(f, GRADE_PROBLEM, "Nobody sees a function appear, so nothing is taken. (In a container this is so: ask on the host.)",
		    "udev is not running");
	finding_mend(f, SYSTEM_ALL, "systemctl start systemd-udevd");
}

void check_off(const struct host *host, struct finding *f)
{
	char value[16];

	if (!host->cmdline[0]) {
		finding_say(f, GRADE_NOTE, NULL, "the kernel command line cannot be read");
	} else if (host_argument(host, "nvfio=", value, sizeof(value)) && streq(value, "off")) {
		finding_say(f, GRADE_PROBLEM, "Nothing is taken until the host is booted without it.",
			    "nvfio=off is on the kernel command line");
		finding_remove_argument(f, "nvfio=off");
	} else {
		finding_say(f, GRADE_OK, NULL, "nvfio is not switched off on the kernel command line");
	}
}

void check_configuration(const struct host *host, struct finding *f)
{
	struct crowd files = { .n = 0 };
	struct config_section section;
	const char *last = NULL;
	char file[160];
	size_t i;

	if (host->config_result == -EACCES && !host->root) {
		finding_needs_root(f, "what the configuration says");
		return;
	}
	if (host->config_result < 0) {
		finding_say(f, GRADE_PROBLEM, "Nothing is taken on half a configuration: every function is left until this is mended.", "%s",
			    host->config_error);
		snprintf(file, sizeof(file), "%.*s", (int)strcspn(host->config_error, ":"), host->config_error);
		if (host->config_result == -EPERM)
			finding_mend(f, SYSTEM_ALL, "chown root:root %s && chmod go-w %s", file, file);
		else
			finding_mend(f, SYSTEM_ALL, "mend the line; nvfio config --check FILE tries it out");
		return;
	}
	for (i = 0; config_section(host->config, i, &section) == 0; i++) {
		if (!last || !streq(last, section.file))
			crowd_add(&files, "%s", section.file);
		last = section.file;
	}
	finding_say(f, GRADE_OK, NULL, "parses: %s", files.n > 0 ? crowd_text(&files) : "no file says anything, the defaults hold");
}

/* Sections that speak for nobody: a slip of the pen, or a card that moved. */
void check_sections(const struct host *host, struct finding *f)
{
	struct crowd absent = { .n = 0 }, guarded = { .n = 0 };
	struct config_section section;
	size_t i;

	for (i = 0; host->config && config_section(host->config, i, &section) == 0; i++) {
		const char *name = section.name + strlen("device ");
		char path[128];
		struct bdf bdf;

		if (!startswith(section.name, "device ") || pci_parse_bdf(name, &bdf) < 0)
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", name);
		if (!root_exists(path))
			crowd_add(&absent, "%s (%s:%u)", name, section.file, section.line);
	}
	for (i = 0; i < host->n; i++) {
		if (host->functions[i].guard[0])
			crowd_add(&guarded, "%s (%s)", host->functions[i].bdf, host->functions[i].guard);
	}
	if (guarded.n > 0) {
		finding_say(f, GRADE_NOTE, "Another card sits at the address than the section's id names, so the section does not count. "
			    "Addresses change with the hardware.", "guarded sections without their card: %s", crowd_text(&guarded));
		finding_mend(f, SYSTEM_ALL, "lspci -Dnnd 10de: shows what is where now; correct the address or the id");
	} else if (absent.n > 0) {
		finding_say(f, GRADE_NOTE, "That is meant for a card that is plugged in later, or the address is wrong.",
			    "sections for addresses where nothing is: %s", crowd_text(&absent));
		finding_mend(f, SYSTEM_ALL, "lspci -Dnnd 10de: shows what is where now");
	} else {
		finding_say(f, GRADE_OK, NULL, "each section for an address has its function");
	}
}

void check_boot(const struct host *host, struct finding *f)
{
	struct crowd now = { .n = 0 }, taken = { .n = 0 };
	size_t i;

	for (i = 0; i < host->n; i++) {
		const struct function *fn = &host->functions[i];

		if (fn->role == ROLE_COMPANION || fn->role == ROLE_VF || !fn->wanted)
			continue;
		crowd_add(fn->left_at_boot ? &now : &taken, "%s", fn->bdf);
	}
	if (now.n > 0) {
		finding_say(f, GRADE_NOTE, "With boot = native, the default, only functions that are plugged in later are taken. After the next "
			    "boot these are where their native driver has them.", "left at boot: %s", crowd_text(&now));
		finding_mend(f, SYSTEM_ALL, "in the [policy] section of /etc/nvfio.conf, or in their [device ...] sections: boot = vfio");
	} else if (taken.n > 0) {
		finding_say(f, GRADE_OK, NULL, "taken at boot: %s", crowd_text(&taken));
	} else {
		finding_say(f, GRADE_OK, NULL, "no GPU is wanted on VFIO");
	}
}

/* The first GPU of each kind is enough: a host has one console. */
void check_console(const struct host *host, struct finding *f)
{
	const struct function *lost = NULL, *spared = NULL;
	bool unknown = false;
	size_t i;

	for (i = 0; i < host->n; i++) {
		const struct function *fn = &host->functions[i];

		unknown |= fn->console == TRI_UNKNOWN && fn->role == ROLE_GPU;
		if (fn->console == TRI_YES && fn->wanted)
			lost = lost ? lost : fn;
		else if (fn->console == TRI_YES)
			spared = spared ? spared : fn;
	}
	if (lost && lost->class >> 8 != 0x0300 && strstr(lost->console_text, "framebuffer")) {
		finding_say(f, GRADE_PROBLEM, "The kernel lets go of the firmware's framebuffer for VGA functions only. Here it keeps the GPU's "
			    "memory, and a VM that maps it fails (\"BAR can't reserve\").",
			    "%s is wanted on VFIO, and has the boot framebuffer", lost->bdf);
		finding_add_argument(f, "initcall_blacklist=sysfb_init");
	} else if (lost) {
		finding_say(f, GRADE_NOTE, "The console goes dark when the GPU goes to VFIO, and does not come back before the next boot. Have "
			    "another way in.", "%s is wanted on VFIO, and has the console (%s)", lost->bdf, lost->console_text);
		finding_mend(f, SYSTEM_ALL, "none, if that is meant; else in /etc/nvfio.conf: [device %s] with gpu = native", lost->bdf);
	} else if (!host->root && !spared && host->n > 0) {
		finding_needs_root(f, "whether a GPU has the boot framebuffer");
	} else if (unknown) {
		finding_say(f, GRADE_NOTE, "nvfio does not take a GPU of which it cannot tell.", "whether a GPU has the console cannot be told");
	} else if (spared) {
		finding_say(f, GRADE_OK, NULL, "%s has the console (%s), and is left", spared->bdf, spared->console_text);
	} else {
		finding_say(f, GRADE_OK, NULL, "no NVIDIA GPU has the console");
	}
}
