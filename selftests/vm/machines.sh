# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034
#
# The hosts of a run, part of the script "run": their initramfs, their QEMU processes and
# the end of both. Its options are the variables used here.

# --- processes ------------------------------------------------------------------
#
# Every process we start is a child of this shell; cleanup kills what is left of them and
# waits for it, and pdeathsig sees to them when we get no chance to (SIGKILL).

work=

cleanup()
{
	local pid

	trap '' INT TERM HUP
	for pid in $(jobs -pr); do
		kill -KILL "$pid" || :
	done
	wait || :
	[[ -z $work ]] || rm -rf "$work"
}
# The shell would remark on each process that was killed.
trap 'cleanup 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# start VAR CMD...: in the background, its pid in VAR.
start()
{
	local -n pid_ref=$1

	shift
	setpriv --pdeathsig KILL -- "$@" </dev/null &
	# shellcheck disable=SC2034 # it is the caller's
	pid_ref=$!
}

# --- the hosts --------------------------------------------------------------------

# The tests by the names they have in the hosts.
names=()

# What is for the tests to know, and which of them to run.
conf_write()
{
	local pair

	printf 'export %s=%q\n' VM_HOSTS "$hosts" VM_DEVICES "$devices" VM_ACCEL "$accel" \
		VM_PATIENCE "$patience"
	for pair in "${envs[@]}"; do
		printf 'export %s=%q\n' "${pair%%=*}" "${pair#*=}"
	done
	printf 'VM_TESTS=%q\n' "${names[*]}"
	printf 'VM_MODULES=%q\n' "virtio_net vfio vfio_iommu_type1 ${modules[*]}"
	printf 'VM_LAST_WORDS=%q\n' "$((timeout > 30 ? timeout - 15 : timeout / 2))"
	printf 'VM_SHELL=%q\n' "$shell"
}

initramfs_build()
{
	local test

	for test in "${tests[@]}"; do
		[[ -f $test ]] || die "there is no test $test"
		names+=("${test##*/}")
		files+=("$test:/tests/${test##*/}")
	done
	[[ ! -d $here/tests/lib ]] || files+=("$here/tests/lib:/tests/lib")
	conf_write >"$work/vm.conf"
	VM_MODULES_EXTRA=${modules[*]} "$here/initramfs" "$work/initrd" "$work" \
		"$work/vm.conf" "${files[@]}" || die "the initramfs cannot be built"
	rm -rf "$work/root"
}

# The two hosts' ends of a network: b listens, so it starts first.
network_args()
{
	local name=$2 mac=$3:00 server=off

	[[ $1 == a ]] || { server=on; mac=$3:01; }
	printf '%s\n' \
		-netdev "stream,id=$name,server=$server,addr.type=unix,addr.path=$work/$name.sock" \
		-device "virtio-net-pci,netdev=$name,mac=52:54:00:$mac,romfile="
}

# Two cards of one host that do what real ones do: checksums, and segments of large sends.
wire_args()
{
	local i

	for i in 0 1; do
		printf '%s\n' -netdev "hubport,hubid=1,id=wire$i" \
			-device "e1000e,netdev=wire$i,mac=52:54:00:97:00:0$i,romfile="
	done
}

# One port of a host, connected to a file.
port_args()
{
	: >"$work/$1.$2"
	printf '%s\n' -chardev "file,id=$2,path=$work/$1.$2,append=on" \
		-device "virtserialport,chardev=$2,name=$2"
}

# What tells whether the emulated CPUs live (see life_check), and what to ask if not.
monitor_args()
{
	[[ -p $work/$1.mon.in ]] || mkfifo "$work/$1.mon.in" "$work/$1.mon.out"
	port_args "$1" life
	printf '%s\n' -chardev "pipe,id=mon,path=$work/$1.mon" -mon chardev=mon,mode=readline
}

