/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nvfio-udev ends with. udev imports nothing from a program that ends with another value than 0; the rules then say
 * NVFIO_STATE=failed.
 */
#ifndef NVFIO_EXIT_CODE_H
#define NVFIO_EXIT_CODE_H

enum exit_code {
	EXIT_CODE_OK = 0,       /* NVFIO_STATE tells the outcome: also failed, with reason and message, after a rollback */
	EXIT_CODE_FAILED = 1,   /* no outcome: the function could not be judged, or the act could not begin */
	EXIT_CODE_USAGE = 2,    /* arguments: unknown option, no sysfs path of a PCI function, an event that is none of ours */
	EXIT_CODE_GONE = 3,     /* the function is not there, or went away meanwhile */
	EXIT_CODE_BAD_DATA = 4, /* an attribute of the function is not what a kernel prints */
	EXIT_CODE_NOT_READY = 5, /* of `nvfio check`: it found a problem; notes are none */
	EXIT_CODE_INTERRUPTED = 130, /* nvfio bind and unbind: by a signal; what goes on and what was not begun was said */
};

#endif
