# SPDX-License-Identifier: GPL-2.0-only
#
# jq -n -R --argjson env OBJECT -f bench.jq bench.txt cost.txt scale.txt wire.txt dma.txt
# versus.txt qemu.txt: the results as one document. A ratio has median, min and max of n; times are medians in ms.

def median: sort | if length == 0 then null
	elif length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def scaled($by): { median: (.median / $by), min: (.min / $by), max: (.max / $by), n: .n };
def spread: { median: median, min: min, max: max, n: length };

[inputs | split(" ")] as $rows
| ($rows | map(select(.[0] == "arcs")
	| { way: .[1], step: .[2], n: (.[3] | tonumber), ms: ((.[4] | tonumber) / 1e6),
	    arc_ms: (.[5] | tonumber) })) as $arcs
| ($rows | map(select(.[0] == "ioctl")
	| { hook: .[1], call: .[2], ns: (.[3] | tonumber) })) as $ioctls
| ($rows | map(select(.[0] == "downtime") | { way: .[1], ms: (.[3] | tonumber) })) as $down
| ($rows | map(select(.[0] == "qemu")
	| { channel: .[1], kind: .[2], set: .[3], stop: (.[5] | tonumber),
	    start: (.[6] | tonumber), downtime: (.[7] | tonumber) })) as $qemu
| [$arcs | group_by([.arc_ms, .step, .way])[]
   | (map(select(.n == 1) | .ms) | median) as $one
   | group_by(.n)[] | { arc_ms: .[0].arc_ms, step: .[0].step, way: .[0].way,
			devices: .[0].n, ms: (map(.ms) | median),
			ratio: (map(.ms / $one) | spread) }] as $arcs
| [$ioctls | group_by(.call)[]
   | (map(select(.hook == "unhooked") | .ns)) as $off
   | group_by(.hook)[] | select(.[0].hook != "unhooked")
   | { call: .[0].call, hook: .[0].hook, unhooked_ns: ($off | median),
       ns: (map(.ns) | median),
       ratio: ([map(.ns), $off] | transpose | map(.[0] / .[1]) | spread) }] as $ioctls
| ($down | map(select(.way == "vfmig") | .ms)) as $new
| ($down | map(select(.way == "serial") | .ms)) as $old
| [$qemu | group_by([.channel, .kind])[] | . as $all
   | ("stop", "start", "downtime") as $what
   | ($all | map(select(.set == "without") | .[$what])) as $without
   | ($all | map(select(.set == "with") | .[$what])) as $with
   | { channel: .[0].channel, kind: .[0].kind, what: $what,
       without_ms: ($without | median), with_ms: ($with | median),
       ratio: ($with | map(. / ($without | median)) | spread) }] as $qemu
# What a byte costs is what more of them cost: what a migration costs at least is not its.
| [$rows | map(select(.[0] == "cost")
	| { way: .[1], round: .[2], bytes: (.[3] | tonumber), n: (.[4] | tonumber) })
   | group_by([.way, .round])[] | sort_by(.bytes)
   | { way: .[0].way, round: .[0].round,
       per_byte: ((.[-1].n - .[0].n) / (.[-1].bytes - .[0].bytes)) }] as $slopes
| [$slopes | group_by(.way)[] | . as $all
   | { way: .[0].way, per_byte: (map(.per_byte) | spread),
       ratio: ([$all[] | .round as $round | .per_byte as $ours
		| ($slopes[] | select(.way == "migmux" and .round == $round) | .per_byte)
		  / $ours] | spread) }] as $cost
| ([($slopes[] | select(.way == "verify")) as { $round, per_byte: $with }
    | $with / ($slopes[] | select(.way == "migmux" and .round == $round) | .per_byte)]
   | spread) as $verify
| [$rows | map(select(.[0] == "scale")
	| { devices: (.[1] | tonumber), channels: (.[2] | tonumber), n: (.[3] | tonumber),
	    kib: (.[4] | tonumber) })
   | group_by([.devices, .channels])[]
   | { devices: .[0].devices, channels: .[0].channels,
       instructions: (map(.n) | spread), kib: (map(.kib) | spread),
       all: map({ n: (.n / .devices), kib: (.kib / .devices) }) }] as $scale
