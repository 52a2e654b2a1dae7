// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio args: the functions of the cards named, each of them fit to be handed to a VM or refused. Whether one is on
 * VFIO is what `nvfio list` says, too (status.h).
 */
#include "args.h"

#include <limits.h>
#include "exit-code.h"
#include "iommu.h"
#include "say.h"
#include "status.h"
#include "sysfs.h"

#define DEVICES "/sys/bus/pci/devices"

static const char *const vmm_names[] = {
	[VMM_QEMU] = "qemu",
	[VMM_CLOUD_HYPERVISOR] = "cloud-hypervisor",
	[VMM_LIBVIRT] = "libvirt",
};

const char *vmm_name(enum vmm vmm)
{
	return vmm_names[vmm];
}

int vmm_find(const char *word, enum vmm *ret)
{
	unsigned int i;

	for (i = VMM_NONE + 1; i < ARRAY_SIZE(vmm_names); i++) {
		if (streq(word, vmm_names[i])) {
			*ret = (enum vmm)i;
			return 0;
		}
	}
	return -ENOENT;
}

static const struct vm_function *find_function(const struct vm *vm, const char *bdf)
{
	size_t i;

	for (i = 0; i < vm->n; i++) {
		if (streq(vm->fn[i].name, bdf))
			return &vm->fn[i];
	}
	return NULL;
}

/* The switch above a function, from where its entry leads. */
static void find_switch(struct vm_function *f)
{
	_cleanup_close_ int devices = sysfs_open_dir(DEVICES);
	char target[PATH_MAX];

	if (devices >= 0 && sysfs_read_target(devices, f->name, target, sizeof(target)) == 0)
		topology_switch(target, f->above);
}

/* VFIO opens a VF whose PF is on VFIO, too, only for those who know the PF's token (vfio_pci_validate_vf_token()). */
static void find_pf(const struct pci_function *fn, struct vm_function *f)
{
	_cleanup_pci_ struct pci_function pf = { .dirfd = -1 };
	const char *attr;

	if (fn->physfn[0] && pci_open(fn->physfn, &pf, &attr) == 0 && pf.on_vfio)
		snprintf(f->pf, sizeof(f->pf), "%s", pf.name);
}

static int read_bars(const struct pci_function *fn, struct vm_function *f)
{
	char text[SYSFS_VALUE_SIZE];
	int r = sysfs_read(fn->dirfd, "resource", text, sizeof(text));

	/* It always is there, unless the function is not. */
	return r == -ENOENT ? -ENODEV : r < 0 ? r : bars_parse(text, &f->bars);
}

/* Else why not is said. */
static bool is_bound(const struct status *s)
{
	const struct pci_function *fn = &s->judgement.self.fn;

	if (streq(s->state, "bound"))
		return true;
	if (streq(s->state, "in-flight"))
		say_error("in-flight", fn->name, "it is being acted on right now");
	else
		say_error("not-on-vfio", fn->name, "not on VFIO, but %s%s: %s (%s); nvfio explain %s tells more",
			  fn->driver[0] ? "on " : "without driver", fn->driver, s->state, s->reason, fn->name);
	return false;
}

/* Room for one more, with nothing in it. */
static struct vm_function *new_function(struct vm *vm)
{
	if (vm->n == vm->room) {
		size_t room = vm->room ? vm->room * 2 : 16;
		struct vm_function *more = reallocarray(vm->fn, room, sizeof(*more));

		if (!more)
			return NULL;
		vm->fn = more;
		vm->room = room;
	}
	vm->fn[vm->n] = (struct vm_function){ .clique = CLIQUE_NONE };
	return &vm->fn[vm->n++];
}

