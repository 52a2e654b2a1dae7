/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvfio check: what is known of the host, and what a finding is. The host is looked at once (check-host.c), then each
 * finding of the table in check.c says what it makes of it. Every path goes through root.h, so a fake tree answers all.
 */
#ifndef NVFIO_CHECK_H
#define NVFIO_CHECK_H

#include "iommu.h"
#include "policy.h"

enum grade { GRADE_OK, GRADE_NOTE, GRADE_PROBLEM };

/* For whom a mend is; what is the same everywhere is for all. */
enum system { SYSTEM_DEBIAN = 1, SYSTEM_FEDORA = 2, SYSTEM_ARCH = 4, SYSTEM_ALL = 7 };

struct mend {
	enum system system;
	char text[400];
};

struct finding {
	enum grade grade;
	bool needs_root;      /* root would learn more */
	char text[700];       /* what was found */
	const char *means;    /* what follows from that; static, NULL where the text says it all */
	struct mend mend[8];
	unsigned int n_mends;
};

/* Makes it the finding, replacing what was said before. */
void finding_say(struct finding *f, enum grade grade, const char *means, const char *format, ...) _printf_(4, 5);

/* A note that only root can tell; what is missing completes "needs root to tell ...". */
void finding_needs_root(struct finding *f, const char *what);

/* One more line of what to do, or of ways to choose from. */
void finding_mend(struct finding *f, enum system system, const char *format, ...) _printf_(3, 4);

/* The same for what differs from system to system: kernel arguments to be added or removed, a new initramfs. */
void finding_add_argument(struct finding *f, const char *argument);
void finding_remove_argument(struct finding *f, const char *argument);
void finding_new_initramfs(struct finding *f);

/* Some names in a sentence: "a, b, c and 4 more". */
struct crowd {
	char text[240];
	unsigned int n, left_out;
};

void crowd_add(struct crowd *crowd, const char *format, ...) _printf_(2, 3);
/* Completes the text and returns it. */
const char *crowd_text(struct crowd *crowd);

/* An NVIDIA function that nvfio has an opinion of. */
struct function {
	char bdf[BDF_SIZE];
	struct pci_ids ids;
	uint32_t class;
	enum role role;
	char driver[DRIVER_NAME_SIZE];
	bool on_vfio;                  /* on a VFIO driver, not on a vGPU's nvidia */
	bool has_group;
	char group[16];                /* also where vfio made it up */
	char group_type[24];           /* as the kernel prints it; empty if unknown */
	struct iommu_viability viability; /* with has_group */
	struct verdict verdict;        /* if it were plugged in now */
	bool wanted;                   /* that is anything but to leave it */
	bool left_at_boot;             /* boot = native */
	enum choice takeover;
	bool named;                    /* a section with its address speaks for it */
	enum driver_status driver_status;
	struct vfio_driver vfio;       /* with DRIVER_FOUND */
	enum tri console;              /* TRI_UNKNOWN: could not be told */
	char console_text[128];
	char vgpu[128];                /* a sign of a vGPU host; empty if there is none */
	bool driverctl;
	char guard[300];               /* "file:line" of a section that is about another card; empty if there is none */
};

enum machine { MACHINE_OTHER, MACHINE_INTEL, MACHINE_AMD, MACHINE_ARM };

struct host {
	const char *user;              /* --user, or NULL */
	bool root;                     /* we are */
	enum system system;            /* SYSTEM_ALL where it is none of the three */
	enum machine machine;
	char cmdline[8192];            /* of the kernel */
	char release[128];             /* of the kernel; empty if unknown */
	struct config *config;         /* NULL where it does not load */
	int config_result;             /* of config_load() */
	char config_error[512];
	struct function *functions;    /* in the order of their addresses */
	size_t n;
	struct crowd unreadable;       /* functions that could not be looked at */
	bool no_pci;                   /* there is no list of functions */
};

/* 0, or -errno where not even the list of functions can be read. Free it in either case. */
int host_read(struct host *host, const char *user) _must_check_;
void host_free(struct host *host);

/*
 * The word of the kernel command line that is, or begins with, this (which then ends in '='). '-' and '_' are one in names
 * of parameters (parameqn() in kernel/params.c). NULL, or the word's value, valid as long as buf.
 */
const char *host_argument(const struct host *host, const char *name, char *buf, size_t size);

/*
 * A whole text file by its absolute path, at most 1 MiB, to be freed. NULL with *ret_error -ENOENT, -EACCES, -EINVAL (no
 * regular file), -EFBIG, ...
 */
char *host_file(const char *path, int *ret_error) _must_check_;

/* The first line of a file, cut to size. 0 or -errno with buf empty. */
int host_line(const char *path, char *buf, size_t size);

/* As much of a file as fits: for those of /proc that grow with the number of processors. 0 or -errno with buf empty. */
int host_beginning(const char *path, char *buf, size_t size);

/* A module parameter of type bool. */
bool host_is_yes(const char *value);

/*
 * Where modprobe.d(5) has a line "KEYWORD MODULE ... WITH ..." ('-' as '_' in module; with NULL: whatever follows): 0 with
 * "file:line" and what follows the module's name; -ENOENT; -EACCES where something could not be read and the rest has none.
 */
int modprobed_find(const char *keyword, const char *module, const char *with, char where[static 300],
		   char rest[static 300]) _must_check_;

/* A finding each, named as in the table. */
typedef void look_fn(const struct host *host, struct finding *f);

look_fn check_functions;
look_fn check_iommu, check_translation, check_groups, check_interrupts, check_noiommu, check_acs;
look_fn check_kernel, check_vfio, check_drivers, check_grace, check_signatures, check_native;
look_fn check_initramfs;
look_fn check_rules, check_udev, check_off, check_configuration, check_sections, check_boot, check_console;
look_fn check_driverctl, check_libvirt, check_ids, check_kubernetes, check_vgpu, check_services, check_other_rules;
look_fn check_memlock, check_node_group, check_user_nodes, check_user_memlock;

#endif
