# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Part of lib.bash: the helper interrupted at a chosen point (at-point.c says
# what a point is), and what it leaves behind.

HELPER=/usr/lib/udev/nvfio-udev
POINT=$BENCH/point

# points_prepare: before the first at_point. The helper stays as it is, behind
# a script that udev starts in its place.
points_prepare()
{
	[[ ! -e $HELPER.real ]] || return 0
	mkfifo "$POINT.go"
	mv $HELPER $HELPER.real
	cat >$HELPER <<-END
		#!/bin/bash
		[[ -s $POINT.args && ! -e $POINT ]] || exec $HELPER.real "\$@"
		read -r n when what verb <$POINT.args
		[[ \$verb == "\$1" ]] || exec $HELPER.real "\$@"
		exec $BUILD/at-point \$n \$when \$what $POINT $HELPER.real "\$@"
	END
	chmod +x $HELPER
}

points_end()
{
	mv $HELPER.real $HELPER
	rm "$POINT.go"
}

# at_point N before|after kill|stop [VERB]: from now on the first helper of
# this verb (event) that has so many points is killed at the Nth, or waits
# there for go_on.
at_point()
{
	rm -f "$POINT"
	echo "$1 $2 $3 ${4:-event}" >"$POINT.args"
}

at_point_off()
{
	: >"$POINT.args"
}

# go_on: on from the point.
go_on()
{
	: >"$POINT.go"
}

# strays: what no helper may leave: processes, held locks, and files in
# /run/nvfio about functions that are not there (any more). Prints nothing if
# there is nothing.
strays()
{
	local file name inode locks

	grep -s '^nvfio-udev' /proc/[0-9]*/comm
	locks=$(</proc/locks)
	while read -r inode file; do
		name=${file##*/}
		name=${name#.}
		name=${name%.lock}
		name=${name%.new}
		name=${name%.properties}
		[[ $locks != *OFDLCK*":$inode "* ]] || echo "locked: $file"
		[[ -e $SYS/$name ]] || echo "left behind: $file"
		# The inode in a record says which function of that name it is about.
		[[ $file == *.lock || $file == *.new ]] || ! grep -q '^inode=' "$file" ||
			grep -qx "inode=$(stat -c %i "$SYS/$name/")" "$file" || echo "stale: $file"
	done < <(stat -c '%i %n' /run/nvfio/.0* /run/nvfio/0* 2>/dev/null)
}

no_strays()
{
	[[ -z $(strays) ]]
}
