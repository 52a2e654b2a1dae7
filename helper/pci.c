// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Facts about one PCI function, read through the directory descriptor that also is its identity. The attributes read
 * here (vendor, class, modalias, ... and the existence of others) are cached by the kernel and take no device lock.
 */
#include "pci.h"

#include <fcntl.h>
#include <sys/stat.h>
#include "sysfs.h"

static int hex_field(const char *s, size_t min, size_t max, char end, uint32_t *ret, const char **ret_next)
{
	size_t len = strspn(s, "0123456789abcdefABCDEF");

	if (len < min || len > max || s[len] != end)
		return -EINVAL;
	*ret = (uint32_t)strtoul(s, NULL, 16);
	*ret_next = s + len + 1;
	return 0;
}

int pci_parse_bdf(const char *text, struct bdf *ret)
{
	uint32_t domain, bus, slot;
	const char *s;

	if (hex_field(text, 4, 8, ':', &domain, &s) < 0 || hex_field(s, 2, 2, ':', &bus, &s) < 0 ||
	    hex_field(s, 2, 2, '.', &slot, &s) < 0)
		return -EINVAL;
	if (slot > 31 || s[0] < '0' || s[0] > '7' || s[1] != '\0')
		return -EINVAL;
	*ret = (struct bdf){ .domain = domain, .bus = (uint8_t)bus, .slot = (uint8_t)slot,
			     .function = (uint8_t)(s[0] - '0') };
	return 0;
}

void pci_format_bdf(const struct bdf *bdf, char buf[static BDF_SIZE])
{
	snprintf(buf, BDF_SIZE, "%04x:%02x:%02x.%x", bdf->domain, bdf->bus, bdf->slot & 31U, bdf->function & 7U);
}

bool pci_same_card(const struct bdf *a, const struct bdf *b)
{
	return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot;
}

