# SPDX-License-Identifier: GPL-2.0-only
#
# jq -n -R --argjson env OBJECT -f bench.jq bench.txt cost.txt scale.txt dma.txt versus.txt qemu.txt:
# the results as one document. A ratio has median, min and max of n; times are medians in ms.

def median: sort | if length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
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
# Per device or channel, to be compared with those of 4 devices.
| [$rows | map(select(.[0] == "scale")
	| { devices: (.[1] | tonumber), channels: (.[2] | tonumber), n: (.[3] | tonumber),
	    kib: (.[4] | tonumber) })
   | group_by([.devices, .channels])[]
   | { devices: .[0].devices, channels: .[0].channels,
       instructions: (map(.n) | median), kib: (map(.kib) | median) }] as $scale
| [$rows | map(select(.[0] == "dma")
	| { mib: (.[1] | tonumber), piece_mib: (.[2] | tonumber),
	    ms: (.[3:] | map(tonumber / 1e6)) })
   | group_by([.mib, .piece_mib])[]
   | { mib: .[0].mib, piece_mib: .[0].piece_mib, at_start_ms: (map(.ms[0]) | median),
       ahead_ms: (map(.ms[1]) | median), left_ms: (map(.ms[2]) | median),
       left: (map(.ms[2] / .ms[0]) | median), stall_ms: (map(.ms[3]) | median),
       idle_stall_ms: (map(.ms[4]) | median) }] as $dma
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
   | .floor_ratio = .vfmig_ms / .floor_ms] as $versus
| def ratio($ms; $step; $way; $n): $arcs[]
	| select(.arc_ms == $ms and .step == $step and .way == $way and .devices == $n)
	| .ratio.median;
  def all_of($step; $way): $arcs[]
	| select(.arc_ms == 100 and .step == $step and .way == $way) | .ratio.median;
  { environment: $env,
    arcs: $arcs,
    ioctl: $ioctls,
    cost: $cost,
    scale: $scale,
    dma: $dma,
    versus: $versus,
    qemu: $qemu,
    downtime: { vfmig_ms: ($new | spread), serial_ms: ($old | spread),
		ratio: ([$old, $new] | transpose | map(.[0] / .[1]) | spread) },
    targets: [
	{ what: "arcs of 50 ms, 4 devices to STOP_COPY by SET_STATE: at most 1.25 of one",
	  pass: (ratio(50; "stop"; "together"; 4) <= 1.25) },
	{ what: "the same one after another: about 4 (3.5 to 4.5)",
	  pass: (ratio(50; "stop"; "sequential"; 4) | . >= 3.5 and . <= 4.5) },
	(("stop", "start") as $step
	 | { what: "arcs of 100 ms, \($step) of 1 to 8 devices in a set: at most 1.15 of one",
	     pass: ([all_of($step; "set")] | length == 4 and all(. <= 1.15)) },
	   { what: "the same without a set: about N (within an eighth)",
	     pass: ([(1, 2, 4, 8) as $n | ratio(100; $step; "sequential"; $n) / $n]
		    | length == 4 and all(. >= 0.875 and . <= 1.125)) }),
	{ what: "state ioctls of a device alone in its set, to do something or nothing: at most 1.05 of those without",
	  pass: ($ioctls | map(select(.hook == "set-of-one"))
		 | length == 3 and all(.ratio.median <= 1.05)) },
	{ what: "an arc of 50 us through the hook: at most 1.05 of one without",
	  pass: ($ioctls | map(select(.hook == "hooked" and .call == "arc"))
		 | length == 1 and all(.ratio.median <= 1.05)) },
	(["copy", "read() and send(), recv() and write()", 0.85],
	 ["queue", "the copies of multifd device state", 0.65]
	 | . as [$way, $name, $max]
	 | { what: "instructions per byte: at most \($max) of those of \($name)",
	     pass: ($cost | map(select(.way == $way))
		    | length == 1 and all(.ratio.median <= $max)) }),
	{ what: "instructions and memory per device: not over 1.2 times as much with 32 as with 4",
	  pass: ($scale | map(select(.channels == 2 and (.devices == 4 or .devices == 32)))
		 | sort_by(.devices) | length == 2 and
		   (.[1].instructions / .[1].devices <= 1.2 * .[0].instructions / .[0].devices) and
		   (.[1].kib / .[1].devices <= 1.2 * .[0].kib / .[0].devices)) },
	{ what: "mapping memory ahead of time: at most 0.05 of what it takes at start is left",
	  pass: ($dma | length == 8 and all(.left <= 0.05)) },
	{ what: "the VMM's thread stalls for at most 20 ms while 64 MiB pieces are mapped",
	  pass: ($dma | map(select(.piece_mib == 64))
		 | length == 2 and all(.stall_ms <= 20)) },
	{ what: "downtime of vfmig: at most 0.5 of QEMU's by multifd, in both settings",
	  pass: ($versus | length == 2 and all(.others[] | select(.way == "multifd");
					       .ratio.median <= 0.5)) },
	{ what: "downtime of vfmig with arcs of 20 ms: at most 1.6 of what is possible",
	  pass: ($versus | map(select(.arc_ms == 20))
		 | length == 1 and all(.floor_ratio <= 1.6)) },
	(("stop", "start", "downtime") as $what
	 | { what: "stock QEMU, \($what) with a set: at most \(if $what == "downtime" then 0.4 else 0.3 end) of that without",
	     pass: ($qemu | map(select(.what == $what)) | length == 4 and
		    all(.ratio.median <= if $what == "downtime" then 0.4 else 0.3 end)) })] }
