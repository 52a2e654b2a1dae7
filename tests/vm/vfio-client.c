// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfio-client - do with a function what a VMM does first.
 *
 * Owns the last word of a test: a function is on VFIO when a process can open
 * its group, attach it to an IOMMU, map a page for DMA and read its config
 * space. Uses the group interface, which every kernel since 3.6 has
 * (Documentation/driver-api/vfio.rst).
 *
 * usage: vfio-client [--hold] BDF
 * --hold keeps everything open until standard input ends.
 * Exit status: 0 all done, 1 failed, 2 usage, 3 the group is not viable.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_NOT_VIABLE 3
#define IOVA 0x100000

__attribute__((noreturn, format(printf, 2, 3)))
static void fail(int status, const char *format, ...)
{
	va_list ap;

	fputs("vfio-client: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

/* The group's name is the last component of the iommu_group link. */
static int open_group(const char *bdf)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *number;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		fail(1, "%s: no IOMMU group: %s", bdf, strerror(errno));
	target[n] = '\0';
	number = strrchr(target, '/');
	number = number ? number + 1 : target;

	snprintf(path, sizeof(path), "/dev/vfio/%.32s", number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(1, "%s: %s", path, strerror(errno));
	printf("%s: group %s opened\n", bdf, number);
	return fd;
}

static int open_container(int group)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int container;

	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (container < 0)
		fail(1, "/dev/vfio/vfio: %s", strerror(errno));
	if (ioctl(container, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
		fail(1, "unknown VFIO API version");
	if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) < 0)
		fail(1, "VFIO_GROUP_GET_STATUS: %s", strerror(errno));
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		fail(EXIT_NOT_VIABLE, "group not viable: a member is bound to another driver");
	/* Since 5.19 viability is decided here: EPERM if a member is not ours. */
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0)
		fail(errno == EPERM ? EXIT_NOT_VIABLE : 1, "VFIO_GROUP_SET_CONTAINER: %s",
		     strerror(errno));
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		fail(errno == EPERM ? EXIT_NOT_VIABLE : 1, "VFIO_SET_IOMMU: %s", strerror(errno));
	return container;
}

static void map_page(int container, const char *bdf)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = IOVA,
		.size = size,
	};
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = IOVA,
		.size = size,
	};
	void *page;

	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		fail(1, "mmap: %s", strerror(errno));
	map.vaddr = (uintptr_t)page;
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map) < 0)
		fail(1, "VFIO_IOMMU_MAP_DMA: %s", strerror(errno));
	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0)
		fail(1, "VFIO_IOMMU_UNMAP_DMA: %s", strerror(errno));
	if (unmap.size != size)
		fail(1, "%llu of %zu bytes unmapped", (unsigned long long)unmap.size, size);
	printf("%s: DMA page mapped and unmapped\n", bdf);
	munmap(page, size);
}

static int open_device(int group, const char *bdf)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t ids[2];
	int device, tries;

	/*
	 * EAGAIN: vfio-pci resets the function if it gets the device lock at once (pci_try_reset_function), and whoever
	 * reads an attribute may have it for a moment (on 6.1 even uevent). A VMM tries again, too.
	 */
	for (tries = 0; tries < 100; tries++) {
		device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
		if (device >= 0 || errno != EAGAIN)
			break;
		usleep(20000);
	}
	if (device < 0)
		fail(1, "VFIO_GROUP_GET_DEVICE_FD %s: %s", bdf, strerror(errno));
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region) < 0)
		fail(1, "VFIO_DEVICE_GET_REGION_INFO: %s", strerror(errno));
	/* Config space is little-endian; so are the machines of the bench. */
	if (pread(device, ids, sizeof(ids), (off_t)region.offset) != sizeof(ids))
		fail(1, "config space of %s: %s", bdf, strerror(errno));
	printf("%s: config space reads %04x:%04x\n", bdf, ids[0], ids[1]);
	return device;
}

int main(int argc, char **argv)
{
	int hold = 0, group, container, device;
	const char *bdf;
	char c;

	if (argc > 1 && !strcmp(argv[1], "--hold")) {
		hold = 1;
		argv++;
		argc--;
	}
	if (argc != 2 || argv[1][0] == '-') {
		fputs("usage: vfio-client [--hold] BDF\n", stderr);
		return EXIT_USAGE;
	}
	bdf = argv[1];

	group = open_group(bdf);
	container = open_container(group);
	map_page(container, bdf);
	device = open_device(group, bdf);
	fflush(stdout);

	while (hold && read(STDIN_FILENO, &c, 1) > 0)
		;

	close(device);
	close(container);
	close(group);
	return 0;
}
