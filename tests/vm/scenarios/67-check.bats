#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu
#
# nvfio check on a real kernel with an IOMMU: what it reads is spelled as it expects. What each finding makes of what it
# reads is tests/bats/73-check.bats.

load ../guest/lib

# said GRADE FINDING TEXT: a line of $output, by its beginning.
said()
{
	grep -qE "^$1 +$2: .*$3" <<<"$output"
}

@test "ready: IOMMU, groups, remapped interrupts, modules, rules, udev" {
	printf '[policy]\nboot = vfio\n' >/etc/nvfio.conf
	plug_card 1
	wait_for 20 driver_is "$(bdf_of 1)" vfio-pci
	settle
	run nvfio check
	echo "$output"
	# What the bench lacks of a host is no more than notes.
	((status == 0))
	said ok iommu 'dmar0'
	said ok translation 'type DMA'
	said ok groups 'no wanted function'
	said ok interrupts 'are remapped'
	said ok no-iommu-mode 'is off'
	said ok kernel "${VERSION//+/\\+}"
	said ok vfio 'vfio loaded, vfio_pci loaded'
	said ok drivers "$(bdf_of 1): vfio-pci"
	said ok rules 70-nvfio.rules
	said ok udev 'is running'
	said ok configuration /etc/nvfio.conf
	said ok boot "$(bdf_of 1)"
}

@test "a user that may not open the node, and then may" {
	run nvfio check --user nobody
	echo "$output"
	((status == 5))
	said problem user-nodes "nobody cannot open $(bdf_of 1) .*/dev/vfio/$(group_of "$(bdf_of 1)") is root:root 0600"
	chgrp nogroup "/dev/vfio/$(group_of "$(bdf_of 1)")"
	chmod 660 "/dev/vfio/$(group_of "$(bdf_of 1)")"
	run nvfio check --user nobody
	said ok user-nodes 'can open the nodes'
	rm /etc/nvfio.conf
	unplug_card 1
}
