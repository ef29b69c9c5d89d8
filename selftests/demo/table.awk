# SPDX-License-Identifier: GPL-2.0-only
#
# What times.jq says of the ways "serial" and "vfmig", as pictures and a table. Wants
# -v names="DEVICE ..." and, for a terminal, -v bold=ESC -v plain=ESC.

BEGIN {
	FS = "\t"
	WIDTH = 66
	n = split(names, name, " ")
	title["serial"] = "one after another, read() and write()"
	title["vfmig"] = "vfio_migmux, all at once"
	split("quiesce stop save transfer resume start", marks, " ")
	split("p s c = p r", letters, " ")
	for (i in marks)
		letter[marks[i]] = letters[i]
}

$1 == "total" {
	part[$2, $3] = $4
	total[$2] += $4
}

# RESUMING to STOP to RUNNING_P2P is one step of the old way, so it is one here.
$1 == "phase" {
	phase = $5 == "load" ? "resume" : $5
	took[$2, $3, $4, phase] += $7
	k = ++spans[$2, $3]
	span[$2, $3, k] = $4 FS phase FS $6 FS $7
}

function repeat(c, count,   s)
{
	while (count-- > 0)
		s = s c
	return s
}

function column(ms)
{
	return int(ms * WIDTH / widest)
}

# One device's bar: host a's part, and behind it host b's.
function bar(way, dev,   row, k, f, from, to, x)
{
	for (x = 0; x <= WIDTH; x++)
		row[x] = " "
	for (k = 1; k <= spans[way, dev]; k++) {
		split(span[way, dev, k], f, FS)
		# b is ready before a begins, and b's receiving is a's sending seen from b
		if (f[3] < 0 || !(f[2] in letter) || (f[1] == "b" && f[2] == "transfer"))
			continue
		if (f[1] == "b")
			f[3] += part[way, "a"]
		from = column(f[3])
		to = column(f[3] + f[4])
		for (x = from; x == from || x < to; x++)
			row[x] = letter[f[2]]
	}
	row[column(part[way, "a"])] = "|"
	for (x = 0; x <= WIDTH; x++)
		line = x ? line row[x] : row[x]
	sub(/ +$/, "", line)
	return line
}

function picture(way,   dev)
{
	printf "  %s%s%s\n", bold, title[way], plain
	for (dev = 0; dev < n; dev++)
		printf "  %-7s  %s\n", name[dev + 1], bar(way, dev)
	print ""
}

function cell(way, dev, host, phase, width)
{
	if ((way, dev, host, phase) in took)
		printf "%" width "d", took[way, dev, host, phase] + 0.5
	else
		printf "%" width "s", "-"
}

function table(way,   dev)
{
	printf "  %s%s%s\n", bold, title[way], plain
	for (dev = 0; dev < n; dev++) {
		printf "  %-7s", name[dev + 1]
		cell(way, dev, "a", "quiesce", 9)
		cell(way, dev, "a", "stop", 7)
		cell(way, dev, "a", "save", 11)
		cell(way, dev, "a", "transfer", 8)
		cell(way, dev, "b", "transfer", 13)
		cell(way, dev, "b", "resume", 8)
		cell(way, dev, "b", "start", 10)
		print ""
	}
}

function totals(way)
{
	printf "  %-40s%9d%9d%s%9d ms%s\n", title[way], part[way, "a"] + 0.5,
		part[way, "b"] + 0.5, bold, total[way] + 0.5, plain
}

END {
	widest = total["serial"] > total["vfmig"] ? total["serial"] : total["vfmig"]
	if (!total["serial"] || !total["vfmig"])
		exit 1
	picture("serial")
	picture("vfmig")
	print "  p to P2P, s to STOP, c to STOP_COPY, = state on its way, r to RUNNING"
	print "  | all of it has arrived, the rest is on host B\n"
	printf "  %-7s%9s%26s%13s%18s\n", "ms", "A: P2P", "STOP  STOP_COPY    send",
		"B: receive", "P2P   RUNNING"
	table("serial")
	table("vfmig")
	printf "\n  %s%-40s%9s%9s%9s%s\n", bold, "downtime", "on A", "on B", "total", plain
	totals("serial")
	totals("vfmig")
	printf "  %sone after another takes %.1f times as long%s\n", bold,
		total["serial"] / total["vfmig"], plain
}