# Per device: 32 of them against 4, round by round.
| (def of($n): $scale[] | select(.devices == $n and .channels == 2) | .all;
   [[of(32)], [of(4)]] | map(.[0] // []) | transpose
   | { instructions: (map(.[0].n / .[1].n) | spread),
       kib: (map(.[0].kib / .[1].kib) | spread) }) as $scale_ratio
# No way is shorter: six arcs, all of the state out of a device, the last MiB into one.
| [$rows | map(select(.[0] == "versus")
	| { setting: .[1], way: .[2], ms: (.[4] | tonumber) }) | group_by(.setting)[]
   | (.[0].setting | split(":") | map(tonumber)) as [$mib, $per_mib, $arc]
   | (map(select(.way == "vfmig") | .ms)) as $ours
   | { mib: $mib, ms_per_mib: $per_mib, arc_ms: $arc,
       floor_ms: (6 * $arc + ($mib + 1) * $per_mib), vfmig_ms: ($ours | median),
       others: [group_by(.way)[] | select(.[0].way != "vfmig")
		| { way: .[0].way, ms: (map(.ms) | median),
		    ratio: ([$ours, map(.ms)] | transpose | map(.[0] / .[1]) | spread) }] }
   | .floor_ms as $floor | .floor_ratio = ($ours | map(. / $floor) | spread)] as $versus
# Of one round each, what ours and iperf3's brought over in a second.
| [$rows | map(select(.[0] == "wire")
	| { way: .[1], mbit: (.[2] | tonumber), channels: (.[3] | tonumber),
	    mib_per_s: ((.[5] | tonumber) / 1048576 / (.[6] | tonumber) * 1e9) })
   | group_by([.mbit, .channels])[]
   | (map(select(.way == "vfmig") | .mib_per_s)) as $ours
   | (map(select(.way == "iperf3") | .mib_per_s)) as $theirs
   | { mbit: .[0].mbit, channels: .[0].channels, vfmig: ($ours | spread), iperf3: ($theirs | spread),
       ratio: ([$ours, $theirs] | transpose | map(.[0] / .[1]) | spread) }] as $wire
| [$rows | map(select(.[0] == "share")
	| { weight: (.[1] | tonumber), round: .[2], bytes: (.[3] | tonumber) })
   | group_by(.round)[]
   | (map(.bytes) | add) as $bytes | (map(.weight) | add) as $weights
   | .[] | { weight: .weight, due: (.weight / $weights), share: (.bytes / $bytes) }]
| [group_by(.weight)[]
   | { weight: .[0].weight, due: .[0].due, share: (map(.share) | spread),
       ratio: (map(.share / .due) | spread) }] as $shares
| [$rows | map(select(.[0] == "dma")
	| { kind: .[1], mib: (.[2] | tonumber), piece_mib: (.[3] | tonumber), how: .[9],
	    ms: (.[4:9] | map(tonumber / 1e6)) })
   | group_by([.how, .kind, .mib, .piece_mib])[]
   | { how: .[0].how, kind: .[0].kind, mib: .[0].mib, piece_mib: .[0].piece_mib,
       at_start_ms: (map(.ms[0]) | median),
       ahead_ms: (map(.ms[1]) | median), left_ms: (map(.ms[2]) | median),
       left: (map(.ms[2] / .ms[0]) | spread), stall_ms: (map(.ms[3]) | median),
       stall: (map(.ms[3] / 20) | spread), idle_stall_ms: (map(.ms[4]) | median) }] as $dma
# what the debug kernel would do if it mapped by type1 as fast as the stock one does
| [$dma[] | if .how == "debug" then .mib as $mib
	| [$dma[] | select(.kind == "type1" and .mib == $mib)] as $type1
	| ((first($type1[] | select(.how == "debug")) | .at_start_ms) /
	   (first($type1[] | select(.how == "counted")) | .at_start_ms)) as $slow
	| .slowdown = $slow | .stall |= scaled($slow)
   else . end] as $dma
| { environment: $env,
    arcs: $arcs,
    ioctl: $ioctls,
    cost: $cost,
    verify: $verify,
    scale: $scale,
    scale_ratio: $scale_ratio,
    wire: $wire,
    shares: $shares,
    dma: $dma,
    versus: $versus,
    qemu: $qemu,
    downtime: { vfmig_ms: ($new | spread), serial_ms: ($old | spread),
		ratio: ([$old, $new] | transpose | map(.[0] / .[1]) | spread) } }
