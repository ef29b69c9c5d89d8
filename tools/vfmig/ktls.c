// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys of a TLS 1.3 session go into the kernel, which encrypts and decrypts from then
 * on. They are those of this connection; what signs for us stays here.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/tls.h>

#include "ktls.h"
#include "tls.h"

#ifndef TLS_RX_EXPECT_NO_PAD
#define TLS_RX_EXPECT_NO_PAD 4
#endif

/* All that begin with the same header. */
union crypto {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 aes_128;
	struct tls12_crypto_info_aes_gcm_256 aes_256;
	struct tls12_crypto_info_chacha20_poly1305 chacha;
};

/**
 * struct state - one direction of a session, as GnuTLS has it
 * @key: its key
 * @iv: what is mixed with the record's number
 * @seq: number of the record that comes next
 */
struct state {
	gnutls_datum_t key;
	gnutls_datum_t iv;
	unsigned char seq[8];
};

/**
 * struct target - where the kernel wants them
 * @salt: the first bytes of what GnuTLS calls the IV
 * @iv: the others
 */
struct target {
	gnutls_datum_t salt;
	gnutls_datum_t iv;
	gnutls_datum_t key;
	unsigned char *seq;
};

/* One of the kernel's structures, which all name their members alike. */
#define TARGET(c) { \
	.salt = { (c)->salt, sizeof((c)->salt) }, \
	.iv = { (c)->iv, sizeof((c)->iv) }, \
	.key = { (c)->key, sizeof((c)->key) }, \
	.seq = (c)->rec_seq, \
}

static int fill(const struct target *to, const struct state *from)
{
	if (to->salt.size + to->iv.size != from->iv.size || to->key.size != from->key.size)
		return -EPROTO;
	memcpy(to->salt.data, from->iv.data, to->salt.size);
	memcpy(to->iv.data, from->iv.data + to->salt.size, to->iv.size);
	memcpy(to->key.data, from->key.data, to->key.size);
	memcpy(to->seq, from->seq, sizeof(from->seq));
	return 0;
}

/* The size of what was filled in, or -errno. */
static int convert(union crypto *c, gnutls_cipher_algorithm_t cipher, const struct state *s)
{
	const struct target aes_128 = TARGET(&c->aes_128);
	const struct target aes_256 = TARGET(&c->aes_256);
	const struct target chacha = TARGET(&c->chacha);

	c->info.version = TLS_1_3_VERSION;
	switch (cipher) {
	case GNUTLS_CIPHER_AES_128_GCM:
		c->info.cipher_type = TLS_CIPHER_AES_GCM_128;
		return fill(&aes_128, s) ? -EPROTO : (int)sizeof(c->aes_128);
	case GNUTLS_CIPHER_AES_256_GCM:
		c->info.cipher_type = TLS_CIPHER_AES_GCM_256;
		return fill(&aes_256, s) ? -EPROTO : (int)sizeof(c->aes_256);
	case GNUTLS_CIPHER_CHACHA20_POLY1305:
		c->info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		return fill(&chacha, s) ? -EPROTO : (int)sizeof(c->chacha);
	default:
		return -EPROTO;
	}
}

static int set_direction(gnutls_session_t session, int fd, bool receive)
{
	union crypto crypto = { 0 };
	struct state s;
	int ret;

	if (gnutls_record_get_state(session, receive, NULL, &s.iv, &s.key, s.seq))
		return -EPROTO;
	ret = convert(&crypto, gnutls_cipher_get(session), &s);
	if (ret > 0)
		ret = setsockopt(fd, SOL_TLS, receive ? TLS_RX : TLS_TX, &crypto,
				 (socklen_t)ret) ? -errno : 0;
	explicit_bzero(&crypto, sizeof(crypto));
	return ret;
}

/**
 * ktls_start() - let the kernel go on where a handshake ended
 * @session: whose records all have been read
 * @fd: its socket
 * @why: on failure: what is wrong, TLS_WHY_MAX bytes
 *
 * Return: 0 or a negative errno.
 */
int ktls_start(gnutls_session_t session, int fd, char *why)
{
	int one = 1, ret;

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls"))) {
		ret = -errno;
		snprintf(why, TLS_WHY_MAX, "the kernel has no TLS, load the module tls: %s",
			 strerror(-ret));
		return ret;
	}
	ret = set_direction(session, fd, true);
	if (!ret)
		ret = set_direction(session, fd, false);
	if (ret)
		snprintf(why, TLS_WHY_MAX, "the kernel cannot go on with %s: %s",
			 gnutls_cipher_get_name(gnutls_cipher_get(session)), strerror(-ret));
	else
		/* our peers do not pad; a record is then decrypted where it belongs */
		setsockopt(fd, SOL_TLS, TLS_RX_EXPECT_NO_PAD, &one, sizeof(one));
	return ret;
}
