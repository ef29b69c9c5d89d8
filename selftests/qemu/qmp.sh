# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
#
# QEMU processes inside a test host, and QMP with them. For bash, after hosts.sh; the
# functions keep what they know in variables, so not from a subshell.
#
#	vm_start NAME ARG...; qmp NAME query-status; qmp_event NAME '"RESUME"'; vm_quit NAME
#
# A VM's files are NAME.* in $QMP_DIR: err is what it says on stderr, debug what its guest
# says, log all QMP that came from it. A function that fails says why on stdout.

QMP_DIR=/tmp/qmp
QMP_PATIENCE=90			# seconds, for one answer or event of a slow machine
declare -A VM_PID=() QMP_TO=() QMP_FROM=() QMP_EVENTS=()
RETURN=				# what the last command returned, a line of JSON

vm_alive()
{
	[[ ${VM_PID[$1]:-} ]] && kill -0 "${VM_PID[$1]}" 2>/dev/null
}

# QMP goes through two FIFOs. They are open here for reading and writing, so that
# neither side waits for the other to open them, and none sees an end.
qmp_open()
{
	local in out

	rm -f "$QMP_DIR/$1".*
	mkfifo "$QMP_DIR/$1.in" "$QMP_DIR/$1.out" || return 1
	exec {in}<>"$QMP_DIR/$1.in" {out}<>"$QMP_DIR/$1.out"
	QMP_TO[$1]=$in
	QMP_FROM[$1]=$out
	QMP_EVENTS[$1]=
}

qmp_close()
{
	local in=${QMP_TO[$1]} out=${QMP_FROM[$1]}

	exec {in}>&- {out}>&-
	unset "QMP_TO[$1]" "QMP_FROM[$1]"
}

# The next line from a VM in LINE; events are also put by. Fails when it has ended, or
# when now_ms has reached DEADLINE.
LINE=
qmp_line()
{
	local name=$1 deadline=$2 part

	LINE=
	until IFS= read -r -t 1 -u "${QMP_FROM[$name]}" part; do
		LINE+=$part
		vm_alive "$name" || { echo "QEMU $name has ended"; return 1; }
		(($(now_ms) < deadline)) || return 1
	done
	LINE+=$part
	printf '%s\n' "$LINE" >>"$QMP_DIR/$name.log"
	[[ $LINE != *'"event": '* ]] || QMP_EVENTS[$name]+=$LINE$'\n'
}

# qmp NAME COMMAND [ARGUMENTS]: ARGUMENTS is the inside of a JSON object. The answer is in
# RETURN, also when it is an error.
qmp()
{
	local name=$1 command=$2 deadline

	deadline=$(($(now_ms) + QMP_PATIENCE * 1000))
	printf '{"execute": "%s", "arguments": {%s}}\n' "$command" "${3:-}" |
		tee -a "$QMP_DIR/$name.log" >&"${QMP_TO[$name]}"
	while qmp_line "$name" "$deadline"; do
		RETURN=$LINE
		case $LINE in
		'{"return": '*)	return 0 ;;
		'{"error": '*)	echo "QEMU $name, $command: $LINE"; return 1 ;;
		esac
	done
	echo "QEMU $name does not answer $command"
	return 1
}

# qmp_event NAME PATTERN...: wait until there has been an event that matches each, since
# qmp_forget.
qmp_event()
{
	local name=$1 deadline pattern

	shift
	deadline=$(($(now_ms) + QMP_PATIENCE * 1000))
	for pattern; do
		# shellcheck disable=SC2053 # it is a pattern
		until [[ ${QMP_EVENTS[$name]} == *$pattern* ]]; do
			qmp_line "$name" "$deadline" && continue
			echo "QEMU $name: no event $pattern came"
			return 1
		done
	done
}

qmp_forget()
{
	QMP_EVENTS[$1]=
}

# vm_start NAME ARG...: ready for commands afterwards.
vm_start()
{
	local name=$1

	shift
	qmp_open "$name" || return 1
	qemu-system-x86_64 -nodefaults -no-user-config -display none -L /usr/local/share/qemu \
		-chardev "pipe,id=qmp,path=$QMP_DIR/$name" -mon chardev=qmp,mode=control \
		-chardev "file,id=debug,path=$QMP_DIR/$name.debug" \
		-device isa-debugcon,iobase=0xe9,chardev=debug "$@" \
		</dev/null >/dev/null 2>"$QMP_DIR/$name.err" &
	VM_PID[$name]=$!
	qmp "$name" qmp_capabilities
}

vm_gone()
{
	! vm_alive "$1"
}

# Whatever it is doing, it is gone afterwards.
vm_kill()
{
	[[ ${VM_PID[$1]:-} ]] || return 0
	kill -KILL "${VM_PID[$1]}" 2>/dev/null
	wait "${VM_PID[$1]}" 2>/dev/null
	unset "VM_PID[$1]"
	qmp_close "$1"
}

# Fails if it does not end by itself, or not well.
vm_quit()
{
	local rc=0

	qmp "$1" quit || rc=1
	wait_for "$QMP_PATIENCE" vm_gone "$1" || { echo "QEMU $1 does not quit"; rc=1; }
	if vm_gone "$1"; then
		wait "${VM_PID[$1]}" || { echo "QEMU $1 ends with exit code $?"; rc=1; }
	fi
	vm_kill "$1"
	return $rc
}

# Where a VM's threads are, in the kernel.
vm_threads()
{
	local task

	for task in "/proc/${VM_PID[$1]}/task"/*; do
		echo "$(<"$task/comm"): $(sed 's/^[^ ]* //; s/+0x.*//' "$task/stack" |
			head -n 6 | tr '\n' ' ')"
	done
}

# What a VM does and has said, for a report of a failure.
vm_show()
{
	local file

	if vm_alive "$1"; then
		echo "QEMU $1, threads:"
		vm_threads "$1"
		qmp "$1" query-status && qmp "$1" query-migrate
	fi
	for file in err debug log; do
		[[ -s $QMP_DIR/$1.$file ]] || continue
		echo "QEMU $1, $file:"
		tail -n 40 "$QMP_DIR/$1.$file" | cut -c 1-600
		echo
	done
}
