// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Putting a finding together: what was found, and how it is mended on the distributions that differ.
 */
#include "check.h"

#include <stdarg.h>

#define CROWD_NAMED 6

void finding_say(struct finding *f, enum grade grade, const char *means, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	f->grade = grade;
	f->means = means;
}

void finding_needs_root(struct finding *f, const char *what)
{
	finding_say(f, GRADE_NOTE, NULL, "needs root to tell %s", what);
	f->needs_root = true;
}

void finding_mend(struct finding *f, enum system system, const char *format, ...)
{
	struct mend *m = &f->mend[f->n_mends];
	va_list args;

	if (f->n_mends == ARRAY_SIZE(f->mend))
		return;
	va_start(args, format);
	vsnprintf(m->text, sizeof(m->text), format, args);
	va_end(args);
	m->system = system;
	f->n_mends++;
}

void finding_add_argument(struct finding *f, const char *argument)
{
	finding_mend(f, SYSTEM_DEBIAN, "add %s to GRUB_CMDLINE_LINUX in /etc/default/grub, then: update-grub && reboot", argument);
	finding_mend(f, SYSTEM_FEDORA, "grubby --update-kernel=ALL --args=%s && reboot", argument);
	finding_mend(f, SYSTEM_ARCH, "add %s to GRUB_CMDLINE_LINUX in /etc/default/grub (systemd-boot: to the options line of its "
		     "entry), then: grub-mkconfig -o /boot/grub/grub.cfg && reboot", argument);
}

void finding_remove_argument(struct finding *f, const char *argument)
{
	finding_mend(f, SYSTEM_DEBIAN, "remove %s from GRUB_CMDLINE_LINUX* in /etc/default/grub, then: update-grub && reboot",
		     argument);
	finding_mend(f, SYSTEM_FEDORA, "grubby --update-kernel=ALL --remove-args=%s && reboot", argument);
	finding_mend(f, SYSTEM_ARCH, "remove %s from GRUB_CMDLINE_LINUX* in /etc/default/grub (systemd-boot: from the options "
		     "line of its entry), then: grub-mkconfig -o /boot/grub/grub.cfg && reboot", argument);
}

void finding_new_initramfs(struct finding *f)
{
	finding_mend(f, SYSTEM_DEBIAN, "update-initramfs -u -k all");
	finding_mend(f, SYSTEM_FEDORA, "dracut --force --regenerate-all");
	finding_mend(f, SYSTEM_ARCH, "mkinitcpio -P");
}

void crowd_add(struct crowd *crowd, const char *format, ...)
{
	size_t used = strlen(crowd->text);
	char name[128];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	crowd->n++;
	/* Room for ", " and for " and 4294967295 more". */
	if (crowd->n > CROWD_NAMED || used + strlen(name) + 24 > sizeof(crowd->text))
		crowd->left_out++;
	else
		snprintf(crowd->text + used, sizeof(crowd->text) - used, "%s%s", used ? ", " : "", name);
}

const char *crowd_text(struct crowd *crowd)
{
	size_t used = strlen(crowd->text);

	if (crowd->left_out)
		snprintf(crowd->text + used, sizeof(crowd->text) - used, " and %u more", crowd->left_out);
	crowd->left_out = 0;
	return crowd->text;
}
