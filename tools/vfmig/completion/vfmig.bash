# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of vfmig(8) for bash.

# Words are taken from the readable lists: no JSON tool is needed.
_vfmig_devices()
{
	vfmig device list 2> /dev/null | awk 'NR > 1 { print $1 }'
}

_vfmig_sets()
{
	vfmig set list 2> /dev/null | awk 'NR > 1 { print $1 }'
}

# Devices in any set, or in none; a table without sets has a dash there.
_vfmig_members()
{
	vfmig device list 2> /dev/null | awk -v member="$1" \
		'NR > 1 && ($5 != "-") == member { print $1 }'
}

_vfmig_links()
{
	vfmig link list 2> /dev/null | awk 'NR > 1 { print $1 }'
}

_vfmig_sessions()
{
	vfmig session list 2> /dev/null | awk 'NR > 1 { print $1 }'
}

_vfmig_reply()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

# What may follow the object and the command.
_vfmig_arguments()
{
	local common="--json --help"
	local tls="--tls --tls-cert --tls-key --tls-ca --tls-peer"
	local words="none stop copy start resume setup barrier"
	local set="--max-parallel --claim-timeout --allow-no-p2p $common"
	local transfer="--exec --staging --timeout --no-verdict --verify --no-p2p --shared --progress $common"
	local precopy="--precopy --downtime-limit --precopy-time --precopy-rounds --weight"
	local check="--ready-timeout --shared --verify --no-p2p $common"

	case $1/$2 in
	device/show | device/hook | device/unhook | device/probe)
		_vfmig_reply "$(_vfmig_devices) $common" ;;
	set/show)
		_vfmig_reply "$(_vfmig_sets) $common" ;;
	set/add)
		_vfmig_reply "$(_vfmig_sets) $(_vfmig_members 0) --policy $set" ;;
	set/del)
		_vfmig_reply "$(_vfmig_sets) $(_vfmig_members 1) $common" ;;
	set/policy)
		_vfmig_reply "$(_vfmig_sets) $words $set" ;;
	set/timeline)
		_vfmig_reply "$(_vfmig_sets) --svg $common" ;;
	set/auto)
		_vfmig_reply "on off --policy $set" ;;
	link/show | link/del)
		_vfmig_reply "$(_vfmig_links) $common" ;;
	link/listen)
		_vfmig_reply "--on --channels --timeout $tls $common" ;;
	link/connect)
		_vfmig_reply "--to --channels --timeout $tls $common" ;;
	session/show)
		_vfmig_reply "$(_vfmig_sessions) $common" ;;
	session/timeline)
		_vfmig_reply "$(_vfmig_sessions) --svg $common" ;;
	send/*)
		_vfmig_reply "$(_vfmig_links) $(_vfmig_devices) --no-check --ready-timeout $precopy $transfer" ;;
	check/*)
		_vfmig_reply "$(_vfmig_links) $(_vfmig_devices) $check" ;;
	recv/*)
		_vfmig_reply "$(_vfmig_links) $(_vfmig_devices) --memory --ready-file --max-queued-bytes --max-spill --max-state $transfer" ;;
	monitor/*)
		_vfmig_reply "--ready-file $common" ;;
	*)
		_vfmig_reply "$common" ;;
	esac
}

_vfmig()
{
	local cur=${COMP_WORDS[COMP_CWORD]}
	local prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words=() word

	# Colons in addresses of devices must not split words.
	if declare -F _get_comp_words_by_ref > /dev/null; then
		_get_comp_words_by_ref -n : cur prev
	fi

	case $prev in
	--svg | --ready-file | --tls-cert | --tls-key | --tls-ca)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--progress)
		_vfmig_reply "auto always never"
		return ;;
	--weight)
		_vfmig_reply "$(_vfmig_devices | sed 's/$/=/')"
		return ;;
	--policy)
		_vfmig_reply "none stop,copy,start barrier,stop,copy,start stop,copy,start,resume,setup"
		return ;;
	--allow-no-p2p)
		_vfmig_reply "yes no"
		return ;;
	--on | --to)
		_vfmig_reply "tcp: mptcp: unix: vsock:local: vsock:host: vsock:any:"
		return ;;
	--downtime-limit | --precopy-time | --precopy-rounds | --ready-timeout | \
	--max-queued-bytes | --max-spill | --max-state)
		return ;;
	--exec | --staging | --timeout | --channels | --max-parallel | --claim-timeout | \
	--tls-peer)
		return ;;
	esac

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $word == -* ]] || words+=("$word")
	done

	case ${#words[@]}/${words[0]-} in
	0/*)
		_vfmig_reply "device set link session send check recv monitor help --json --help --version" ;;
	1/device)
		_vfmig_reply "list show hook unhook probe help --json --help" ;;
	1/set)
		_vfmig_reply "list show add del policy timeline auto help --json --help" ;;
	1/link)
		_vfmig_reply "list show listen connect del help --json --help" ;;
	1/session)
		_vfmig_reply "list show timeline help --json --help" ;;
	*)
		_vfmig_arguments "${words[0]}" "${words[1]-}" ;;
	esac

	if declare -F __ltrim_colon_completions > /dev/null; then
		__ltrim_colon_completions "$cur"
	fi
}

complete -F _vfmig vfmig
