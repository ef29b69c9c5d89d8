// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLS 1.3 with GnuTLS: a handshake in which both ends show a certificate, and then
 *
 *   who listens  ------------> one record that says so, when it has accepted ours
 *
 * In TLS 1.3 who connects is done first, and does not learn otherwise whether its
 * certificate was good enough. After that the kernel has the connection, see ktls.c.
 *
 * Session tickets are switched off: nobody comes back, and they would come as records that
 * the kernel does not understand. GnuTLS reads one record after the other and none ahead,
 * so what follows the last one of ours is still in the socket.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "ktls.h"
#include "output.h"
#include "tls.h"

/* What the kernel can go on with; the rest is as the system's policy has it. */
#define PRIORITY "-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:" \
	"+CHACHA20-POLY1305"

/* how long a peer that was refused may go on talking: each time, and how often */
#define LINGER_MS 1000
#define LINGER_TRIES 10

static const char accepted[16] = "vfmig: accepted";

/**
 * struct tls - credentials
 * @options: as given
 * @cred: from the files
 * @verify: what the peer's certificate must be good for
 * @nr_verify: elements of @verify
 */
struct tls {
	struct tls_options options;
	gnutls_certificate_credentials_t cred;
	gnutls_typed_vdata_st verify[2];
	unsigned int nr_verify;
};

static int load(struct tls *tls)
{
	const struct tls_options *o = &tls->options;
	int ret;

	ret = gnutls_certificate_set_x509_key_file2(tls->cred, o->cert, o->key,
						    GNUTLS_X509_FMT_PEM, NULL, 0);
	if (ret < 0) {
		output_error("cannot use certificate %s with key %s: %s", o->cert, o->key,
			     gnutls_strerror(ret));
		return -1;
	}
	ret = gnutls_certificate_set_x509_trust_file(tls->cred, o->ca, GNUTLS_X509_FMT_PEM);
	if (ret <= 0) {
		output_error("no CA's certificate in %s: %s", o->ca,
			     ret ? gnutls_strerror(ret) : "the file has none");
		return -1;
	}
	return 0;
}

static void expect(struct tls *tls, gnutls_vdata_types_t type, const char *value)
{
	gnutls_typed_vdata_st *verify = &tls->verify[tls->nr_verify++];

	verify->type = type;
	verify->data = (unsigned char *)value;
}

/**
 * tls_open() - read certificates and keys
 * @options: where they are; the strings must stay
 *
 * Return: what tls_handshake() needs, or NULL after it said why.
 */
struct tls *tls_open(const struct tls_options *options)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls || gnutls_certificate_allocate_credentials(&tls->cred)) {
		output_error("no memory for TLS");
		free(tls);
		return NULL;
	}
	tls->options = *options;
	expect(tls, GNUTLS_DT_KEY_PURPOSE_OID,
	       options->listen ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER);
	if (options->peer)
		expect(tls, GNUTLS_DT_DNS_HOSTNAME, options->peer);
	if (load(tls)) {
		tls_close(tls);
		return NULL;
	}
	return tls;
}

/**
 * tls_close() - forget certificates and keys
 * @tls: from tls_open(), or NULL
 */
void tls_close(struct tls *tls)
{
	if (!tls)
		return;
	gnutls_certificate_free_credentials(tls->cred);
	free(tls);
}

/*
 * Plain functions of ours, so that a GnuTLS that is configured to do so does not move the
 * connection into the kernel on its own.
 */
static ssize_t push(gnutls_transport_ptr_t fd, const void *data, size_t len)
{
	return send((int)(long)fd, data, len, MSG_NOSIGNAL);
}

static ssize_t pull(gnutls_transport_ptr_t fd, void *data, size_t len)
{
	return recv((int)(long)fd, data, len, 0);
}

/* Is there something to pull, or will there be in time? */
static int pull_timeout(gnutls_transport_ptr_t fd, unsigned int ms)
{
	struct pollfd pfd = { .fd = (int)(long)fd, .events = POLLIN };

	return poll(&pfd, 1, ms == GNUTLS_INDEFINITE_TIMEOUT ? -1 : (int)ms);
}

static int prepare(struct tls *tls, int fd, gnutls_session_t *session)
{
	const bool listen = tls->options.listen;
	int ret;

	/* a certificate that the peer will not like is shown all the same: it can say why */
	ret = gnutls_init(session, GNUTLS_NO_TICKETS | (listen ? GNUTLS_SERVER :
			  GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT));
	if (ret)
		return ret;
	ret = gnutls_set_default_priority_append(*session, PRIORITY, NULL, 0);
	if (!ret)
		ret = gnutls_credentials_set(*session, GNUTLS_CRD_CERTIFICATE, tls->cred);
	if (ret) {
		gnutls_deinit(*session);
		return ret;
	}
	gnutls_session_set_verify_cert2(*session, tls->verify, tls->nr_verify, 0);
	if (listen)
		gnutls_certificate_server_set_request(*session, GNUTLS_CERT_REQUIRE);
	gnutls_transport_set_ptr(*session, (gnutls_transport_ptr_t)(long)fd);
	gnutls_transport_set_push_function(*session, push);
	gnutls_transport_set_pull_function(*session, pull);
	gnutls_transport_set_pull_timeout_function(*session, pull_timeout);
	gnutls_handshake_set_timeout(*session, TLS_TIMEOUT_MS);
	gnutls_record_set_timeout(*session, TLS_TIMEOUT_MS);
	return 0;
}