/* Adds a function that is not among them yet. An exit code; what is wrong with it is said. */
static int add_function(struct vm *vm, const char *bdf)
{
	static const struct look look = { .event = EVENT_REAPPLY, .quick = true };
	_cleanup_status_ struct status s;
	const struct pci_function *fn = &s.judgement.self.fn;
	struct vm_function *f;
	const char *attr;
	int r;

	r = status_read(&s, bdf, &look, &attr);
	if (r < 0)
		return status_say_error(bdf, attr, r);
	f = new_function(vm);
	if (!f)
		return status_say_error(bdf, NULL, -ENOMEM);
	f->bdf = fn->bdf;
	f->role = s.judgement.self.facts.role;
	f->vf = fn->is_vf;
	f->gpu = pci_is_display(fn->class) && !fn->is_vf;
	f->has_group = fn->has_group;
	snprintf(f->name, sizeof(f->name), "%s", fn->name);
	snprintf(f->driver, sizeof(f->driver), "%s", fn->driver);
	snprintf(f->group, sizeof(f->group), "%s", fn->group);
	find_switch(f);
	find_pf(fn, f);
	if (!is_bound(&s))
		return EXIT_CODE_FAILED;
	r = read_bars(fn, f);
	return r < 0 ? status_say_error(bdf, r == -EINVAL ? "resource" : NULL, r) : EXIT_CODE_OK;
}

/*
 * Adds the card that a function is of: all NVIDIA functions of the slot, but for VFs, which are named one by one.
 * What is named twice is added once.
 */
static int add_card(struct vm *vm, const char *bdf)
{
	_cleanup_pci_ struct pci_function fn = { .dirfd = -1 };
	const char *attr;
	struct bdf member;
	char name[BDF_SIZE];
	int r, worst = EXIT_CODE_OK;

	r = pci_open(bdf, &fn, &attr);
	if (r < 0)
		return status_say_error(bdf, attr, r);
	if (fn.ids.vendor != PCI_VENDOR_NVIDIA) {
		say_error("not-nvidia", bdf, "not an NVIDIA function, its vendor is %04x", fn.ids.vendor);
		return EXIT_CODE_FAILED;
	}
	if (find_function(vm, fn.name))
		return EXIT_CODE_OK;
	if (fn.is_vf)
		return add_function(vm, fn.name);
	for (member = fn.bdf, member.function = 0; member.function < 8; member.function++) {
		_cleanup_pci_ struct pci_function other = { .dirfd = -1 };
		int code;

		pci_format_bdf(&member, name);
		r = pci_open(name, &other, &attr);
		if (r == -ENODEV && member.function != fn.bdf.function)
			continue;
		if (r == 0 && (other.is_vf || other.ids.vendor != PCI_VENDOR_NVIDIA))
			continue;
		code = r < 0 ? status_say_error(name, attr, r) : add_function(vm, name);
		worst = code > worst ? code : worst;
	}
	return worst;
}

/* Every member of its group that does its own DMA and is not among the functions, which were judged themselves. */
static int check_group(const struct vm *vm, const struct vm_function *f)
{
	char path[sizeof(DEVICES) + BDF_SIZE + 32];
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *de;
	int code = EXIT_CODE_OK;

	snprintf(path, sizeof(path), DEVICES "/%s/iommu_group/devices", f->name);
	dir = sysfs_list_path(path);
	if (!dir && f->has_group)
		return status_say_error(f->name, NULL, -ENODEV);
	if (!dir || !f->has_group) {
		say_error("no-group", f->name, "it is in no IOMMU group that isolates anything");
		return EXIT_CODE_FAILED;
	}
	while (errno = 0, (de = readdir(dir))) {
		_cleanup_pci_ struct pci_function member = { .dirfd = -1 };
		const char *attr;

		if (de->d_name[0] == '.' || find_function(vm, de->d_name) || pci_open(de->d_name, &member, &attr) < 0 ||
		    iommu_leaves_dma_alone(&member))
			continue;
		say_error("group", f->name, "its IOMMU group %s is not viable: %s is on %s", f->group, member.name,
			  member.driver);
		code = EXIT_CODE_FAILED;
	}
	if (!errno)
		return code;
	say_error("group", f->name, "the members of its IOMMU group %s could not be listed: %s", f->group, strerror(errno));
	return EXIT_CODE_FAILED;
}

static int compare_functions(const void *a, const void *b)
{
	const struct vm_function *x = a, *y = b;

	return column_compare(COLUMN_BDF, x->name, y->name);
}

