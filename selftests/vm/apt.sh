# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
#
# Packages of Debian: what deps and debug-kernel share, which is where their cache is,
# installing with apt, and apt's lists of backports without a line in the machine's own.

CACHE=${VFIO_MIGMUX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var}/.cache}/vfio_migmux}

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	say "$*"
	exit 1
}

# The scratch directory of the fetch that is running, removed however we end.
scratch=
trap '[[ -z $scratch ]] || rm -rf "$scratch"' EXIT

# --- packages -----------------------------------------------------------------

as_root()
{
	if ((EUID == 0)); then
		"$@"
	else
		sudo "$@"
	fi
}

may_root()
{
	((EUID == 0)) || command -v sudo >/dev/null
}

updated=
lists_update()
{
	[[ -z $updated ]] || return 0
	updated=1
	may_root || return 0
	# A source that is down need not be the one we want: what is missing shows later.
	as_root apt-get -qq update >&2 || say "apt-get update had errors, going on"
}

packages_missing()
{
	local -A have=()
	local pkg status
	while read -r status pkg; do
		[[ $status != installed ]] || have[$pkg]=1
	done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || :)
	for pkg; do
		[[ -n ${have[$pkg]:-} ]] || printf '%s\n' "$pkg"
	done
}

packages_install()
{
	local missing
	mapfile -t missing < <(packages_missing "$@" | sort -u)
	((${#missing[@]})) || return 0
	may_root || die "please install as root: apt-get install ${missing[*]}"
	say "installing ${missing[*]}"
	lists_update
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 install "${missing[@]}" </dev/null >&2 ||
		die "apt-get could not install ${missing[*]}"
}

# --- lists ----------------------------------------------------------------------

# Options that make apt look at our own lists; empty while the machine's own do.
apt_opts=()

# backports_use SUITE: that one (bookworm-backports...) from the mirrors this machine already
# uses, with lists of our own.
backports_use()
{
	local suite=$1 apt=$CACHE/apt/$1 keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	local opt='' release component uri

	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	[[ ! -e $keyring ]] || opt="[signed-by=$keyring] "
	# shellcheck disable=SC2016 # apt fills these in
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
		'Created-By: Packages' | sort -u |
		while read -r release component uri; do
			[[ $release/$component == bookworm/main ]] || continue
			echo "deb $opt$uri $suite main"
		done >"$apt/sources.list"
	[[ -s $apt/sources.list ]] || die "no Debian 12 mirror is configured in apt"
	apt_opts=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
		  -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache")
	apt_as_user update >&2 || say "apt-get update of $suite had errors, going on"
}

# apt-get for what needs no root; root itself needs no sandbox user then, which could
# not write into our cache.
apt_as_user()
{
	apt-get -qq "${apt_opts[@]}" -o APT::Sandbox::User="$(id -un)" "$@"
}