host_args()
{
	local host=$1 i port
	local cmdline="console=ttyS0 loglevel=5 intel_iommu=on panic=-1 oops=panic"

	# Silence what a slow, emulated machine makes of its own slowness, and skip what
	# costs time at boot and says nothing about us. no_timer_check: whether the timer's
	# interrupt arrives is tried against the clock, and a busy machine loses. no5lvl: an
	# interrupt while the kernel identifies its CPU is a wild access to KASAN otherwise.
	cmdline+=" no5lvl rcupdate.rcu_cpu_stall_timeout=60 nmi_watchdog=0 mitigations=off"
	cmdline+=" cryptomgr.notests random.trust_cpu=on audit=0 no_timer_check HOST=$host $append"
	# An emulated one-shot timer is lost now and then, and with it a CPU; a periodic one
	# ticks again. The kernel patches its own text while it boots, which an emulated CPU
	# beside it may run half patched: the others come when that is over (guest/init).
	[[ $accel == kvm ]] || cmdline+=" nohz=off highres=off maxcpus=1"
	[[ $qemu != */* ]] || printf '%s\n' -L "${qemu%/*}" -L /usr/share/qemu
	printf '%s\n' \
		-machine q35,kernel-irqchip=off -m "$memory" -smp "$smp" -nodefaults \
		-display none -no-reboot -no-user-config \
		-device intel-iommu,intremap=on \
		-kernel "$KIMAGE" -initrd "$work/initrd" -append "$cmdline" \
		-serial "file:$work/$host.console" \
		-device virtio-serial-pci
	if [[ $accel == kvm ]]; then
		printf '%s\n' -accel kvm -cpu host
	elif [[ $icount ]]; then
		printf '%s\n' -accel tcg,thread=single,tb-size=256 -cpu max,-erms,-fsrm \
			-icount shift=0,sleep=off
	else
		# Without erms and fsrm the guest copies words, not bytes, which takes the
		# emulator a fraction of the time.
		printf '%s\n' -accel tcg,thread=multi,tb-size=256 -cpu max,-erms,-fsrm
	fi
	[[ $host == b ]] || port_args a ktap
	[[ -z $out ]] || port_args "$host" out
	[[ $accel != tcg || $icount || $shell ]] || monitor_args "$host"
	for ((i = 0; i < devices; i++)); do
		port="pcie-root-port,id=rp$i,chassis=$((i + 1)),slot=$((i + 1))"
		# more than the root bus has slots for
		((devices <= 16)) || port+=$(printf ',multifunction=on,addr=%x.%d' $((8 + i / 8)) $((i % 8)))
		printf '%s\n' -device "$port" -device "edu,bus=rp$i"
	done
	[[ -z $wire ]] || wire_args
	[[ $hosts == 1 ]] || network_args "$host" link 99:00
	[[ $hosts == 1 ]] || network_args "$host" ctl 98:00
}

host_start()
{
	local host=$1 args

	mapfile -t args < <(host_args "$host")
	: >"$work/$host.console"
	start "pid_$host" "$qemu" "${args[@]}"
}

sockets_wait()
{
	local i

	for ((i = 0; i < 200; i++)); do
		[[ ! -S $work/link.sock || ! -S $work/ctl.sock ]] || return 0
		kill -0 "$pid_b" 2>/dev/null || break
		sleep 0.05
	done
	die "host b did not start"
}

alive()
{
	[[ $1 ]] && kill -0 "$1"
}

# end PID: whether it likes it or not.
end()
{
	kill -KILL "$1" || :
	wait "$1" || :
}

# monitor HOST COMMAND...: what QEMU answers, within a second.
monitor()
{
	local host=$1 in out line

	shift
	exec {in}<>"$work/$host.mon.in" {out}<>"$work/$host.mon.out"
	printf '%s\n' "$@" >&"$in"
	while read -r -t 1 -u "$out" line; do
		[[ $line == *'(qemu)'* || $line == *$'\e'* ]] || printf '%s\n' "${line%$'\r'}"
	done
	exec {in}>&- {out}<&-
}

# halted HOST CPU: does it wait for an interrupt?
halted()
{
	monitor "$1" "info registers -a" |
		awk -v cpu="CPU#$2" '/^CPU#/ { its = $1 == cpu } its && /HLT=1/ { found = 1 }
			END { exit !found }'
}

# Seconds; the test of this script has less patience.
STOPPED_AFTER=${STOPPED_AFTER:-60}
# The last time each CPU of each host was heard of, and how much it has said by then.
declare -A beats=() heard=()

# life_check: is there a CPU that has not said anything for so long, and stands still? That is
# the emulator's mistake: it is waiting for an interrupt that was lost. Sets stopped, to
# what QEMU says of the CPUs.
life_check()
{
	local host cpu n

	for host in a b; do
		[[ -s $work/$host.life ]] || continue
		for ((cpu = 0; cpu < smp; cpu++)); do
			n=$(tr -cd "$cpu" <"$work/$host.life" | wc -c)
			if ((n != ${beats[$host$cpu]:-0})); then
				beats[$host$cpu]=$n heard[$host$cpu]=$SECONDS
			elif ((n && SECONDS - ${heard[$host$cpu]:-0} > STOPPED_AFTER * patience)); then
				halted $host $cpu || continue
				stopped="CPU $cpu of host $host
$(monitor $host "info lapic 0" "info lapic 1" "info registers -a" | grep -v '^[YFXD]')"
				return
			fi
		done
	done
}

# Wait for the hosts to power off. When one of two has, by request or by dying, the other
# is not worth the rest of its time. Sets timed_out, or stopped. Not by wait -n: it misses a
# child that ended before it was called. The pause is a read that nothing answers.
hosts_wait()
{
	local deadline=$((SECONDS + timeout)) lone='' pause look=0

	mkfifo "$work/pause"
	exec {pause}<>"$work/pause"
	while alive "$pid_a" || alive "$pid_b"; do
		if [[ $hosts == 2 && ! $lone ]] && ! { alive "$pid_a" && alive "$pid_b"; }; then
			lone=1
			deadline=$((SECONDS + 20))
		fi
		((SECONDS < deadline)) || break
		if ((SECONDS >= look)) && [[ ! $lone ]]; then
			look=$((SECONDS + 5))
			life_check
			[[ ! $stopped ]] || break
		fi
		read -r -t 0.1 -u "$pause" _ || :
	done
	exec {pause}<&-
	! alive "$pid_b" || end "$pid_b"
	! alive "$pid_a" || { timed_out=1; end "$pid_a"; }
	[[ ! $stopped ]] || timed_out=
}
