// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a foreign function carries: a disk with a partition and a network interface in a fake tree, and one sign of use
 * after the other.
 */
#include "tree.h"

#include <sys/sysmacros.h>
#include "critical.h"

#define BDF "0000:05:00.0"
#define DEV "/sys/devices/pci0000:00/0000:00:02.0/" BDF
#define DISK DEV "/nvme/nvme0/nvme0n1"
#define PART DISK "/nvme0n1p1"
#define USB DEV "/usb3/3-1/3-1:1.0"

static void block(const char *dir, const char *name, const char *number)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev", dir);
	tree_file(path, number);
	snprintf(path, sizeof(path), "%s/subsystem", dir);
	tree_link(path, "../../class/block");
	snprintf(path, sizeof(path), "%s/holders", dir);
	tree_dir(path);
	snprintf(path, sizeof(path), "/sys/dev/block/%s", number);
	tree_link(path, tree_path(dir));
	snprintf(path, sizeof(path), "/dev/%s", name);
	tree_file(path, "");
}

/* A host whose root is elsewhere. */
static void host(void)
{
	tree_file("/proc/1/mountinfo", "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
	tree_file("/proc/self/mountinfo", "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
	tree_file("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1 0 -2\n");
	tree_file("/proc/net/route", "Iface\tDestination\nlan0\t00000000\n");
	tree_file("/proc/net/if_inet6", "00000000000000000000000000000001 01 80 10 80       lo\n");
	tree_file("/proc/net/ipv6_route", "00 00 00 00 00 00 00 00 lo\n");
	tree_file("/proc/consoles", "tty0                 -WU (EC p  )    4:7\nttyS0 -W- (E  p a)    4:64\nnetcon0 -W- (E  p  )\n");
	tree_dir("/sys/class/block");
	tree_dir(DEV);
}

static void disk(void)
{
	host();
	block(DISK, "nvme0n1", "259:0");
	block(PART, "nvme0n1p1", "259:1");
}

static void nic(const char *flags)
{
	host();
	tree_file(DEV "/net/lan1/flags", flags);
	tree_dir(DEV "/net/lan1/queues/rx-0");
}

static const char *text_of(uint32_t class, const char *driver)
{
	static struct critical c;
	struct pci_function f = { .name = BDF, .class = class };

	c = (struct critical){ .text = "?" };
	strcpy(f.driver, driver);
	f.dirfd = root_open(DEV, O_RDONLY | O_DIRECTORY);
	if (f.dirfd < 0 || critical_find(&f, &c) < 0)
		return "failed";
	close_fd(f.dirfd);
	return c.found == (c.text[0] != '\0') ? c.text : "text and word differ";
}

#define CHECK_DISK(text) CHECK_STR(text_of(0x010802, "nvme"), text)
#define CHECK_NIC(text) CHECK_STR(text_of(0x020000, "e1000e"), text)
#define CHECK_USB(text) CHECK_STR(text_of(0x0c0330, "xhci_hcd"), text)

static void an_idle_disk_is_not(void)
{
	TREE;

	disk();
	CHECK_DISK("");
}

static void mounted_by_number(void)
{
	TREE;

	disk();
	tree_file("/proc/1/mountinfo", "30 1 259:1 / /srv rw - ext4 /dev/root rw\n");
	CHECK_DISK("file system /srv on /dev/nvme0n1p1");
	tree_file("/proc/1/mountinfo", "");
	CHECK_DISK("");
	tree_file("/proc/self/mountinfo", "30 1 259:0 / /mnt rw shared:1 - xfs none rw\n");
	CHECK_DISK("file system /mnt on /dev/nvme0n1");
}

static void mounted_by_source(void)
{
	TREE;

	disk();
	tree_file("/proc/1/mountinfo", "30 1 0:41 /@ / rw shared:1 - btrfs /dev/nvme0n1p1 rw\n");
	CHECK_DISK("file system / on /dev/nvme0n1p1");
	tree_file("/proc/1/mountinfo", "30 1 0:41 /@ / rw shared:1 - btrfs /dev/nvme0n1p11 rw\n");
	CHECK_DISK("");
}

static void swap(void)
{
	TREE;

	disk();
	tree_file("/proc/swaps", "Filename\tType\n/dev/nvme0n1p1 partition 8388604 0 -2\n");
	CHECK_DISK("swap on /dev/nvme0n1p1");
	if (mknod(tree_path("/dev/by-other-name"), S_IFBLK | 0600, makedev(259, 0)) < 0)
		tree_fail("mknod");
	tree_file("/proc/swaps", "Filename\tType\n/dev/by-other-name partition 8388604 0 -2\n");
	CHECK_DISK("swap on /dev/nvme0n1");
	tree_remove("/proc/swaps"); /* a kernel without swap */
	CHECK_DISK("");
}

static void holders(void)
{
	TREE;

	disk();
	tree_file(PART "/holders/md127/size", "1\n");
	CHECK_DISK("md127 on /dev/nvme0n1p1");
	tree_file(DISK "/holders/dm-3/dm/name", "vg0-root\n");
	CHECK_DISK("dm-3 (vg0-root) on /dev/nvme0n1");
}

/* A disk in use without a claim on it: by a path that the kernel was told. */
static void disk_by_path(void)
{
	TREE;

	disk();
	tree_file("/sys/class/block/loop3/loop/backing_file", "/srv/image\n");
	CHECK_DISK("");
	tree_file("/sys/class/block/loop3/loop/backing_file", "/dev/nvme0n1p1\n");
	CHECK_DISK("loop3 on /dev/nvme0n1p1");
	if (mknod(tree_path("/dev/by-other-name"), S_IFBLK | 0600, makedev(259, 0)) < 0)
		tree_fail("mknod");
	tree_file("/sys/class/block/loop3/loop/backing_file", "/dev/by-other-name\n");
	CHECK_DISK("loop3 on /dev/nvme0n1");
	tree_file("/sys/class/block/loop3/loop/backing_file", "/dev/nvme0n1 (deleted)\n");
	CHECK_DISK("loop3 could not be looked at");
	tree_remove("/sys/class/block/loop3/loop/backing_file");
	tree_file("/sys/kernel/config/nvmet/subsystems/nqn.a/namespaces/1/device_path", "/dev/nvme0n1\n");
	CHECK_DISK("an NVMe target on /dev/nvme0n1");
	tree_file("/sys/kernel/config/nvmet/subsystems/nqn.a/namespaces/1/device_path", "(null)\n");
	CHECK_DISK("");
	tree_file("/sys/kernel/config/nvmet/subsystems/nqn.a/passthru/device_path", "/dev/by-other-name\n");
	CHECK_DISK("an NVMe target on /dev/nvme0n1");
}

static void targets_that_are_not_to_be_seen(void)
{
	TREE;

	disk();
	tree_dir("/sys/module/nvmet");
	CHECK_DISK("what nvmet exports could not be looked at");
	tree_dir("/sys/kernel/config/nvmet/subsystems");
	CHECK_DISK("");
	tree_remove("/sys/class/block");
	CHECK_DISK("/sys/class/block could not be looked at");
}

/* A card of serial ports, one of them the console. */
static void console(void)
{
	TREE;

	host();
	tree_file(DEV "/tty/ttyS4/dev", "4:68\n");
	tree_link(DEV "/tty/ttyS4/subsystem", "../../class/tty");
	CHECK_STR(text_of(0x070002, "serial"), "");
	tree_file("/proc/consoles", "tty0 -WU (EC p  )    4:7\nttyS4                -W- (E  p a)    4:68\n");
	CHECK_STR(text_of(0x070002, "serial"), "the kernel's console on /dev/ttyS4");
	tree_remove("/proc/consoles");
	CHECK_STR(text_of(0x070002, "serial"), "/proc/consoles could not be looked at");
}

/* The disk of a drive that may have several controllers is not below the function. */
static void disk_of_an_nvme_subsystem(void)
{
	TREE;

	host();
	tree_dir(DEV "/nvme/nvme0");
	tree_link(DEV "/nvme/nvme0/subsystem", "../../class/nvme");
	block("/sys/class/nvme-subsystem/nvme-subsys0/nvme0n1", "nvme0n1", "259:0");
	block("/sys/class/nvme-subsystem/nvme-subsys1/nvme1n1", "nvme1n1", "259:9");
	tree_dir("/sys/class/nvme-subsystem/nvme-subsys0/nvme0");
	tree_dir("/sys/class/nvme-subsystem/nvme-subsys1/nvme1");
	CHECK_DISK("");
	tree_file("/proc/1/mountinfo", "30 1 259:9 / /other rw - ext4 /dev/nvme1n1 rw\n");
	CHECK_DISK("");
	tree_file("/proc/1/mountinfo", "30 1 259:0 / /srv rw - ext4 /dev/nvme0n1 rw\n");
	CHECK_DISK("file system /srv on /dev/nvme0n1");
}

static void what_cannot_be_looked_at_counts(void)
{
	TREE;

	disk();
	tree_remove("/proc/1/mountinfo");
	CHECK_DISK("/proc/1/mountinfo could not be looked at");
	tree_file("/proc/1/mountinfo", "what is this\n");
	CHECK_DISK("a line of mountinfo could not be looked at");
	tree_file("/proc/1/mountinfo", "");
	tree_remove("/dev/nvme0n1p1");
	CHECK_DISK("/dev/nvme0n1p1 could not be looked at");
	tree_remove("/sys/dev/block/259:0");
	CHECK_DISK("/dev/nvme0n1 could not be looked at");
}

static void an_interface_without_work_is_not(void)
{
	TREE;

	nic("0x1002\n");
	CHECK_NIC("");
	tree_file("/proc/net/if_inet6", "fe80 02 40 20 80 lan10\n");
	CHECK_NIC("");
}

static void an_interface_with_work(void)
{
	TREE;

	nic("0x1003\n");
	tree_file("/proc/net/if_inet6", "fe80 02 40 20 80 lan1\n");
	CHECK_NIC("network interface lan1, up with an address");
	tree_file(DEV "/net/lan1/flags", "0x1002\n");
	CHECK_NIC("network interface lan1, with an address");
	tree_file("/proc/net/if_inet6", "");
	tree_file(DEV "/net/lan1/flags", "0x1003\n");
	CHECK_NIC("network interface lan1, up");
	tree_link(DEV "/net/lan1/upper_br0", "../br0");
	CHECK_NIC("network interface lan1, up and part of br0");
	tree_file(DEV "/net/lan1/flags", "0x1002\n");
	CHECK_NIC("network interface lan1, part of br0");
	tree_remove(DEV "/net/lan1/upper_br0");
	CHECK_NIC("");
	tree_file("/proc/net/route", "Iface\tDestination\nlan1\t00000000\t0102A8C0\n");
	CHECK_NIC("network interface lan1, with a route");
	tree_file("/proc/net/route", "Iface\tDestination\n");
	tree_file("/proc/net/ipv6_route", "00 00 00 00 00 00 00 00 lan1\n");
	CHECK_NIC("network interface lan1, with a route");
	tree_remove("/proc/net/ipv6_route"); /* a kernel without IPv6 */
	CHECK_NIC("");
	tree_remove(DEV "/net/lan1/flags");
	CHECK_NIC("lan1 could not be looked at");
}

static void an_interface_that_is_not_to_be_seen(void)
{
	TREE;

	host();
	CHECK_NIC("a network function on e1000e whose interface is not to be seen");
	CHECK_STR(text_of(0x020000, ""), "");
	CHECK_DISK("");
	/* Whatever the function is: an accelerator with ports of its own, a USB stick. */
	tree_dir(DEV "/net");
	CHECK_NIC("a network interface that is not to be seen, perhaps in another network namespace");
	CHECK_STR(text_of(0x120000, "accel"), "a network interface that is not to be seen, perhaps in another network namespace");
	tree_remove(DEV "/net");
	tree_dir(USB "/net");
	CHECK_USB("a network interface that is not to be seen, perhaps in another network namespace");
}

static void usb(void)
{
	TREE;

	host();
	tree_file(DEV "/usb3/3-0:1.0/bInterfaceClass", "09\n");
	tree_file(USB "/bInterfaceClass", "ff\n");
	CHECK_USB("");
	tree_file(USB "/bInterfaceClass", "03\n");
	CHECK_USB("a USB input device (3-1:1.0)");
	tree_file(USB "/bInterfaceClass", "08\n");
	CHECK_USB("a USB storage device (3-1:1.0)");
	/* By what became of it: a Bluetooth keyboard. */
	tree_file(USB "/bInterfaceClass", "e0\n");
	tree_dir(USB "/bluetooth/hci0/hci0:1/input");
	CHECK_USB("");
	tree_dir(USB "/bluetooth/hci0/hci0:1/input/input7");
	CHECK_USB("a USB input device (input7)");
}

TEST_MAIN(TEST(an_idle_disk_is_not), TEST(mounted_by_number), TEST(mounted_by_source), TEST(swap), TEST(holders), TEST(disk_by_path), TEST(targets_that_are_not_to_be_seen), TEST(console),
	  TEST(disk_of_an_nvme_subsystem), TEST(what_cannot_be_looked_at_counts), TEST(an_interface_without_work_is_not),
	  TEST(an_interface_with_work), TEST(an_interface_that_is_not_to_be_seen), TEST(usb))
