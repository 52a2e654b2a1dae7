// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * XML for libvirt (formatdomain, "Host device assignment"). managed='no': the functions are on VFIO and stay there, and
 * libvirt only checks that they are. Everything printed is of digits and fixed words, so nothing has to be quoted.
 */
#include "args.h"

/* Index of the first root port. libvirt fills the gap below it with ports of its own. */
#define FIRST_CONTROLLER 16

/* libvirt's own aliases begin otherwise; those of users have to begin with "ua-". */
static void print_alias(const struct vm_function *f, FILE *to)
{
	fprintf(to, "ua-nvfio-%04x-%02x-%02x-%x", f->bdf.domain, f->bdf.bus, f->bdf.slot, f->bdf.function);
}

static void print_hostdev(const struct vm *vm, const struct vm_function *f, FILE *to)
{
	fputs("<hostdev mode='subsystem' type='pci' managed='no'>\n", to);
	if (f->clique != CLIQUE_NONE) {
		fputs("  <alias name='", to);
		print_alias(f, to);
		fputs("'/>\n", to);
	}
	fprintf(to,
		"  <source>\n"
		"    <address domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/>\n"
		"  </source>\n"
		"  <address type='pci' domain='0x0000' bus='0x%02x' slot='0x00' function='0x%x'%s/>\n"
		"</hostdev>\n",
		f->bdf.domain, f->bdf.bus, f->bdf.slot, f->bdf.function, FIRST_CONTROLLER + f->card, f->guest,
		f->guest == 0 && vm->cards[f->card].functions > 1 ? " multifunction='on'" : "");
}

/* libvirt has no element for it; properties of QEMU's devices can be given since 8.2 (drvqemu, qemu:override). */
static void print_cliques(const struct vm *vm, FILE *to)
{
	size_t i;

	fputs("<!-- behind devices, into domain itself -->\n"
	      "<qemu:override xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n", to);
	for (i = 0; i < vm->n; i++) {
		if (vm->fn[i].clique == CLIQUE_NONE)
			continue;
		fputs("  <qemu:device alias='", to);
		print_alias(&vm->fn[i], to);
		fprintf(to,
			"'>\n"
			"    <qemu:frontend>\n"
			"      <qemu:property name='x-nv-gpudirect-clique' type='unsigned' value='%d'/>\n"
			"    </qemu:frontend>\n"
			"  </qemu:device>\n",
			vm->fn[i].clique);
	}
	fputs("</qemu:override>\n", to);
}

void args_libvirt(const struct vm *vm, FILE *to)
{
	size_t i;

	fputs("<!-- into devices -->\n", to);
	for (i = 0; i < vm->n; i++) {
		if (vm->fn[i].guest == 0)
			fprintf(to, "<controller type='pci' index='%u' model='pcie-root-port'/>\n",
				FIRST_CONTROLLER + vm->fn[i].card);
		print_hostdev(vm, &vm->fn[i], to);
	}
	if (vm->cliques > 0)
		print_cliques(vm, to);
}
