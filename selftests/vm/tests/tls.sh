#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm: --devices 4 --timeout 400 --module ghash-generic
#
# vfmig link --tls: links that encrypt and transfers over them, each kind of peer that must be
# refused, by both ends, and what is said then.

. /lib/migmux/ktap.sh
. /lib/migmux/hosts.sh
. /lib/migmux/migmux.sh
. /lib/migmux/loop.sh
. /lib/migmux/certs.sh

ADDR=tcp:127.0.0.1:5000

loop_setup
for module in tls gcm; do
	modprobe $module || skip_all "the module $module is not there"
done
modprobe ghash-generic	# part of gcm, or of the kernel, in later ones
command -v certtool >/dev/null || skip_all "certtool is not there"

# More of them, that should be refused.
certificates()
{
	certs_make &&
	certificate other-ca self ca cert_signing_key 'expiration_days = 30' &&
	certificate stranger other-ca 'dns_name = "host-b"' 'ip_address = "127.0.0.1"' \
		"${CERT_HOST[@]}" 'expiration_days = 30' &&
	certificate expired ca 'dns_name = "host-b"' 'ip_address = "127.0.0.1"' \
		"${CERT_HOST[@]}" 'activation_date = "2020-01-01 00:00:00"' \
		'expiration_date = "2020-02-01 00:00:00"' &&
	certificate server ca 'dns_name = "server"' signing_key tls_www_server \
		'expiration_days = 30'
}

# ends IN_WORDS OUT_WORDS: both ends fail and say so, and neither leaves a link. Without
# words an end must succeed.
ends()
{
	local in=0 out=0 listener rc=0

	vfmig link listen in --on $ADDR --channels 1 --timeout 60 "${IN_OPTS[@]}" \
		>/tmp/listen.out 2>/tmp/listen.err &
	listener=$!
	vfmig link connect out --to $ADDR --channels 1 --timeout 60 "${OUT_OPTS[@]}" \
		>/tmp/connect.out 2>/tmp/connect.err || out=$?
	wait $listener || in=$?
	end_is in "$in" "$1" /tmp/listen.err || rc=1
	end_is out "$out" "$2" /tmp/connect.err || rc=1
	return $rc
}

# end_is LINK RC WORDS FILE: as ends() wants it; the link is deleted if it should be there.
end_is()
{
	if [[ -z $3 ]]; then
		(($2 == 0)) && vfmig link del "$1" && return
	else
		(($2 == 2)) && grep -qF "$3" "$4" && ! vfmig link show "$1" 2>/dev/null && return
	fi
	echo "$1: exit code $2: $(cat "$4")"
	return 1
}

tls_stat()
{
	awk -v name="$1" '$1 == name { print $2 }' /proc/net/tls_stat
}

check "certificates" certificates

# --- what should work -------------------------------------------------------------------

certs_of IN_OPTS host-a
certs_of OUT_OPTS host-b
check "links over TLS" out_in $ADDR
for link in in out; do
	check "$link: it is TLS 1.3, the kernel encrypts, pages are spliced" shows $link \
		'.tls_version == "1.3" and .tls_cipher == "aes-256-gcm" and .send_method == "splice"'
	check "$link is for TLS alone" prints .tls vfmig link show $link -j
done
check "... as the table says" sh -c 'vfmig link show out | grep -q "splice *1.3 aes-256-gcm"'
check "the kernel has both directions of all channels" \
	test "$(tls_stat TlsCurrTxSw):$(tls_stat TlsCurrRxSw)" = 4:4
transfers TLS
check "the records were as they should be" \
	test "$(tls_stat TlsDecryptError):$(tls_stat TlsRxNoPadViolation)" = 0:0

# A link that goes while its peer waits on it.
vfmig link del out
check "a link that was deleted says goodbye" \
	says 2 "closed by the source before the end$" sh -c "vfmig recv in ${TO[0]} >/dev/null"
links_del 2>/dev/null

IN_OPTS+=(--tls-peer host-b)
OUT_OPTS+=(--tls-peer host-a)
check "both ends say whom they want" ends "" ""

# --- who is refused -------------------------------------------------------------------------

certs_of IN_OPTS host-a
certs_of OUT_OPTS stranger
check "who connects is of another CA" ends "certificate issuer is unknown" "the peer refused us"
certs_of OUT_OPTS host-b other-ca
check "who listens is of another CA" ends "the peer refused us" "certificate issuer is unknown"
certs_of OUT_OPTS expired
check "who connects has expired" ends "expired certificate" "the peer refused us"
certs_of OUT_OPTS server
check "who connects has a certificate for servers" ends "intended purpose" \
	"the peer refused us"
certs_of OUT_OPTS host-b
IN_OPTS+=(--tls-peer host-c)
check "who connects has another name" ends "Wanted: host-c" "the peer refused us"
certs_of IN_OPTS host-a
OUT_OPTS+=(--tls-peer host-c)
check "who listens has another name" ends "the peer refused us" "Wanted: host-c"
certs_of IN_OPTS expired
certs_of OUT_OPTS host-b
check "who listens has expired" ends "the peer refused us" "expired certificate"
certs_of IN_OPTS server
check "who listens is not whom one connects to" ends "the peer refused us" \
	"Wanted: 127.0.0.1"

certs_of IN_OPTS host-a
OUT_OPTS=()
check "who connects does not use TLS" ends "the peer said nothing for 10 s" ""
IN_OPTS=()
certs_of OUT_OPTS host-b
check "who listens does not use TLS" ends "" "the peer said nothing for 10 s"

# --- files ------------------------------------------------------------------------------------

IN_OPTS=(--channels 1 --on "$ADDR" --tls)
key=(--tls-key "$CERTS/host-a.key")
cert=(--tls-cert "$CERTS/host-a.pem")
ca=(--tls-ca "$CERTS/ca.pem")
check "no certificate" says 2 "cannot use certificate /nowhere with key $CERTS/host-a.key" \
	vfmig link listen l "${IN_OPTS[@]}" --tls-cert /nowhere "${key[@]}" "${ca[@]}"
check "the key of another certificate" says 2 "certificate and the given key do not match" \
	vfmig link listen l "${IN_OPTS[@]}" "${cert[@]}" --tls-key "$CERTS/host-b.key" "${ca[@]}"
check "no CA" says 2 "no CA's certificate in /dev/null: the file has none" \
	vfmig link listen l "${IN_OPTS[@]}" "${cert[@]}" "${key[@]}" --tls-ca /dev/null

check "no link is left" prints "length == 0" vfmig link list -j
check "nothing is left of them" host_becomes_clean
ktap_exit
