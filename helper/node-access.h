/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who but root may open the VFIO nodes of functions that nvfio put on VFIO: /dev/vfio/<group>, which is that of all
 * members of an IOMMU group, and /dev/vfio/devices/vfioN. Judges, and asks for events in which udev sets owner and mode
 * (rules/90-nvfio-nodes.rules); changes no node itself, as udev's next event would change it back.
 */
#ifndef NVFIO_NODE_ACCESS_H
#define NVFIO_NODE_ACCESS_H

#include "config.h"
#include "pci.h"

/* udev substitutes a SYMLINK into 1024 bytes (UDEV_PATH_SIZE), and takes none of the links if they are more. */
#define NODE_LINKS_SIZE 1000

/* A VFIO node, by the sysfs path of its device. */
struct vfio_node {
	char group[16]; /* number of the IOMMU group; empty: not known, its function has gone */
	char bdf[BDF_SIZE];           /* of the one function behind it; empty for a group's node */
	char path[64];                /* "/dev/vfio/12"; empty: it has none (a vfio-dev without character device) */
};

enum node_reason {
	NODE_NOT_OURS,       /* no function of ours is behind it, or no access is configured: nothing to say about it */
	NODE_GIVEN,
	NODE_FOREIGN,        /* another member is on VFIO, and nvfio did not put it there */
	NODE_NO_SUCH_GROUP,  /* node-group names none */
	NODE_REASON_COUNT
};

struct node_access {
	enum node_reason reason;
	unsigned int gid;               /* 0 unless given */
	const char *mode;               /* "0660"; "0600" unless given; "" for NODE_NOT_OURS */
	char links[NODE_LINKS_SIZE];    /* below /dev, with blanks between them */
	char first[BDF_SIZE];           /* a function of ours behind it */
	char message[400];              /* what and why, for the log */
};

/* "given", "foreign", "no-such-group", or "" for NODE_NOT_OURS. */
const char *node_reason_name(enum node_reason reason);

/*
 * Takes "/sys/devices/virtual/vfio/12" or "/sys/devices/pci.../0000:01:00.0/vfio-dev/vfio3" apart. What is there of it
 * is looked up; that it has gone is no error. 0, -EINVAL if it is neither, or -errno.
 */
int node_parse(const char *syspath, struct vfio_node *ret) _must_check_;

/* Whether the configuration asks for anything. */
bool node_access_configured(const struct settings *settings);

/* Judges a node whose group is known. 0 or -errno: nothing can be said, and what is should stay. */
int node_access_judge(const struct vfio_node *node, const struct settings *settings, struct node_access *ret)
	_must_check_;

/*
 * A function came to VFIO or left it: asks for a follow-up event of its group's node, for the links. Where it is not one
 * of ours, `foreign`, it matters to the others' own nodes as well: for one of each member, but for that of `bdf`, which
 * has the kernel's event. The receivers send none, so nothing loops. What fails is logged.
 */
void node_access_follow_up(const char *group, const char *bdf, bool foreign);

/*
 * From here on the rules look at every function that comes to VFIO or leaves it, whoever did that: one that is not ours
 * takes access away. 0 or -errno.
 */
int node_access_begin(void) _must_check_;

#endif
