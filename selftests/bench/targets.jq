# SPDX-License-Identifier: GPL-2.0-only
#
# jq -f targets.jq: the document of bench.jq, with what its ratios have to be.

# The worst of the values: the one whose median is farthest beyond a limit, or next to it.
def worst($low; $high): max_by([.median / $high, if $low > 0 then $low / .median else 0 end] | max);

# There must be $n values, spreads, and their medians lie within the limits.
def target($what; $n; $low; $high; values):
	[values] as $values
	| { what: $what, n: ($values | length), worst: ($values | worst($low; $high)),
	    pass: (($values | length) == $n and
		   ($values | all(.median >= $low and .median <= $high))) };

def scaled($by): { median: (.median / $by), min: (.min / $by), max: (.max / $by), n: .n };

. as $all
| def arc($ms; $step; $way): $all.arcs[]
	| select(.arc_ms == $ms and .step == $step and .way == $way);
  .targets = [
	target("arcs of 50 ms, 4 devices to STOP_COPY by SET_STATE: at most 1.25 of one";
	       1; 0; 1.25; arc(50; "stop"; "together") | select(.devices == 4).ratio),
	target("the same one after another: about 4 (3.5 to 4.5)";
	       1; 3.5; 4.5; arc(50; "stop"; "sequential") | select(.devices == 4).ratio),
	(("stop", "start") as $step
	 | target("arcs of 100 ms, \($step) of 1 to 8 devices in a set: at most 1.15 of one";
		  4; 0; 1.15; arc(100; $step; "set").ratio),
	   target("the same without a set: about N (within an eighth)";
		  4; 0.875; 1.125; arc(100; $step; "sequential")
		  | .devices as $n | .ratio | scaled($n))),
	target("state ioctls of a device alone in its set, to do something or nothing: at most 1.05 of those without";
	       3; 0; 1.05; .ioctl[] | select(.hook == "set-of-one").ratio),
	target("an arc of 50 us through the hook: at most 1.05 of one without";
	       1; 0; 1.05; .ioctl[] | select(.hook == "hooked" and .call == "arc").ratio),
	(["copy", "read() and send(), recv() and write()", 0.85],
	 ["queue", "the copies of multifd device state", 0.65]
	 | . as [$way, $name, $max]
	 | target("instructions per byte: at most \($max) of those of \($name)";
		  1; 0; $max; $all.cost[] | select(.way == $way).ratio)),
	(["instructions", "instructions"], ["kib", "memory"] | . as [$key, $name]
	 | target("\($name) per device: at most 1.2 times as much with 32 as with 4";
		  1; 0; 1.2; $all.scale_ratio[$key])),
	target("throughput of 1 to 8 channels where the link is the limit: at least 0.9 of iperf3";
	       4; 0.9; 1.25; .wire[] | select(.mbit > 0).ratio),
	target("a device's share of that link: what its weight is due, within a fifth";
	       3; 0.8; 1.2; .shares[].ratio),
	target("mapping memory ahead of time: at most 0.05 of what it takes at start is left";
	       22; 0; 0.05; .dma[].left),
	target("the VMM's thread stalls for at most 20 ms (of 1 ns per instruction) while memory is mapped";
	       3; 0; 1; .dma[] | select(.how == "counted").stall),
	target("the same by iommufd and vhost-vdpa in the debug kernel, in pieces of 4 MiB, less its slowness";
	       4; 0; 1; .dma[] | select(.how == "debug" and .piece_mib == 4 and .kind != "type1").stall),
	target("downtime of vfmig: at most 0.5 of QEMU's by multifd, in both settings";
	       2; 0; 0.5; .versus[].others[] | select(.way == "multifd").ratio),
	target("downtime of vfmig with arcs of 20 ms: at most 1.6 of what is possible";
	       1; 0; 1.6; .versus[] | select(.arc_ms == 20).floor_ratio),
	(["stop", 0.3], ["start", 0.3], ["downtime", 0.4] | . as [$what, $max]
	 | target("stock QEMU, \($what) with a set: at most \($max) of that without";
		  4; 0; $max; $all.qemu[] | select(.what == $what).ratio))]
