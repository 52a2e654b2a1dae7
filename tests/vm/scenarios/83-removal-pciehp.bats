#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: pciehp
#
# As 81-removal, with the other way of ejecting a card: the attention button of a native PCIe hotplug slot. The kernel waits
# 5 s after it, so the short form has two of the five steps.

load ../guest/lib
load ../guest/removal

@test "native PCIe hotplug: another card at the address while the helper is stopped between two steps" {
	local step

	for step in ${SOAK:+lock record} override unbind ${SOAK:+landed}; do
		another_card_after "$step" ejected
	done
}
