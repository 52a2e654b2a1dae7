/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nvfio-udev ends with. udev imports nothing from a program that ends with another value than 0; the rules then say
 * NVFIO_STATE=failed.
 */
#ifndef NVFIO_EXIT_CODE_H
#define NVFIO_EXIT_CODE_H

enum exit_code {
	EXIT_CODE_OK = 0,       /* judged, and what was to be done is done: bound, claimed, left, deferred and refused alike */
	EXIT_CODE_FAILED = 1,   /* a step failed and was rolled back, or the function could not be judged */
	EXIT_CODE_USAGE = 2,    /* arguments: unknown option, no sysfs path of a PCI function, an event that is none of ours */
	EXIT_CODE_GONE = 3,     /* the function is not there, or went away meanwhile */
	EXIT_CODE_BAD_DATA = 4, /* an attribute of the function is not what a kernel prints */
};

#endif