int pci_parse_syspath(const char *path, char name[static BDF_SIZE])
{
	const char *s = path, *base = strrchr(path, '/');
	struct bdf bdf;

	name[0] = '\0';
	if (!startswith(path, "/sys/devices/") || pci_parse_bdf(base + 1, &bdf) < 0)
		return -EINVAL;
	/* An honest sysfs path has no dots to follow; one that does leads elsewhere. */
	while (*s == '/') {
		size_t len = strcspn(++s, "/");

		if (len == 0 || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.'))
			return -EINVAL;
		s += len;
	}
	pci_format_bdf(&bdf, name);
	return 0;
}

static int read_ids(struct pci_function *f, const char **ret_attr)
{
	uint32_t value[4];
	static const char *const attr[] = { "vendor", "device", "subsystem_vendor", "subsystem_device" };
	unsigned int i;
	int r;

	for (i = 0; i < ARRAY_SIZE(attr); i++) {
		*ret_attr = attr[i];
		r = sysfs_read_hex(f->dirfd, attr[i], 0xffff, &value[i]);
		if (r < 0)
			return r;
	}
	f->ids = (struct pci_ids){ .vendor = (uint16_t)value[0], .device = (uint16_t)value[1],
				   .subvendor = (uint16_t)value[2], .subdevice = (uint16_t)value[3] };
	*ret_attr = "class";
	r = sysfs_read_hex(f->dirfd, "class", 0xffffff, &f->class);
	if (r < 0)
		return r;
	*ret_attr = "modalias";
	r = sysfs_read(f->dirfd, "modalias", f->modalias, sizeof(f->modalias));
	if (r >= 0 && !startswith(f->modalias, "pci:"))
		r = -EINVAL;
	return r < 0 ? r : 0;
}

/* A group named vfio-noiommu is made up by vfio's unsafe mode: nothing translates there (drivers/vfio/group.c). */
static void read_group(struct pci_function *f)
{
	char name[32];

	if (sysfs_read_link(f->dirfd, "iommu_group", f->group, sizeof(f->group)) < 0)
		return;
	f->has_group = sysfs_read(f->dirfd, "iommu_group/name", name, sizeof(name)) < 0 || !streq(name, "vfio-noiommu");
}

/* Not knowing is not "no": a PF whose VFs cannot be seen must not be taken for one without. */
static int has(const struct pci_function *f, const char *name, bool *ret)
{
	int r = sysfs_has(f->dirfd, name);

	if (r >= 0)
		*ret = r > 0;
	return r < 0 ? r : 0;
}

static int read_sriov(struct pci_function *f)
{
	struct bdf pf;
	int r;

	r = sysfs_read_link(f->dirfd, "physfn", f->physfn, sizeof(f->physfn));
	if (r < 0 && r != -ENOENT)
		return r;
	f->is_vf = r == 0;
	if (f->is_vf) {
		if (pci_parse_bdf(f->physfn, &pf) < 0)
			f->physfn[0] = '\0';
		return 0;
	}
	r = has(f, "sriov_totalvfs", &f->has_sriov);
	/* The attribute is visible on VFs alone and from `add` on; physfn follows (drivers/pci/iov.c, pci_iov_add_virtfn). */
	return r < 0 ? r : has(f, "sriov_vf_msix_count", &f->is_vf);
}

/* Only display functions have the attribute. */
static int read_boot_vga(struct pci_function *f)
{
	char value[8];
	int r = sysfs_read(f->dirfd, "boot_vga", value, sizeof(value));

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	f->boot_vga = streq(value, "1");
	return 0;
}

int pci_check(const struct pci_function *f)
{
	int r = sysfs_has(f->dirfd, "vendor");

	return r < 0 ? r : r > 0 ? 0 : -ENODEV;
}

int pci_refresh(struct pci_function *f)
{
	int r;

	r = sysfs_read_link(f->dirfd, "driver", f->driver, sizeof(f->driver));
	if (r < 0 && r != -ENOENT)
		return r;
	r = has(f, "vfio-dev", &f->on_vfio);
	if (r == 0 && f->has_sriov)
		r = has(f, "virtfn0", &f->has_vfs);
	return r < 0 ? r : pci_check(f);
}

int pci_open(const char *name, struct pci_function *ret, const char **ret_attr)
{
	struct pci_function f = { .dirfd = -1 };
	_cleanup_close_ int fd = -1;
	char path[64];
	struct stat st;
	int r;

	ret->dirfd = -1;
	*ret_attr = NULL;
	if (pci_parse_bdf(name, &f.bdf) < 0)
		return -EINVAL;
	pci_format_bdf(&f.bdf, f.name);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", f.name);
	fd = sysfs_open_dir(path);
	if (fd < 0)
		return fd == -ENOENT ? -ENODEV : fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	f.dirfd = fd;
	f.ino = st.st_ino;
	r = read_ids(&f, ret_attr);
	if (r < 0) /* a missing vendor is a missing device, anything else is a lying one */
		return r == -EINVAL || r == -EOVERFLOW ? -EINVAL : r == -ENOENT ? -ENODEV : r;
	*ret_attr = NULL;
	read_group(&f);
	/* The attribute is there for header types 1 and 2 alone (pci_bridge_attrs_are_visible, drivers/pci/pci-sysfs.c). */
	f.is_bridge = (f.class >> 16 == 0x06 && !pci_is_nvswitch(f.class)) || sysfs_has(f.dirfd, "secondary_bus_number");
	r = read_sriov(&f);
	if (r == 0)
		r = read_boot_vga(&f);
	if (r == 0)
		r = pci_refresh(&f);
	if (r < 0)
		return r;
	*ret = f;
	(void)steal_fd(&fd);
	return 0;
}

void pci_close(struct pci_function *f)
{
	close_fd(f->dirfd);
	f->dirfd = -1;
}

bool pci_is_display(uint32_t class)
{
	return class >> 8 == 0x0300 || class >> 8 == 0x0302;
}

bool pci_is_companion_class(uint32_t class)
{
	return class >> 8 == 0x0403 || class >> 8 == 0x0c03 || class >> 8 == 0x0c80;
}

bool pci_is_nvswitch(uint32_t class)
{
	return class >> 8 == 0x0680;
}

bool pci_is_network(uint32_t class)
{
	return class >> 16 == 0x02;
}

bool pci_is_judgeable(uint32_t class)
{
	switch (class >> 8) {
	case 0x0700: /* serial port, */
	case 0x0702: /* several of them */
		return true;
	case 0x0c03: /* UHCI, OHCI, EHCI, xHCI; 40 is USB4, with whole buses in its tunnels */
		return (class & 0xff) <= 0x30;
	default:
		return (class >> 16 >= 0x01 && class >> 16 <= 0x04) || class >> 16 == 0x12;
	}
}

bool pci_is_integrated_gpu(const struct pci_ids *ids)
{
	/* SoC: Thor, GB10 and N1X. Chipsets: nForce, nForce2, C51, MCP61, MCP67/68, MCP73, MCP77, MCP79/7A, MCP89. */
	static const struct { uint16_t first, last; } range[] = {
		{ 0x2b00, 0x2b00 }, { 0x2e03, 0x2e03 }, { 0x2e06, 0x2e06 }, { 0x2e12, 0x2e13 },
		{ 0x01a0, 0x01a0 }, { 0x01f0, 0x01f0 }, { 0x0240, 0x0247 }, { 0x03d0, 0x03d6 }, { 0x0530, 0x053f },
		{ 0x07e0, 0x07e5 }, { 0x0840, 0x084f }, { 0x0860, 0x087f }, { 0x08a0, 0x08a5 },
	};
	unsigned int i;

	if (ids->vendor != PCI_VENDOR_NVIDIA)
		return false;
	for (i = 0; i < ARRAY_SIZE(range); i++) {
		if (ids->device >= range[i].first && ids->device <= range[i].last)
			return true;
	}
	return false;
}

bool pci_is_foreign_stub(const char *driver)
{
	static const char *const stub[] = { "pci-stub", "pciback", "xen-pciback", "uio_pci_generic", "igb_uio" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(stub); i++) {
		if (streq(driver, stub[i]))
			return true;
	}
	return false;
}
