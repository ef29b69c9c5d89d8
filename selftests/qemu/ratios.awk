# SPDX-License-Identifier: GPL-2.0-only
#
# The lines of /out/qemu.txt: for each kind of migration that was tried both without and
# with a set, prints "0|1 TEXT" for source, destination and downtime: are the medians'
# ratios as they must be?

function median(list,	n, a, i, j, t) {
	n = split(list, a, " ")
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && a[j - 1] + 0 > a[j] + 0; j--) {
			t = a[j]
			a[j] = a[j - 1]
			a[j - 1] = t
		}
	# + 0: an element of a list is a string to some awks
	return n % 2 ? a[(n + 1) / 2] + 0 : (a[n / 2] + a[n / 2 + 1]) / 2
}

function verdict(what, limit, with, without) {
	with = median(with)
	without = median(without)
	printf "%d %s: %s %.0f ms with a set, %.0f ms without: %.2f, at most %.2f\n",
		(with > limit * without), kind, what, with, without, with / without, limit
}

$1 == "qemu" {
	kind = $2 ", " $3
	if (!(kind in seen))
		kinds[++n] = kind
	seen[kind] = 1
	stop[kind, $4] = stop[kind, $4] " " $6
	start[kind, $4] = start[kind, $4] " " $7
	downtime[kind, $4] = downtime[kind, $4] " " $8
}

END {
	for (i = 1; i <= n; i++) {
		kind = kinds[i]
		if (!((kind, "with") in stop && (kind, "without") in stop))
			continue
		verdict("source stop", 0.30, stop[kind, "with"], stop[kind, "without"])
		verdict("destination start", 0.30, start[kind, "with"], start[kind, "without"])
		verdict("downtime", 0.40, downtime[kind, "with"], downtime[kind, "without"])
	}
}