/* Numbers the cards, and their functions as they are on the host but for a first one that is not 0. */
static int find_cards(struct vm *vm)
{
	const struct vm_function *first = NULL;
	size_t i;

	vm->cards = calloc(vm->n, sizeof(*vm->cards));
	if (!vm->cards)
		return -ENOMEM;
	for (i = 0; i < vm->n; i++) {
		struct vm_function *f = &vm->fn[i];

		if (!first || f->vf || first->vf || !pci_same_card(&f->bdf, &first->bdf)) {
			first = f;
			vm->n_cards++;
		}
		f->card = (unsigned int)vm->n_cards - 1;
		f->guest = f == first ? 0 : f->bdf.function;
		vm->cards[f->card].functions++;
		bars_add(&vm->cards[f->card].bars, &f->bars);
	}
	return 0;
}

static int find_cliques(struct vm *vm)
{
	char (*switches)[BDF_SIZE] = calloc(vm->n, sizeof(*switches));
	int *clique = calloc(vm->n, sizeof(*clique));
	bool have_both = switches && clique;
	size_t i;

	for (i = 0; have_both && i < vm->n; i++) {
		if (vm->fn[i].gpu)
			memcpy(switches[i], vm->fn[i].above, BDF_SIZE);
	}
	if (have_both)
		vm->cliques = topology_cliques((const char (*)[BDF_SIZE])switches, vm->n, clique);
	for (i = 0; have_both && i < vm->n; i++)
		vm->fn[i].clique = clique[i];
	free(switches);
	free(clique);
	return have_both ? 0 : -ENOMEM;
}

static int print(struct vm *vm, bool json)
{
	int r;

	/* What was named may be another function by now. */
	if (vm->n == 0) {
		say_error("no-such-function", NULL, "none of them is there any more");
		return EXIT_CODE_GONE;
	}
	qsort(vm->fn, vm->n, sizeof(vm->fn[0]), compare_functions);
	r = find_cards(vm);
	/*
	 * QEMU does not map BARs for other devices through iommufd (docs/devel/vfio-iommufd.rst, "P2P DMA"): a guest
	 * must not be told that they can be reached.
	 */
	if (r == 0 && !vm->iommufd)
		r = find_cliques(vm);
	if (r < 0) {
		say_error("failed", NULL, "%s", strerror(-r));
		return EXIT_CODE_FAILED;
	}
	if (vm->n_cards > ROOT_PORTS_MAX && vm->vmm != VMM_CLOUD_HYPERVISOR) {
		say_error("too-many", NULL, "%zu cards and VFs need a root port each, and there is room for %u",
			  vm->n_cards, ROOT_PORTS_MAX);
		return EXIT_CODE_FAILED;
	}
	segments_plan(vm->cards, vm->n_cards, APERTURE32, &vm->segments);
	args_print(vm, json);
	return EXIT_CODE_OK;
}

int verb_args(const struct options *opt, char **bdfs, int n)
{
	struct vm vm = { .vmm = opt->vmm, .iommufd = opt->iommufd };
	char bdf[BDF_SIZE];
	int i, code, worst;
	size_t f;

	for (i = 0; i < n; i++) {
		if (address_parse(bdfs[i], bdf) != EXIT_CODE_OK)
			return EXIT_CODE_USAGE;
	}
	worst = config_readable();
	if (worst != EXIT_CODE_OK)
		return worst;
	for (i = 0; i < n; i++) {
		if (address_parse(bdfs[i], bdf) != EXIT_CODE_OK)
			continue;
		code = add_card(&vm, bdf);
		worst = code > worst ? code : worst;
	}
	for (f = 0; f < vm.n; f++) {
		code = check_group(&vm, &vm.fn[f]);
		worst = code > worst ? code : worst;
	}
	/* All or nothing: a VM that was given half a card would be worse than none. */
	if (worst == EXIT_CODE_OK)
		worst = print(&vm, opt->json);
	free(vm.fn);
	free(vm.cards);
	return worst;
}
