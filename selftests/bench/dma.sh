#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What is left of mapping memory in the downtime, by what it is mapped with, the memory's size
# and that of the pieces, for four devices that load their state. SIZES is a list of MIB:PIECE.
# What this kernel lacks is left out. Results go to /out/dma.txt, see bench-dma.c.

set -u
. /lib/migmux/move.sh

die()
{
	echo "FAILED: $*"
	exit 1
}

# What to give bench-dma for a vDPA device of the simulator's, which takes pages.
vdpa_make()
{
	local path

	# loaded at boot, it takes addresses, and pins nothing
	rmmod vdpa_sim_net vdpa_sim
	modprobe vdpa_sim use_va=0 max_iotlb_entries=300000 && modprobe vdpa_sim_net &&
		modprobe vhost_vdpa max_iotlb_entries=300000 &&
		vdpa dev add name bench mgmtdev vdpasim_net || return 1
	wait_for 30 eval 'ls -d /sys/bus/vdpa/devices/bench/vhost-vdpa-*'
	path=$(echo /sys/bus/vdpa/devices/bench/vhost-vdpa-*)
	echo "/dev/${path##*/}"
}

mapfile -t DEV < <(edu_list)
move_host_setup || die "cannot set up the devices"
move_host_knobs 4 40 0 || die "cannot set up the devices"
ulimit -l unlimited
kinds=(type1)
! modprobe iommufd 2>/dev/null || kinds+=(iommufd)
! path=$(vdpa_make 2>/dev/null) || kinds+=("$path")
for round in $(seq "$ROUNDS_DMA"); do
	for kind in "${kinds[@]}"; do
		echo "  mapping by $kind, memory and pieces of $SIZES MiB, round $round of $ROUNDS_DMA"
		for what in $SIZES; do
			bench-dma "$kind" "${what%:*}" "${what#*:}" "${DEV[@]}" >>/out/dma.txt ||
				die "$kind, $what"
		done
	done
done
