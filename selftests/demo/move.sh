# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The same job done two ways, on host a, for the demo and the benchmark: the state of all
# devices of host a, or of the first $MOVE_DEVICES, goes to those of host b.
#
# What both hosts measured is left in $MOVE_DIR as WAY-{send,recv}.json, what was checked
# in WAY-crc.txt (device, CRC on a, on b before, on b after).

. /lib/migmux/hosts.sh

MOVE_DIR=/tmp/move
MOVE_DEVICES=${MOVE_DEVICES:-$VM_DEVICES}
MOVE_PORT=4444
MOVE_CHANNELS=2			# per device
MOVE_SETUP_S=60			# most time that an emulated host takes to get ready
MOVE_MTU=9000			# as on the networks that carry migrations

# The devices that move, as vfmig names them.
move_devices()
{
	edu_list | head -n "$MOVE_DEVICES" | sed 's,^,pci/,'
}

knob()
{
	echo "/sys/bus/pci/devices/${1#pci/}/migsim/$2"
}

# Give all devices of this host to migsim. Runs on both.
move_host_setup()
{
	local dev

	modprobe vfio_migmux && modprobe vfio_pci_migsim || return 1
	for dev in $(edu_list); do
		driver_bind vfio_pci_migsim "$dev" || return 1
	done
}

# move_host_knobs STATE_MIB MS_PER_MIB ARC_MS: the size and pace of this host's devices.
move_host_knobs()
{
	local dev

	for dev in $(edu_list); do
		echo $(($1 << 20)) >"$(knob "$dev" state_size)" || return 1
		echo $(($2 * 1000)) >"$(knob "$dev" read_us_per_mib)" || return 1
		echo $(($2 * 1000)) >"$(knob "$dev" write_us_per_mib)" || return 1
		echo "$3" >"$(knob "$dev" arc_ms)" || return 1
	done
}

move_knobs()
{
	move_host_knobs "$@" && b_do move_host_knobs "$@"
}

# An emulator translates code when it first runs: let that be over before anyone measures.
# Ends with the knobs as the environment has them. Wants the link.
move_warm_up()
{
	move_knobs 1 0 0 && move_vfmig warm --progress never && move_serial warm &&
		move_knobs "$STATE_MIB" "$MS_PER_MIB" "$ARC_MS"
}

# move_payloads SALT: new contents for this host's devices, no two alike.
move_payloads()
{
	local dev n=0

	for dev in $(move_devices); do
		n=$((n + 1))
		echo "$(($1 * 1000 + n))" >"$(knob "$dev" seed)" || return 1
	done
}

# The CRC of each device's payload, a line each.
move_crcs()
{
	local dev

	for dev in $(move_devices); do
		cat "$(knob "$dev" payload_crc)" || return 1
	done
}

# b_do FUNCTION [ARG...]: one of these functions, on host b.
b_do()
{
	# shellcheck disable=SC2016 # host b expands it
	on_b bash -c '. /lib/migmux/move.sh; "$@"' move "$@"
}

# The link. Host a's end is called to-b, host b's from-a.
move_link_up()
{
	local channels=$((MOVE_CHANNELS * MOVE_DEVICES)) listener

	ip link set link0 mtu $MOVE_MTU && on_b ip link set link0 mtu $MOVE_MTU || return 1
	on_b_bg vfmig link listen from-a --on "tcp:$ADDR_B:$MOVE_PORT" --channels $channels \
		--timeout $MOVE_SETUP_S >/dev/null
	listener=$!
	vfmig link connect to-b --to "tcp:$ADDR_B:$MOVE_PORT" --channels $channels \
		--timeout $MOVE_SETUP_S >/dev/null || { kill $listener; return 1; }
	wait $listener
}

# move_begin WAY: other contents on both hosts than ever before, and note what they are.
move_begin()
{
	mkdir -p "$MOVE_DIR"
	move_salt=$((${move_salt:-0} + 2))
	move_payloads $move_salt && b_do move_payloads $((move_salt + 1)) || return 1
	move_devices >"$MOVE_DIR/$1-devices.txt"
	move_crcs >"$MOVE_DIR/$1-a.txt" && b_do move_crcs >"$MOVE_DIR/$1-before.txt"
}

# move_end WAY: fetch what host b knows; fail unless every payload is what it was on a,
# and was not so before.
move_end()
{
	on_b cat "/tmp/$1-recv.json" >"$MOVE_DIR/$1-recv.json" || return 1
	b_do move_crcs >"$MOVE_DIR/$1-after.txt" || return 1
	paste "$MOVE_DIR/$1"-{devices,a,before,after}.txt >"$MOVE_DIR/$1-crc.txt"
	awk '$2 != $4 || $2 == $3 || NF != 4 { bad = 1 } END { exit bad || !NR }' \
		"$MOVE_DIR/$1-crc.txt"
}

# move_vfmig WAY [OPTION...]: all at once, over the link. More options are vfmig send's.
move_vfmig()
{
	local way=$1 receiver rc=0 seed

	shift
	move_begin "$way" || return 1
	seed=$move_salt
	on_b rm -f /tmp/ready
	# shellcheck disable=SC2016,SC2046 # host b expands it; words
	on_b_bg sh -c 'json=$1; shift; exec vfmig -j recv "$@" >"$json"' sh \
		"/tmp/$way-recv.json" --progress never --ready-file /tmp/ready \
		--exec "edutool check $seed" from-a $(move_devices)
	receiver=$!
	wait_for $MOVE_SETUP_S on_b test -s /tmp/ready || { kill $receiver; return 1; }
	# shellcheck disable=SC2046 # words
	vfmig -j send --exec "edutool fill $seed" "$@" to-b $(move_devices) \
		>"$MOVE_DIR/$way-send.json" || rc=$?
	wait $receiver || rc=$?
	[ $rc -eq 0 ] && move_end "$way"
}

# move_serial WAY [WATCH]: one after another, over one connection. WATCH is run with the
# sender's pid while it works.
move_serial()
{
	local way=$1 watch=${2:-} receiver sender rc=0 seed

	move_begin "$way" || return 1
	seed=$move_salt
	# shellcheck disable=SC2046 # words
	on_b_bg serial-vmm recv "$ADDR_B:$((MOVE_PORT + 1))" --json "/tmp/$way-recv.json" \
		--exec "edutool check $seed" $(move_devices)
	receiver=$!
	# shellcheck disable=SC2046 # words
	serial-vmm send "$ADDR_B:$((MOVE_PORT + 1))" --json "$MOVE_DIR/$way-send.json" \
		--exec "edutool fill $seed" $(move_devices) &
	sender=$!
	[ -z "$watch" ] || "$watch" $sender
	wait $sender || rc=$?
	wait $receiver || rc=$?
	[ $rc -eq 0 ] && move_end "$way"
}
