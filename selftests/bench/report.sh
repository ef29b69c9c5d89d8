# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What the script "bench" prints of its results; the numbers of rounds and the other
# variables are its own.

# arcs_print FILE ARC_MS STEP TITLE WAY...
arcs_print()
{
	local file=$1 ms=$2 step=$3 title=$4 way n row

	shift 4
	printf '\n%s, arcs of %d ms: median [min, max]\n%-8s' "$title" "$ms" devices
	for way in "$@"; do
		case $way in
		sequential)	way="one after another" ;;
		threads)	way="a thread each" ;;
		set)		way="in a set" ;;
		together)	way="one SET_STATE" ;;
		esac
		printf '%26s' "$way"
	done
	echo
	for n in 1 2 4 8; do
		printf '%-8d' $n
		for way in "$@"; do
			row=$(jq -r --arg way "$way" --arg step "$step" --argjson ms "$ms" \
				--argjson n $n '.arcs[] | select(.way == $way and .step == $step and
					.arc_ms == $ms and .devices == $n)
				| [.ms, .ratio.median, .ratio.min, .ratio.max] | @tsv' "$file")
			# shellcheck disable=SC2086 # words
			printf '%7.0f ms %4.2f [%4.2f,%4.2f]' $row
		done
		echo
	done
}

cost_print()
{
	local way name row

	printf '\nInstructions per byte of state, source and destination, all of the host: %s\n' \
		"median [min, max]"
	jq -r '.cost[] | [.way, .per_byte.median, .per_byte.min, .per_byte.max, .ratio.median,
		.ratio.min, .ratio.max] | @tsv' "$1" |
		while read -r way row; do
			case $way in
			copy)		name="read/send, recv/write" ;;
			zerocopy)	name="the same with MSG_ZEROCOPY" ;;
			queue)		name="with multifd's copies" ;;
			migmux)		name="vfio_migmux, 1 channel" ;;
			migmux2)	name="vfio_migmux, 2 channels" ;;
			verify)		name="vfio_migmux, --verify" ;;
			esac
			# shellcheck disable=SC2086 # words
			printf '%-26s %5.2f [%4.2f, %4.2f]   vfio_migmux, 1 channel, to it %5.3f [%5.3f, %5.3f]\n' \
				"$name" $row
		done
	jq -r '.verify | [.median, .min, .max] | @tsv' "$1" | while read -r row; do
		# shellcheck disable=SC2086 # words
		printf 'So --verify makes it %5.3f [%5.3f, %5.3f] times as much.\n' $row
	done
	echo "(n = $COST_N; 40 MiB less 8 MiB; one emulated CPU that counts instructions, two"
	echo " e1000e cards, MTU 9000, iommu=pt; $("$QEMU_INSIDE/qemu-system-x86_64" --version | head -n 1))"
}

scale_print()
{
	local what row

	printf '\nWhole migrations of 1 MiB of state per device: per device, median [min, max]\n'
	jq -r '.scale | sort_by(.devices, .channels)[] | .devices as $n | [$n, .channels] +
		[.instructions | (.median, .min, .max) / 1e6 / $n] +
		[.kib | (.median, .min, .max) / 1024 / $n] | @tsv' "$1" |
		while read -r row; do
			# shellcheck disable=SC2086 # words
			printf '%3d devices, %2d channels each: %6.2f [%.2f, %.2f] million instructions, %5.2f [%.2f, %.2f] MiB\n' $row
		done
	jq -r '.scale_ratio | to_entries[] | [.key, .value.median, .value.min, .value.max] | @tsv' \
		"$1" | while read -r what row; do
		[[ $what != kib ]] || what=memory
		# shellcheck disable=SC2086 # words
		printf '%s of one of 32 devices to those of one of 4: %5.3f [%5.3f, %5.3f]\n' "$what" $row
	done
	echo "(n = $SCALE_N; both ends in one host, over socket pairs, from making the sessions to closing"
	echo " them; an instruction is a ns of its clock; memory when all is ready to move)"
}

wire_print()
{
	local mbit row

	printf '\nMiB per second from host to host, one device of %d MiB: median [min, max]\n' \
		"$WIRE_MIB"
	jq -r '.wire[] | [.mbit, .channels] + [.vfmig, .iperf3, .ratio | .median, .min, .max] | @tsv' \
		"$1" | while read -r mbit row; do
		if ((mbit)); then
			printf '%d Mbit/s' "$mbit"
		else
			printf 'CPUs the limit'
		fi
		# shellcheck disable=SC2086 # words
		printf ', %d channels: vfmig %5.1f [%.1f, %.1f], iperf3 %5.1f [%.1f, %.1f]: %5.3f [%5.3f, %5.3f]\n' $row
	done
	jq -r '.shares[] | [.weight, .due, .share.median, .ratio.median, .ratio.min, .ratio.max] | @tsv' "$1" |
		while read -r row; do
			# shellcheck disable=SC2086 # words
			printf 'A device of weight %d is due %5.3f of the bytes, and has %5.3f: %5.3f [%5.3f, %5.3f]\n' $row
		done
	echo "(n = $WIRE_N, in turns, as many streams as channels; two hosts, virtio-net, MTU 9000; as the"
	echo " receiving one saw it; the device's share of the CPUs is not iperf3's: its bytes are made and"
	echo " checked; shares of a link of $LINK_MBIT Mbit/s)"
}

