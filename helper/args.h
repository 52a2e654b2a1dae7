/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvfio args: what a VMM is to be told of some cards. args.c looks and refuses, args-print.c and args-libvirt.c
 * print.
 */
#ifndef NVFIO_ARGS_H
#define NVFIO_ARGS_H

#include "bars.h"
#include "json.h"
#include "policy.h"
#include "topology.h"
#include "verbs.h"

/* A function to be handed over; it is on VFIO and its group is viable. */
struct vm_function {
	struct bdf bdf;
	char name[BDF_SIZE];
	char driver[DRIVER_NAME_SIZE];
	char group[16];
	char pf[BDF_SIZE];         /* of a VF, if that is on VFIO, too */
	enum role role;
	bool vf, has_group;
	bool gpu;                  /* a display function that is no VF: may be in a clique */
	unsigned int card;         /* which of vm.cards; a VF is one of its own */
	unsigned int guest;        /* number of the function in the guest's slot */
	char above[BDF_SIZE];      /* the switch it is behind; empty: none */
	int clique;                /* or CLIQUE_NONE */
	struct bars bars;
};

struct vm {
	enum vmm vmm;
	bool iommufd;
	struct vm_function *fn;    /* in the order of their addresses, a card's in a row */
	size_t n, room;
	struct segment_card *cards;
	size_t n_cards;
	unsigned int cliques;      /* how many there would be, see topology_cliques() */
	struct segments segments;  /* of Cloud Hypervisor */
};

/* MiB for 32-bit BARs of all segments of Cloud Hypervisor (MEM_32BIT_DEVICES_SIZE, arch/src/<arch>/layout.rs). */
#ifdef __x86_64__
#define APERTURE32 640
#else
#define APERTURE32 512
#endif

/* Root ports that a machine of QEMU's has room for: eight in each of the upper slots of pcie.0. */
#define ROOT_PORTS_MAX 120

/* Everything to standard output, the notes for people to standard error where the output has no place for them. */
void args_print(const struct vm *vm, bool json);

/* The XML for libvirt, without notes. */
void args_libvirt(const struct vm *vm, FILE *to);

const char *vmm_name(enum vmm vmm);

#endif
