# SPDX-License-Identifier: GPL-2.0-only
#
# jq -n -R --argjson env OBJECT -f bench.jq bench.txt: the results as one document. A
# ratio has median, min and max of n; times are medians in ms.

def median: sort | if length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def spread: { median: median, min: min, max: max, n: length };

[inputs | split(" ")] as $rows
| ($rows | map(select(.[0] == "arcs") | { way: .[1], n: (.[2] | tonumber),
					   ms: ((.[3] | tonumber) / 1e6) })) as $arcs
| ($rows | map(select(.[0] == "downtime") | { way: .[1], ms: (.[3] | tonumber) })) as $down
| [$arcs | group_by(.way)[] | (map(select(.n == 1) | .ms) | median) as $one
   | group_by(.n)[] | { way: .[0].way, devices: .[0].n, ms: (map(.ms) | median),
			ratio: (map(.ms / $one) | spread) }] as $stop
| ($down | map(select(.way == "vfmig") | .ms)) as $new
| ($down | map(select(.way == "serial") | .ms)) as $old
| def four($way): $stop[] | select(.way == $way and .devices == 4) | .ratio.median;
  { environment: $env,
    stop_copy: $stop,
    downtime: { vfmig_ms: ($new | spread), serial_ms: ($old | spread),
		ratio: ([$old, $new] | transpose | map(.[0] / .[1]) | spread) },
    targets: [{ what: "4 devices to STOP_COPY in at most 1.25 times one device's time",
		pass: (four("together") <= 1.25) },
	      { what: "one after another about 4 times (3.5 to 4.5)",
		pass: (four("sequential") | . >= 3.5 and . <= 4.5) }] }
