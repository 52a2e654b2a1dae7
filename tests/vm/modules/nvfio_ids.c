// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio_ids - give emulated PCI functions the identity of NVIDIA hardware.
 *
 * Owns the read accessor of every PCI bus (pci_bus_set_ops()) and rewrites
 * vendor, device, class and subsystem of chosen functions on the way to the
 * kernel. Buses created later inherit the accessor from their parent. Load
 * it, write the map, then plug the card.
 *
 * /sys/module/nvfio_ids/parameters/map takes words
 *   BB:DD.F=VVVV:DDDD:CCCCCC[:SSSS:SSSS]   one function (domain 0)
 *   BB:vf=VVVV:DDDD:CCCCCC[:SSSS:SSSS]     all virtual functions on a bus
 *   BB:DD.F=  BB:vf=  clear                forget one, forget all
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#define MAX_ENTRIES 64
/* Not a devfn: a whole bus's virtual functions share one entry. */
#define DEVFN_VF 0x100

struct identity {
	u8 bus;
	u16 devfn;
	bool used;
	u32 id;		/* config dword 0x00: device << 16 | vendor */
	u32 class;	/* config dword 0x08: class << 8; the revision stays */
	u32 subsystem;	/* config dword 0x2c, 0 keeps the emulated one */
};

static struct identity table[MAX_ENTRIES];
/* Raw: accessors run under the kernel's pci_lock with interrupts off. */
static DEFINE_RAW_SPINLOCK(table_lock);

static struct pci_ops *original;
static struct pci_ops rewriting;

static bool lookup(u8 bus, u16 devfn, struct identity *ret)
{
	unsigned long flags;
	bool found = false;
	int i;

	raw_spin_lock_irqsave(&table_lock, flags);
	for (i = 0; i < MAX_ENTRIES && !found; i++) {
		if (!table[i].used || table[i].bus != bus || table[i].devfn != devfn)
			continue;
		*ret = table[i];
		found = true;
	}
	raw_spin_unlock_irqrestore(&table_lock, flags);
	return found;
}

static u32 original_dword(struct pci_bus *bus, unsigned int devfn, int where)
{
	u32 val = ~0U;

	if (original->read(bus, devfn, where, 4, &val) != PCIBIOS_SUCCESSFUL)
		return ~0U;
	return val;
}

