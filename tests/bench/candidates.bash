# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What is compared: for each candidate the function ready_NAME, which makes the guest ready for it, and in COMMAND what has
# to be run once the functions are there, empty where udev does it. "bare_guest" has been called before: no rules but the
# distribution's, VF autoprobe on, native drivers and vfio-pci loaded.

PEERS=$REPO/tests/bench/peers
# Unpacked Debian packages, see fetch.
PACKAGES=$REPO/build/bench/packages
RULES=/etc/udev/rules.d
# Where the candidate dedicated has the example of that name.
DEDICATED=/etc/modprobe.d/dedicated-host.conf

# The order of the table. WHAT_IS is for people.
CANDIDATES=(floor nvfio nvfio-keep dedicated shell-rule shell-rule-off bash-rule driverctl bind-all devbind)

set_autoprobe()
{
	echo "$1" >"$SYS/$PF/sriov_drivers_autoprobe"
}

# floor CARD: one C process, VF autoprobe off.
ready_floor()
{
	set_autoprobe 0
	COMMAND=(floor --vfs "$PF")
	[[ $1 == vfs ]] || COMMAND=(floor "${FUNCTIONS[@]}")
}

# nvfio with its defaults. The PF stays native: its own event switches VF autoprobe off.
ready_nvfio()
{
	rm "$RULES"/{70-nvfio,90-nvfio-nodes}.rules
	printf '[device %s]\ngpu = native\n' "$PF" >>/etc/nvfio.conf
	udevd_reload
	udevadm trigger --action=change --settle "$SYS/$PF"
	[[ $(attr_of "$PF" sriov_drivers_autoprobe) == "${2:-0}" ]]
}

ready_nvfio-keep()
{
	printf '[policy]\nvf-autoprobe = keep\n' >/etc/nvfio.conf
	ready_nvfio "$1" 1
}

# reload_drivers: nvidia, and vfio-pci with what modprobe.d says by now. Nothing is on vfio-pci.
reload_drivers()
{
	rmmod nvidia vfio_pci
	modprobe -a nvidia vfio-pci
	settle
	[[ $(driver_of "$PF") == nvidia ]]
}

# A host for virtual machines alone: the kernel attaches vfio-pci, which the example has registered before nvidia. It would
# take the PF as well, whose VFs are wanted here; and with their autoprobe off nobody is offered them.
ready_dedicated()
{
	cp /usr/share/doc/nvfio/examples/dedicated-host.conf "$DEDICATED"
	echo nvidia >"$SYS/$PF/driver_override"
	reload_drivers && ready_nvfio-keep "$1"
}

ready_shell-rule()
{
	cp "$PEERS/shell.rules" "$RULES/72-bench.rules"
}

# The same by somebody who knows of sriov_drivers_autoprobe.
ready_shell-rule-off()
{
	ready_shell-rule
	set_autoprobe 0
}

ready_bash-rule()
{
	cp "$PEERS/bash.rules" "$RULES/72-bench.rules"
	mkdir -p /usr/local/lib
	cp "$PEERS/bind-vfio" /usr/local/lib/
}

# Overrides of all functions that may come, saved as `driverctl set-override` saves them.
ready_driverctl()
{
	local bdf

	cp -a "$PACKAGES/driverctl/." /
	mkdir -p /etc/driverctl.d
	for bdf in "${FUNCTIONS[@]}"; do
		echo vfio-pci >"/etc/driverctl.d/pci-$bdf"
	done
	systemctl daemon-reload
}

ready_bind-all()
{
	COMMAND=(bind-all)
}

# It has no display class among the kinds of devices that it knows: the copy has. Python lists the directory that its script
# lies in.
ready_devbind()
{
	cp -a "$PACKAGES/dpdk/." /
	mkdir -p /opt/dpdk
	sed "s/^misc_devices = \[/&{'Class': '03', 'Vendor': '10de', 'Device': None, 'SVendor': None, 'SDevice': None}, \
{'Class': '04', 'Vendor': '10de', 'Device': None, 'SVendor': None, 'SDevice': None}, \
{'Class': '0c', 'Vendor': '10de', 'Device': None, 'SVendor': None, 'SDevice': None}, /" /usr/bin/dpdk-devbind.py \
		>/opt/dpdk/dpdk-devbind.py
	COMMAND=(/usr/bin/python3 /opt/dpdk/dpdk-devbind.py --bind=vfio-pci "${FUNCTIONS[@]}")
}

# bare_guest: after any candidate. The units of driverctl stay active when their device has gone; it refuses to have them
# stopped by hand, which a drop-in allows.
bare_guest()
{
	local dedicated=

	COMMAND=()
	if [[ -e /lib/systemd/system/driverctl@.service ]]; then
		systemctl stop 'driverctl@*.service'
		systemctl reset-failed
		(cd "$PACKAGES/driverctl" && find . -type f -exec rm -f "/{}" ';')
		rm -rf /etc/driverctl.d
		systemctl daemon-reload
	fi
	rm -f "$RULES/72-bench.rules" /etc/nvfio.conf
	if [[ -e $DEDICATED ]]; then
		dedicated=1
		rm "$DEDICATED"
		echo >"$SYS/$PF/driver_override"
	fi
	ln -sf /dev/null "$RULES/70-nvfio.rules"
	ln -sf /dev/null "$RULES/90-nvfio-nodes.rules"
	udevd_reload
	[[ -z $dedicated ]] || reload_drivers || echo "# dedicated: the drivers are not as they were"
	rm -rf /run/nvfio
	set_autoprobe 1
}
