# SPDX-License-Identifier: GPL-2.0-only
#
# From what `vfmig -j send|recv` and `serial-vmm --json` wrote on both hosts, one table:
#
#	jq -rn --arg way WAY -f times.jq SEND.json RECV.json
#
#	total	WAY	HOST	MS			the host's part of the downtime
#	phase	WAY	DEVICE	HOST	PHASE	START_MS	MS	DEVICE counts from 0
#
# Both ways have the same limits: on host a from the first device's first change of state
# until a knows that b has accepted every byte; on host b from that acceptance until the
# last device runs. START_MS counts from the beginning of the host's part. The clocks of
# the two hosts are never compared; the answer's way from b to a is in both parts.

def ms: . / 1e6;

def serial: has("total");

def from_ns:
	if serial then .total.start_ns
	elif .role == "source" then [.devices[].phases.quiesce // .devices[].phases.stop
				     | .start_ns] | min
	else .milestones.loaded end;

def until_ns:
	if serial then .total.end_ns
	elif .role == "source" then .milestones.handed_over
	else [.devices[].phases | (.start // .resume).end_ns] | max end;

# The old way's names for the same things.
def phase_name:
	{ "stream": "transfer", "setup": "prepare" }[.] // .;

def rows($host):
	from_ns as $from
	| (["total", $way, $host, (until_ns - $from | ms)],
	   (.devices | to_entries[] | .key as $i | .value.phases | to_entries[]
	    | select(.value.end_ns)
	    | ["phase", $way, $i, $host, (.key | phase_name),
	       (.value.start_ns - $from | ms), (.value.end_ns - .value.start_ns | ms)]))
	| @tsv;

(input | rows("a")), (input | rows("b"))