/* Offset of the SR-IOV capability, 0 if the function has none. */
static int sriov_capability(struct pci_bus *bus, unsigned int devfn)
{
	int pos = PCI_CFG_SPACE_SIZE, hops;

	for (hops = 0; pos >= PCI_CFG_SPACE_SIZE && hops < 64; hops++) {
		u32 header = original_dword(bus, devfn, pos);

		if (!header || header == ~0U)
			return 0;
		if (PCI_EXT_CAP_ID(header) == PCI_EXT_CAP_ID_SRIOV)
			return pos;
		pos = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

/*
 * A VF takes its vendor from the PF and its device id from the PF's SR-IOV
 * capability, so that word is the PF's to rewrite.
 */
static u32 rewrite_extended(struct pci_bus *bus, unsigned int devfn, int where, u32 val)
{
	struct identity pf, vf;
	int pos;

	if (!lookup(bus->number, devfn, &pf) || !lookup(bus->number, DEVFN_VF, &vf))
		return val;
	pos = sriov_capability(bus, devfn);
	if (!pos || where != pos + PCI_SRIOV_VF_DID - 2)
		return val;
	return (val & 0xffff) | (vf.id & 0xffff0000);
}

static u32 rewrite_header(struct pci_bus *bus, unsigned int devfn, int where, u32 val)
{
	struct identity who;
	bool vf = false;

	if (!lookup(bus->number, devfn, &who)) {
		if (!lookup(bus->number, DEVFN_VF, &who))
			return val;
		vf = true;
	}
	/*
	 * Absent functions must stay absent. A VF reads ffff:ffff at offset 0
	 * as well, but it has a class.
	 */
	if ((original_dword(bus, devfn, PCI_VENDOR_ID) == ~0U) != vf)
		return val;
	if (vf && original_dword(bus, devfn, PCI_CLASS_REVISION) == ~0U)
		return val;

	switch (where) {
	case PCI_VENDOR_ID:
		return vf ? val : who.id;
	case PCI_CLASS_REVISION:
		return who.class | (val & 0xff);
	case PCI_SUBSYSTEM_VENDOR_ID:
		return who.subsystem ? who.subsystem : val;
	default:
		return val;
	}
}

static int read_config(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *val)
{
	int aligned = where & ~3, shift = (where & 3) * 8;
	u32 dword;

	if (aligned != PCI_VENDOR_ID && aligned != PCI_CLASS_REVISION &&
	    aligned != PCI_SUBSYSTEM_VENDOR_ID && aligned < PCI_CFG_SPACE_SIZE)
		return original->read(bus, devfn, where, size, val);

	if (original->read(bus, devfn, aligned, 4, &dword) != PCIBIOS_SUCCESSFUL)
		return original->read(bus, devfn, where, size, val);
	if (aligned < PCI_CFG_SPACE_SIZE)
		dword = rewrite_header(bus, devfn, aligned, dword);
	else
		dword = rewrite_extended(bus, devfn, aligned, dword);
	dword >>= shift;
	*val = size == 4 ? dword : dword & ((1U << (size * 8)) - 1);
	return PCIBIOS_SUCCESSFUL;
}

static int parse_word(const char *word, struct identity *ret)
{
	unsigned int bus, slot, func, vendor, device, class, svendor = 0, sdevice = 0;
	const char *value = strchr(word, '=');
	int n;

	memset(ret, 0, sizeof(*ret));
	if (!value)
		return -EINVAL;
	if (sscanf(word, "%2x:%2x.%1x=", &bus, &slot, &func) == 3)
		ret->devfn = PCI_DEVFN(slot, func);
	else if (sscanf(word, "%2x:vf", &bus) == 1 && !strncmp(word + 2, ":vf=", 4))
		ret->devfn = DEVFN_VF;
	else
		return -EINVAL;
	ret->bus = bus;
	if (!value[1])
		return 0;

	n = sscanf(value + 1, "%4x:%4x:%6x:%4x:%4x", &vendor, &device, &class, &svendor, &sdevice);
	if (n != 3 && n != 5)
		return -EINVAL;
	ret->used = true;
	ret->id = device << 16 | vendor;
	ret->class = class << 8;
	ret->subsystem = sdevice << 16 | svendor;
	return 0;
}

static int store_identity(const struct identity *who)
{
	struct identity *slot = NULL;
	unsigned long flags;
	int i;

	raw_spin_lock_irqsave(&table_lock, flags);
	for (i = 0; i < MAX_ENTRIES; i++) {
		if (table[i].used && table[i].bus == who->bus && table[i].devfn == who->devfn) {
			slot = &table[i];
			break;
		}
		if (!table[i].used && !slot)
			slot = &table[i];
	}
	if (slot)
		*slot = *who;
	raw_spin_unlock_irqrestore(&table_lock, flags);
	return slot ? 0 : -ENOSPC;
}

static int map_set(const char *text, const struct kernel_param *kp)
{
	char *copy, *rest, *word;
	struct identity who;
	int r = 0;

	copy = rest = kstrdup(text, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	while (!r && (word = strsep(&rest, " \t\n"))) {
		if (!*word)
			continue;
		if (!strcmp(word, "clear")) {
			unsigned long flags;

			raw_spin_lock_irqsave(&table_lock, flags);
			memset(table, 0, sizeof(table));
			raw_spin_unlock_irqrestore(&table_lock, flags);
			continue;
		}
		r = parse_word(word, &who);
		if (!r)
			r = store_identity(&who);
		if (r)
			pr_err("%s: not accepted\n", word);
	}
	kfree(copy);
	return r;
}

static int map_get(char *buf, const struct kernel_param *kp)
{
	int len = 0, i;

	for (i = 0; i < MAX_ENTRIES; i++) {
		struct identity who = table[i];

		if (!who.used)
			continue;
		if (who.devfn == DEVFN_VF)
			len += scnprintf(buf + len, PAGE_SIZE - len, "%02x:vf=", who.bus);
		else
			len += scnprintf(buf + len, PAGE_SIZE - len, "%02x:%02x.%u=", who.bus,
					 PCI_SLOT(who.devfn), PCI_FUNC(who.devfn));
		len += scnprintf(buf + len, PAGE_SIZE - len, "%04x:%04x:%06x:%04x:%04x\n",
				 who.id & 0xffff, who.id >> 16, who.class >> 8,
				 who.subsystem & 0xffff, who.subsystem >> 16);
	}
	return len;
}

static const struct kernel_param_ops map_ops = { .set = map_set, .get = map_get };
module_param_cb(map, &map_ops, NULL, 0600);
MODULE_PARM_DESC(map, "functions to rewrite, see the head of the source");

static void set_ops(struct pci_bus *bus, struct pci_ops *ops)
{
	struct pci_bus *child;

	list_for_each_entry(child, &bus->children, node)
		set_ops(child, ops);
	pci_bus_set_ops(bus, ops);
}

static void set_all_ops(struct pci_ops *ops)
{
	struct pci_bus *root = NULL;

	pci_lock_rescan_remove();
	while ((root = pci_find_next_bus(root)))
		set_ops(root, ops);
	pci_unlock_rescan_remove();
}

static int __init ids_init(void)
{
	struct pci_bus *root = pci_find_next_bus(NULL);

	if (!root)
		return -ENODEV;
	/* One set of accessors serves every bus of the guest's machine. */
	original = root->ops;
	rewriting = *original;
	rewriting.read = read_config;
	set_all_ops(&rewriting);
	return 0;
}

static void __exit ids_exit(void)
{
	set_all_ops(original);
}

module_init(ids_init);
module_exit(ids_exit);
MODULE_DESCRIPTION("nvfio test: NVIDIA ids on emulated PCI functions");
MODULE_LICENSE("GPL");
