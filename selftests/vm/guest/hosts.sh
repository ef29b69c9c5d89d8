# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What tests share: waiting, the other host, devices. For bash and for busybox's sh.
#
# Host a runs the tests. Addresses: link0 10.99.0.1 (a) and 10.99.0.2 (b) is the link
# under test and may be cut; ctl0 10.98.0.x carries on_b and is left alone.

ADDR_A=10.99.0.1
ADDR_B=10.99.0.2
MIGMUX_EDU_ID="0x1234 0x11e8"
export ADDR_A ADDR_B

# Milliseconds since boot, in NOW.
now_read()
{
	read -r NOW _ </proc/uptime
	NOW=${NOW%.*}${NOW#*.}0
}

now_ms()
{
	now_read
	echo "$NOW"
}

# nap SECONDS: no process has to begin for it. Nobody ever writes to that pipe.
nap()
{
	read -r -t "$1" _ <>/run/never || :
}

# wait_for SECONDS CMD [ARG...]: run CMD again and again until it succeeds; its output goes
# nowhere. 1 when the time is over. Whole seconds, and more of them on a slow kernel; who
# waits there takes the time of what is waited for, so it looks less often.
wait_for()
{
	local end every=0.05

	[ "${VM_PATIENCE:-1}" -eq 1 ] || every=0.2
	now_read
	end=$((NOW + $1 * 1000 * ${VM_PATIENCE:-1}))
	shift
	while ! "$@" >/dev/null 2>&1; do
		now_read
		[ "$NOW" -lt "$end" ] || return 1
		nap $every
	done
}

# The files: busybox's sh takes its own applets, whatever is in /bin. See leaks_watch.
modprobe()
{
	/bin/modprobe "$@"
}

rmmod()
{
	/bin/rmmod "$@"
}

# on_b CMD [ARG...]: run CMD on host b; stdout, stderr and exit code are CMD's.
# Arguments arrive as given, no shell between. on_b_in also passes stdin along.
on_b()
{
	agent call 10.98.0.2 7777 "$@"
}

on_b_in()
{
	agent call -i 10.98.0.2 7777 "$@"
}

# on_b_bg CMD [ARG...]: the same in the background; $! is its handle here: kill it and CMD
# on b gets SIGKILL, wait for it and get CMD's exit code.
on_b_bg()
{
	agent call 10.98.0.2 7777 "$@" &
}

# The edu devices of this host, one PCI address per line, in the order of their slots.
edu_list()
{
	local d

	for d in /sys/bus/pci/devices/*; do
		read -r vendor <"$d/vendor"
		read -r device <"$d/device"
		if [ "$vendor $device" = "$MIGMUX_EDU_ID" ]; then
			echo "${d##*/}"
		fi
	done
}

# driver_bind DRIVER BDF...: give the devices to DRIVER and to no other.
driver_bind()
{
	local driver=$1 bdf

	shift
	for bdf; do
		driver_unbind "$bdf"
		echo "$driver" >"/sys/bus/pci/devices/$bdf/driver_override" || return 1
		echo "$bdf" >/sys/bus/pci/drivers_probe || return 1
		[ -e "/sys/bus/pci/drivers/$driver/$bdf" ] || return 1
	done
}

driver_unbind()
{
	local bdf

	for bdf; do
		if [ -e "/sys/bus/pci/devices/$bdf/driver" ]; then
			echo "$bdf" >"/sys/bus/pci/devices/$bdf/driver/unbind" || return 1
		fi
		echo >"/sys/bus/pci/devices/$bdf/driver_override" || return 1
	done
}

# The number of a device's IOMMU group: /dev/vfio/N.
iommu_group()
{
	local link

	link=$(readlink "/sys/bus/pci/devices/$1/iommu_group") || return 1
	echo "${link##*/}"
}
