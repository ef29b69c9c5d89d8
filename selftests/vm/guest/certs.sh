# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Certificates for tests of TLS, made here. For bash.
#
#	certs_make; certs_of OPTS host-a; vfmig link listen ... "${OPTS[@]}"

CERTS=/tmp/certs
CERT_HOST=(signing_key tls_www_server tls_www_client)

# certificate NAME CA LINE...: CA is "self" or a name; the lines go into certtool's template.
certificate()
{
	local name=$CERTS/$1 ca=$CERTS/$2
	local how=(--generate-certificate --load-ca-certificate "$ca.pem" \
		   --load-ca-privkey "$ca.key")

	[[ $2 != self ]] || how=(--generate-self-signed)
	shift 2
	{
		printf 'cn = "%s"\n' "${name##*/}"
		printf '%s\n' "$@"
	} >"$name.template"
	certtool --generate-privkey --key-type ecdsa --outfile "$name.key" &&
		certtool "${how[@]}" --load-privkey "$name.key" --template "$name.template" \
			--outfile "$name.pem"
}

# A CA, and two hosts of it; 127.0.0.1 is the first.
certs_make()
{
	local host=("${CERT_HOST[@]}" 'expiration_days = 30')

	mkdir -p $CERTS
	certificate ca self ca cert_signing_key 'expiration_days = 30' &&
	certificate host-a ca 'dns_name = "host-a"' 'ip_address = "127.0.0.1"' "${host[@]}" &&
	certificate host-b ca 'dns_name = "host-b"' "${host[@]}"
}

# certs_of VAR NAME [CA]: the options of who shows that certificate and trusts the CA.
certs_of()
{
	local -n certs_opts=$1

	# shellcheck disable=SC2034 # it is the caller's
	certs_opts=(--tls --tls-cert "$CERTS/$2.pem" --tls-key "$CERTS/$2.key"
		    --tls-ca "$CERTS/${3:-ca}.pem")
}
