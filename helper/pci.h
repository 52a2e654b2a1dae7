/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One PCI function and what the kernel says of it without taking its device lock. Reads only: driver_override,
 * sriov_numvfs and uevent are not read here, they sleep while the function is in probe() or remove().
 */
#ifndef NVFIO_PCI_H
#define NVFIO_PCI_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "util.h"

#define PCI_VENDOR_NVIDIA 0x10de

/* "dddddddd:bb:dd.f" and its NUL: Hyper-V and VMD use domains of five and more digits. */
#define BDF_SIZE 17

struct bdf {
	uint32_t domain;
	uint8_t bus;
	uint8_t slot;     /* 0..31 */
	uint8_t function; /* 0..7 */
};

/* Vendor, device and subsystem, as in `lspci -nn`. */
struct pci_ids {
	uint16_t vendor;
	uint16_t device;
	uint16_t subvendor;
	uint16_t subdevice;
};

struct pci_function {
	struct bdf bdf;
	char name[BDF_SIZE];             /* as sysfs spells it */
	int dirfd;                       /* the device's directory; with ino and ids its identity */
	ino_t ino;
	struct pci_ids ids;
	uint32_t class;                  /* 0x030200: base, sub, interface */
	char modalias[128];
	char driver[DRIVER_NAME_SIZE];   /* empty: none (or in remove(), the link goes first) */
	bool on_vfio;                    /* vfio-dev/ is there (6.1+), the sign of a finished bind */
	bool has_group;                  /* iommu_group is there and is not a no-IOMMU one */
	char group[16];
	bool is_vf;                      /* physfn, or sriov_vf_msix_count, which is there before physfn is */
	char physfn[BDF_SIZE];           /* empty: no VF, or the link is not made yet */
	bool has_sriov;                  /* sriov_totalvfs is there: it can have VFs */
	bool has_vfs;                    /* it has some now */
	bool boot_vga;
	bool is_bridge;                  /* of any kind, host and ISA included: other devices are behind it */
};

/* Parses exactly "dddd:bb:dd.f" (domain of 4 to 8 hex digits). 0 or -EINVAL with *ret untouched. */
int pci_parse_bdf(const char *text, struct bdf *ret) _must_check_;

/* Writes the way sysfs spells it: lower case, domain of at least four digits. */
void pci_format_bdf(const struct bdf *bdf, char buf[static BDF_SIZE]);

/* Whether two functions sit in the same slot: they are one card. */
bool pci_same_card(const struct bdf *a, const struct bdf *b);

/*
 * Takes "/sys/devices/pci.../0000:01:00.0" apart. Writes the BDF and returns 0, or -EINVAL if the argument is not the
 * absolute sysfs path of something below /sys/devices with a BDF for its name, or has "..", "." or empty components.
 * That it is of the pci subsystem is checked by pci_open(), which goes through /sys/bus/pci/devices.
 */
int pci_parse_syspath(const char *path, char name[static BDF_SIZE]) _must_check_;

/*
 * Opens a function by name and reads it whole. 0; -ENODEV if there is no such function (or it went away meanwhile);
 * -EINVAL if an attribute is empty, too long or not what the kernel prints, with *ret_attr naming it; -errno.
 * On success the caller owns ret->dirfd: pci_close(). On failure ret->dirfd is -1.
 */
int pci_open(const char *name, struct pci_function *ret, const char **ret_attr) _must_check_;
void pci_close(struct pci_function *f);

/* Reads driver, on_vfio and has_vfs anew. 0, -ENODEV if the function is gone, -errno. */
int pci_refresh(struct pci_function *f) _must_check_;

/*
 * Whether the open function still is there: 0, -ENODEV if it is gone, -errno if that cannot be told. Needed before every
 * write that names it by BDF. One that is gone has no attributes any more, whoever has its address now: its directory is
 * not another's (kernfs_remove() in fs/kernfs/dir.c).
 */
int pci_check(const struct pci_function *f) _must_check_;

/* Class tests. */
bool pci_is_display(uint32_t class);       /* 0300xx and 0302xx: what nvidia, nouveau and nova match */
bool pci_is_companion_class(uint32_t class); /* audio 0403, USB 0c03, UCSI 0c80 */
bool pci_is_nvswitch(uint32_t class);      /* 0680 */
bool pci_is_network(uint32_t class);       /* 02: Ethernet, InfiniBand, ... */

/*
 * Kinds of functions of which can be told whether the host needs them (critical.h): storage, network, display, sound,
 * serial ports, USB host controllers, accelerators. Not among them: what works for the kernel without a trace in sysfs,
 * such as DMA engines, memory controllers, SMBus, management engines or USB4.
 */
bool pci_is_judgeable(uint32_t class);

/* 10de display functions that are no plug-in GPU: Tegra and GB10 SoC graphics, nForce and MCP chipset graphics. */
bool pci_is_integrated_gpu(const struct pci_ids *ids);

/* stub drivers that mean another manager owns the function: pci-stub, xen-pciback, uio drivers. */
bool pci_is_foreign_stub(const char *driver);

#define _cleanup_pci_ __attribute__((cleanup(pci_close)))

#endif
