// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The arguments for QEMU and Cloud Hypervisor: an option a line, its values behind it, of characters that mean
 * nothing to a shell. So a person can paste it, "$(nvfio args ...)" and xargs take it, and a script reads words.
 * Notes for people go to standard error; in XML and JSON they have a place.
 */
#include "args.h"

#include <stdarg.h>

/* Chassis numbers have to differ and fit into a byte; people begin at 0 or 1. */
#define FIRST_CHASSIS 128

/* pcie.0 has 31 free slots at best. With more root ports than this they share slots, eight in each, from here on. */
#define PORTS_ALONE 16
#define FIRST_SHARED_SLOT 0x10

struct out {
	const struct vm *vm;
	struct json *json;
	bool begun;
};

static void option(struct out *out, const char *name)
{
	if (out->json)
		json_string(out->json, NULL, name);
	else
		printf("%s%s", out->begun ? "\n" : "", name);
	out->begun = true;
}

_printf_(2, 3) static void value(struct out *out, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (out->json)
		json_string(out->json, NULL, text);
	else
		printf(" %s", text);
}

_printf_(2, 3) static void note(struct out *out, const char *format, ...)
{
	char text[2560];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (out->json)
		json_string(out->json, NULL, text);
	else if (out->vm->vmm == VMM_LIBVIRT)
		printf("<!-- %s -->\n", text);
	else
		fprintf(stderr, "# %s\n", text);
}

static void print_root_port(struct out *out, unsigned int i)
{
	char place[48] = "";

	if (out->vm->n_cards > PORTS_ALONE)
		snprintf(place, sizeof(place), ",addr=%02x.%x,multifunction=on", FIRST_SHARED_SLOT + i / 8, i % 8);
	option(out, "-device");
	value(out, "pcie-root-port,id=nvfio%u,bus=pcie.0%s,chassis=%u", i, place, FIRST_CHASSIS + i);
}

static void print_qemu(struct out *out)
{
	const struct vm *vm = out->vm;
	char clique[40];
	size_t i;

	if (vm->iommufd) {
		option(out, "-object");
		value(out, "iommufd,id=iommufd0");
	}
	for (i = 0; i < vm->n; i++) {
		const struct vm_function *f = &vm->fn[i];

		if (f->guest == 0)
			print_root_port(out, f->card);
		clique[0] = '\0';
		if (f->clique != CLIQUE_NONE)
			snprintf(clique, sizeof(clique), ",x-nv-gpudirect-clique=%d", f->clique);
		option(out, "-device");
		value(out, "vfio-pci,host=%s,bus=nvfio%u,addr=00.%x%s%s%s", f->name, f->card, f->guest,
		      f->guest == 0 && vm->cards[f->card].functions > 1 ? ",multifunction=on" : "",
		      vm->iommufd ? ",iommufd=iommufd0" : "", clique);
	}
}

static void print_cloud_hypervisor(struct out *out)
{
	const struct vm *vm = out->vm;
	const struct segments *s = &vm->segments;
	unsigned int i;

	/* Every option once, with all its values: some releases take no option twice. */
	if (s->count > 1) {
		option(out, "--platform");
		value(out, "num_pci_segments=%u", s->count);
	}
	if (s->count > 1 && s->fits) {
		option(out, "--pci-segment");
		for (i = 0; i < s->count; i++)
			value(out, "pci_segment=%u,mmio32_aperture_weight=%u", i, s->weight[i]);
	}
	option(out, "--device");
	for (i = 0; i < vm->n; i++) {
		const struct vm_function *f = &vm->fn[i];
		char segment[32] = "", clique[40] = "";

		if (vm->cards[f->card].segment > 0)
			snprintf(segment, sizeof(segment), ",pci_segment=%u", vm->cards[f->card].segment);
		if (f->clique != CLIQUE_NONE)
			snprintf(clique, sizeof(clique), ",x_nv_gpudirect_clique=%d", f->clique);
		value(out, "path=/sys/bus/pci/devices/%s/%s%s", f->name, segment, clique);
	}
}

/* The GPUs of a clique, or those of none; how many. */
static unsigned int list_gpus(const struct vm *vm, int clique, char *buf, size_t size)
{
	unsigned int count = 0;
	size_t i, used = 0;

	buf[0] = '\0';
	for (i = 0; i < vm->n; i++) {
		if (!vm->fn[i].gpu || vm->fn[i].clique != clique)
			continue;
		count++;
		if (used + BDF_SIZE + 1 < size)
			used += (size_t)snprintf(buf + used, size - used, " %s", vm->fn[i].name);
	}
	return count;
}

static const char *switch_of(const struct vm *vm, int clique)
{
	size_t i;

	for (i = 0; i < vm->n && vm->fn[i].clique != clique; i++)
		;
	return i < vm->n ? vm->fn[i].above : "";
}

