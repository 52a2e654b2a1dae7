/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The single writes of an act and what each one's errno means. All of these may sleep on the function's device lock
 * without end and are called in a child only.
 */
#ifndef NVFIO_STEPS_H
#define NVFIO_STEPS_H

#include <stdint.h>
#include "pci.h"

/* driver_override as it is: "" for unset, which the kernel prints as "(null)". 0 or -errno. */
int steps_read_override(const struct pci_function *fn, char *buf, size_t size) _must_check_;

/*
 * Whether a driver is in its remove() although the function has no driver link: the link goes before, dev->driver after
 * it, and the `uevent` attribute tells of that (driver_sysfs_remove() in drivers/base/dd.c, dev_driver_uevent() in core.c).
 * Up to 6.11 reading that waits for the device lock, as the override does. Where a driver is there without its link,
 * looks again a moment later: one that begins to probe gets it. 1, 0 (also once the device is gone), -errno.
 */
int steps_is_leaving(const struct pci_function *fn) _must_check_;

/* Writes it; "" clears it ("\n": the kernel cuts there, and a write of zero bytes never reaches it). 0 or -errno. */
int steps_write_override(const struct pci_function *fn, const char *driver) _must_check_;

/* Whether this is the driver that steps_await_probe() waits for, and whose function steps_unbind() keeps awake. */
bool steps_probes_on(const char *driver);

/*
 * Waits until snd_hda_intel has probed the function to its end, which it does in a work item after it was bound; any other
 * driver is done when it is bound. Its remove() gives up the device lock while it waits for that work (azx_remove() in
 * sound/pci/hda/hda_intel.c): who unbinds or ejects the function then releases it a second time, and the kernel dies of it.
 * It is over when the control device of its sound card is there, the last one registered (SNDRV_DEV_CONTROL in
 * include/sound/core.h). A probe that fails leaves no sign: the wait ends after half of the time until deadline (now_ms()
 * time), at most 5 s. 0, also when time is over; -ENODEV if the function is gone; -errno.
 */
int steps_await_probe(struct pci_function *fn, int64_t deadline) _must_check_;

/*
 * Unbinds from exactly this driver; snd_hda_intel's function is kept from runtime suspend before. 0, also if the function was
 * not bound to it any more; -ENODEV if the function is gone; -errno.
 */
int steps_unbind(struct pci_function *fn, const char *driver) _must_check_;

/*
 * Writes drivers/<driver>/bind, whose errno is the probe's. While the kernel does not match the function yet (ENODEV at
 * hotplug: between its `add` event and pci_bus_add_device(), which waits for the native probe of the functions before it)
 * or is attaching it (EBUSY, EAGAIN), waits for its `bind` event and tries again after 0.25, 1 and 3 s, until deadline
 * (now_ms() time).
 * 0: on VFIO; -EINPROGRESS: still not attached at the deadline; -EEXIST: another driver has it (fn->driver);
 * -ENODEV: the function is gone; -errno of the probe.
 */
int steps_attach(struct pci_function *fn, const char *driver, int64_t deadline) _must_check_;

/*
 * Puts a function without driver on this one: override, then drivers/<driver>/bind. 0; -ENOENT: there is no such driver;
 * -ENODEV: it does not match the function, or the function is gone; -errno of the probe. fn->driver is what it ended on.
 */
int steps_give_to(struct pci_function *fn, const char *override, const char *driver) _must_check_;

/*
 * Gives it back: previous override, off the driver it may have got, and a driver again (drivers_probe; `driver` by name
 * if that finds none, "" for none). 0, -ENODEV if the function is gone, or the errno of the first step that failed;
 * the others are tried all the same, but for those that would end on the wanted driver because its name could not be
 * taken out of driver_override. fn->driver is what it ended on.
 */
int steps_restore(struct pci_function *fn, const char *override, const char *wanted, const char *driver) _must_check_;

#endif
