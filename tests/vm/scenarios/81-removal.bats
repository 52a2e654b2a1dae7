#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: iommu-2
#
# A card replaced while the helper is stopped between two steps (guest/removal.bash): by an orderly eject (ACPI), and by
# the kernel's `remove` attribute (three of the steps in the short form).

load ../guest/lib
load ../guest/removal

@test "another card at the address while the helper is stopped after the lock" {
	another_card_after lock ejected
}

@test "... after its record" {
	another_card_after record ejected
}

@test "... after driver_override" {
	another_card_after override ejected
}

@test "... after the unbind" {
	another_card_after unbind ejected
}

@test "... after it landed" {
	another_card_after landed ejected
}

@test "removed by the kernel and found as another one, after a step" {
	local step

	for step in ${SOAK:+lock} record override unbind ${SOAK:+landed}; do
		another_card_after "$step" removed
	done
}