static void note_cliques(struct out *out)
{
	const struct vm *vm = out->vm;
	unsigned int c, n = vm->cliques < CLIQUE_COUNT ? vm->cliques : CLIQUE_COUNT, alone;
	char list[2048];

	for (c = 0; c < n; c++) {
		list_gpus(vm, (int)c, list, sizeof(list));
		note(out, "GPUDirect P2P clique %u, behind the switch at %s:%s", c, switch_of(vm, (int)c), list);
	}
	alone = list_gpus(vm, CLIQUE_NONE, list, sizeof(list));
	if (alone == 0 || (alone == 1 && n == 0))
		return;
	if (vm->iommufd)
		note(out, "no GPUDirect P2P cliques: QEMU maps no BARs for other devices through iommufd");
	else if (vm->cliques > CLIQUE_COUNT)
		note(out, "no GPUDirect P2P clique, as there are %u at most, or no switch with another of the GPUs:%s",
		     CLIQUE_COUNT, list);
	else
		note(out, "no GPUDirect P2P clique, as no switch below a root port is shared with another of the "
		     "GPUs:%s",
		     list);
}

static unsigned int mib(uint64_t bytes)
{
	return (unsigned int)((bytes + (1ULL << 20) - 1) >> 20);
}

static void note_windows(struct out *out)
{
	const struct vm *vm = out->vm;
	uint64_t window64 = 0, sum32 = 0;
	unsigned int gib;
	size_t i;

	for (i = 0; i < vm->n_cards; i++) {
		window64 += bars_window64(&vm->cards[i].bars);
		sum32 += vm->cards[i].bars.sum32;
	}
	gib = (unsigned int)((window64 + (1ULL << 30) - 1) >> 30);
	if (gib && vm->vmm == VMM_CLOUD_HYPERVISOR)
		note(out, "64-bit BARs: %u GiB of guest addresses above the memory", gib);
	else if (gib)
		note(out, "64-bit BARs: %u GiB of guest addresses above the memory: the CPU needs the address bits "
		     "(host-phys-bits=on); an OVMF that makes no such window by itself takes "
		     "-fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=%u", gib, gib << 10);
	if (vm->vmm != VMM_CLOUD_HYPERVISOR)
		return;
	note(out, "32-bit BARs: %u of the %u MiB that all PCI segments have together%s", mib(sum32), APERTURE32,
	     !vm->segments.fits ? "; they may not fit, take fewer functions" :
	     vm->segments.count > 1 ? "; the weights are MiB" : "; one segment is enough");
}

static void note_rest(struct out *out)
{
	const struct vm *vm = out->vm;
	size_t i;

	for (i = 0; i < vm->n; i++) {
		const struct vm_function *f = &vm->fn[i];

		if (f->pf[0])
			note(out, "%s: its PF %s is on VFIO, too: only with the VF token of that can it be opened%s",
			     f->name, f->pf, vm->vmm == VMM_QEMU ? " (vf-token=)" : "");
	}
	if (vm->vmm == VMM_LIBVIRT)
		note(out, "memlock: all memory of the VM is pinned; libvirt raises the limit itself");
	else
		note(out, "memlock: all memory of the VM is pinned: without CAP_IPC_LOCK, RLIMIT_MEMLOCK (ulimit -l) "
		     "must be that and 1 GiB more");
}

static void print_notes(struct out *out)
{
	note_cliques(out);
	note_windows(out);
	note_rest(out);
}

static void print_functions(struct json *json, const struct vm *vm)
{
	size_t i;

	json_open(json, "functions", '[');
	for (i = 0; i < vm->n; i++) {
		const struct vm_function *f = &vm->fn[i];

		json_open(json, NULL, '{');
		json_string(json, "bdf", f->name);
		json_string(json, "role", policy_role_name(f->role));
		json_string(json, "driver", f->driver);
		json_string(json, "group", f->group);
		json_string(json, "switch", f->above[0] ? f->above : NULL);
		if (f->clique != CLIQUE_NONE)
			json_number(json, "clique", (unsigned int)f->clique);
		else
			json_string(json, "clique", NULL);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void print_xml(const struct vm *vm, struct json *json)
{
	char *text = NULL;
	size_t size;
	FILE *memory;

	if (!json) {
		args_libvirt(vm, stdout);
		return;
	}
	memory = open_memstream(&text, &size);
	if (memory) {
		args_libvirt(vm, memory);
		fclose(memory);
	}
	json_string(json, "xml", text);
	free(text);
}

void args_print(const struct vm *vm, bool as_json)
{
	struct json json = { .to = stdout };
	struct out out = { .vm = vm, .json = as_json ? &json : NULL };

	if (as_json) {
		json_open(&json, NULL, '{');
		json_string(&json, "vmm", vmm_name(vm->vmm));
		print_functions(&json, vm);
		json_open(&json, "notes", '[');
	}
	print_notes(&out);
	if (as_json)
		json_close(&json, ']');
	if (vm->vmm == VMM_LIBVIRT) {
		print_xml(vm, out.json);
	} else {
		if (as_json)
			json_open(&json, "arguments", '[');
		(vm->vmm == VMM_QEMU ? print_qemu : print_cloud_hypervisor)(&out);
		if (as_json)
			json_close(&json, ']');
	}
	if (as_json)
		json_close(&json, '}');
	if (as_json || vm->vmm != VMM_LIBVIRT)
		putchar('\n');
}