/* Why the peer's certificate is not good enough. */
static void explain_certificate(gnutls_session_t session, const struct tls *tls, char *why)
{
	unsigned int status = gnutls_session_get_verify_cert_status(session);
	gnutls_datum_t text = { 0 };

	gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
	snprintf(why, TLS_WHY_MAX, "the peer's certificate is refused: %s%s%s",
		 text.data ? (char *)text.data : "no reason",
		 status & GNUTLS_CERT_UNEXPECTED_OWNER ? "Wanted: " : "",
		 status & GNUTLS_CERT_UNEXPECTED_OWNER ? tls->options.peer : "");
	gnutls_free(text.data);
}

static void explain(gnutls_session_t session, const struct tls *tls, int error, char *why)
{
	switch (error) {
	case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
		explain_certificate(session, tls, why);
		return;
	case GNUTLS_E_NO_CERTIFICATE_FOUND:
	case GNUTLS_E_CERTIFICATE_REQUIRED:
		snprintf(why, TLS_WHY_MAX, "the peer showed no certificate");
		return;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
	case GNUTLS_E_WARNING_ALERT_RECEIVED:
		snprintf(why, TLS_WHY_MAX, "the peer refused us: %s",
			 gnutls_alert_get_name(gnutls_alert_get(session)));
		return;
	case GNUTLS_E_TIMEDOUT:
		snprintf(why, TLS_WHY_MAX,
			 "the peer said nothing for %u s: does it use --tls?",
			 TLS_TIMEOUT_MS / 1000);
		return;
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		snprintf(why, TLS_WHY_MAX, "the peer closed the connection: does it use --tls?");
		return;
	default:
		snprintf(why, TLS_WHY_MAX, "%s Does the peer use --tls?", gnutls_strerror(error));
	}
}

static int handshake(gnutls_session_t session)
{
	int ret;

	do {
		ret = gnutls_handshake(session);
	} while (ret < 0 && !gnutls_error_is_fatal(ret) &&
		 ret != GNUTLS_E_WARNING_ALERT_RECEIVED);
	return ret;
}

/*
 * Tell the peer what is wrong, and take what it still sends: a connection that is closed
 * with something unread is reset, and that can overtake the alert.
 */
static void refuse(gnutls_session_t session, int fd, int error)
{
	char rest[4096];
	int tries;

	if (gnutls_alert_send_appropriate(session, error))
		return;
	shutdown(fd, SHUT_WR);
	for (tries = 0; tries < LINGER_TRIES; tries++)
		if (pull_timeout((gnutls_transport_ptr_t)(long)fd, LINGER_MS) <= 0 ||
		    recv(fd, rest, sizeof(rest), 0) <= 0)
			break;
}

static int say_accepted(gnutls_session_t session)
{
	ssize_t n;

	do {
		n = gnutls_record_send(session, accepted, sizeof(accepted));
	} while (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_AGAIN);
	return n < 0 ? (int)n : 0;
}

static int hear_accepted(gnutls_session_t session)
{
	char got[sizeof(accepted)];
	ssize_t n;

	do {
		n = gnutls_record_recv(session, got, sizeof(got));
	} while (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_AGAIN);
	if (!n)
		return GNUTLS_E_PREMATURE_TERMINATION;
	if (n < 0)
		return (int)n;
	if (n != sizeof(got) || memcmp(got, accepted, sizeof(got)) ||
	    gnutls_record_check_pending(session))
		return GNUTLS_E_UNEXPECTED_PACKET;
	return 0;
}

/**
 * tls_handshake() - make a connection a kernel TLS socket
 * @tls: from tls_open()
 * @fd: the connection, blocking
 * @why: on failure: what is wrong, TLS_WHY_MAX bytes
 *
 * Does not wait longer than TLS_TIMEOUT_MS for anything the peer should say.
 *
 * Return: 0 or a negative errno.
 */
int tls_handshake(struct tls *tls, int fd, char *why)
{
	gnutls_session_t session;
	int ret;

	ret = prepare(tls, fd, &session);
	if (ret) {
		snprintf(why, TLS_WHY_MAX, "%s", gnutls_strerror(ret));
		return -ENOTSUP;
	}
	ret = handshake(session);
	if (!ret)
		ret = tls->options.listen ? say_accepted(session) : hear_accepted(session);
	if (ret) {
		explain(session, tls, ret, why);
		if (ret != GNUTLS_E_TIMEDOUT)
			refuse(session, fd, ret);
		ret = ret == GNUTLS_E_TIMEDOUT ? -ETIMEDOUT : -EACCES;
	} else {
		ret = ktls_start(session, fd, why);
	}
	gnutls_deinit(session);
	return ret;
}

/**
 * tls_library() - what TLS is done with
 */
const char *tls_library(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "GnuTLS %s", gnutls_check_version(NULL));
	return name;
}