dma_print()
{
	printf '\nMapping memory while 4 devices load their state, n = %d: median ms\n' "$DMA_N"
	jq -r '.dma[] | [.how, .kind, .mib, .piece_mib, .at_start_ms, .ahead_ms, .left_ms,
		.left.median, .left.min, .left.max, .stall_ms, .idle_stall_ms] | @tsv' "$1" |
		while read -r row; do
			# shellcheck disable=SC2086 # words
			printf '%-7s %-10s %5d MiB, pieces of %4d: at start %6.0f, ahead %6.0f, left %5.2f (%5.3f [%5.3f, %5.3f]); stall %5.1f, idle %5.1f\n' $row
		done
	echo "(left: until the first device started that was to; stall: the longest turn of a VMM's thread"
	echo " while mapping went on, and while none did; counted: in the stock kernel, a ns is an instruction"
	echo " of either CPU, so what else the machine does is not in it; in the debug kernel n = $DEBUG_N, and"
	jq -r '[.dma[].slowdown // empty] | unique | map("\(. | round)")|
		" what type1 does there takes \(join(" and ")) times as long as by instructions)"' "$1"
}

versus_print()
{
	local setting way row

	printf '\nDowntime of 4 devices in one host, n = %d: median ms, ratio [min, max]\n' "$VERSUS_N"
	jq -r '.versus[] | "\(.mib) MiB each, \(.ms_per_mib) ms per MiB, arcs of \(.arc_ms) ms"
		as $s | ([$s, "vfmig", .vfmig_ms, .floor_ms] +
			   [.floor_ratio | .median, .min, .max],
			 (.others[] | [$s, .way, .ms, .ratio.median, .ratio.min, .ratio.max])) | @tsv' "$1" |
		while IFS=$'\t' read -r setting way row; do
			case $way in
			vfmig)	format='%s: vfmig %.0f; %.0f is the least that is possible: %.2f [%.2f, %.2f] of it\n' ;;
			*)	format="%s: QEMU, $way %.0f; vfmig to it %.3f [%.3f, %.3f]\n" ;;
			esac
			# shellcheck disable=SC2059,SC2086 # one of the above, words
			printf "$format" "$setting" $row
		done
	echo "(by the logs of the devices; the least: six arcs, a device's state out of it, its last MiB into one)"
}

targets_print()
{
	local verdict n what row

	printf '\nTargets: ratio [min, max], the worst where there are several\n'
	jq -r '.targets[] | [if .pass then "PASS" else "FAIL" end, .n, .what, .worst.median,
		.worst.min, .worst.max] | @tsv' "$1" |
		while IFS=$'\t' read -r verdict n what row; do
			((n == 1)) || what+=" (worst of $n)"
			# shellcheck disable=SC2086 # words
			printf '%s  %5.3f [%5.3f, %5.3f]  %s\n' "$verdict" $row "$what"
		done
}

# report FILE: all of it.
report()
{
	jq -r '.environment |
		"\nhost   \(.host), \(.cpus) CPUs, \(.cpu), load \(.load) at the start",
		"guest  \(.guest), 2 CPUs each, \(.qemu)",
		"       \(.accel): \(.why)",
		if (.load | tonumber) > .cpus
		then "       The host was busy with other things: expect noise." else empty end' "$1"
	arcs_print "$1" 100 stop "RUNNING to STOP_COPY" sequential threads set together
	arcs_print "$1" 100 start "STOP to RUNNING" sequential threads set together
	arcs_print "$1" 50 stop "RUNNING to STOP_COPY" sequential together
	echo "(n = $ARCS_N; ratios to the median of one device moved in the same way)"
	printf '\nState ioctls (arc: of 50 us; set, get: without an arc), n = %d: median [min, max]\n' \
		"$IOCTL_N"
	jq -r '.ioctl[] | [.call, .hook, .ns, .unhooked_ns, .ns - .unhooked_ns, .ratio.median,
		.ratio.min, .ratio.max] | @tsv' "$1" |
		while IFS=$'\t' read -r row; do
			# shellcheck disable=SC2086 # words
			printf '%-4s %-14s %8.0f ns, unhooked %8.0f ns, %+6.0f ns: %5.3f [%5.3f, %5.3f]\n' $row
		done
	cost_print "$1"
	scale_print "$1"
	dma_print "$1"
	wire_print "$1"
	versus_print "$1"
	printf '\nStock QEMU, 4 devices, arcs of 100 ms, n = %d: median ms, ratio [min, max]\n' "$QEMU_N"
	jq -r '.qemu[] | [.channel, .kind, .what, .without_ms, .with_ms, .ratio.median,
		.ratio.min, .ratio.max] | @tsv' "$1" |
		while IFS=$'\t' read -r row; do
			# shellcheck disable=SC2086 # words
			printf '%-8s %-9s %-9s without %7.1f, with a set %7.1f: %5.3f [%5.3f, %5.3f]\n' $row
		done
	printf '\nDowntime of the demo: 4 devices, 4 MiB each, 40 ms per MiB, n = %d\n' "$MOVES_N"
	jq -r '.downtime | to_entries[] | [.key, .value.median, .value.min, .value.max] | @tsv' "$1" |
		while read -r what row; do
			case $what in
			vfmig_ms)	format='%-26s %8.0f ms [%.0f, %.0f]\n' what='vfio_migmux' ;;
			serial_ms)	format='%-26s %8.0f ms [%.0f, %.0f]\n' what='one after another' ;;
			*)		format='%-26s %8.2f    [%.2f, %.2f]\n' ;;
			esac
			# shellcheck disable=SC2059,SC2086 # one of the above, words
			printf "$format" "$what" $row
		done
	targets_print "$1"
}
