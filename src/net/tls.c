/*
 * Connections by OpenSSL, on descriptors that do not block.
 * No key or certificate is read while a connection is made: contexts have them.
 * The heart is tls_finish(), which makes an errno of what OpenSSL says.
 */
#include "net/tls.h"

#include "base/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct tls_context {
	pthread_mutex_t lock; /* of ${ssl} */
	SSL_CTX *ssl;
	char *server_name; /* "": the host dialled */
	bool checks_name;
};

struct tls {
	SSL *ssl;
	bool wants_write;
	char reason[160];
};

/*
 * Contexts.
 */

/* The text of the oldest error of OpenSSL in this thread; all are forgotten. */
static const char *
tls_error(void)
{
	unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text ? text : "unknown error";
}

static int
tls_blame_file(struct reasons *reasons, const char *where, const char *setting,
    const char *path, const char *reason)
{
	reasons_add(reasons, "%s %s: %s: %s", where, setting, path, reason);
	return -1;
}

/* Whether the file can be read at all: OpenSSL's own errors say less. */
static int
tls_check_file(struct reasons *reasons, const char *where, const char *setting,
    const char *path)
{
	size_t len;
	char *bytes = file_read(path, &len);

	if (!bytes)
		return tls_blame_file(
		    reasons, where, setting, path, file_error(errno));
	OPENSSL_cleanse(bytes, len);
	free(bytes);
	return 0;
}

/* Whether the peer must have a certificate. */
static bool
tls_asks(enum tls_role role, const struct tls_options *options)
{
	return role == TLS_SERVER ? *options->ca_file : options->verify;
}

static int
tls_load_trusted(SSL_CTX *ssl, enum tls_role role,
    const struct tls_options *options, const char *where,
    struct reasons *reasons)
{
	const char *setting = role == TLS_SERVER ? "client_ca_file" : "ca_file";
	const char *path = options->ca_file;

	if (!tls_asks(role, options))
		return 0;
	SSL_CTX_set_verify(
	    ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (role == TLS_CLIENT_PINNED)
		X509_VERIFY_PARAM_set_flags(
		    SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
	if (!*path) {
		SSL_CTX_set_default_verify_paths(ssl);
		return 0;
	}
	if (tls_check_file(reasons, where, setting, path) == -1)
		return -1;
	if (SSL_CTX_load_verify_locations(ssl, path, NULL) == 1)
		return 0;
	return tls_blame_file(
	    reasons, where, "ca_file", path, "holds no certificate in PEM");
}

static int
tls_load_key(SSL_CTX *ssl, const char *path, const char *setting,
    const char *where, struct reasons *reasons)
{
	if (tls_check_file(reasons, where, setting, path) == -1)
		return -1;
	if (SSL_CTX_use_PrivateKey_file(ssl, path, SSL_FILETYPE_PEM) == 1)
		return 0;
	/* The key was read and is that of another certificate, or was not. */
	if (ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH)
		return tls_blame_file(reasons, where, setting, path,
		    "is not the key of the certificate in cert_file");
	return tls_blame_file(reasons, where, setting, path,
	    "holds no private key in PEM without a passphrase");
}

static int
tls_load_own(SSL_CTX *ssl, const struct tls_options *options, const char *where,
    struct reasons *reasons)
{
	const char *path = options->cert_file;

	if (!*path && !*options->key_file)
		return 0;
	if (!*path) {
		reasons_add(
		    reasons, "%s key_file: has no cert_file beside it", where);
		return -1;
	}
	if (tls_check_file(reasons, where, "cert_file", path) == -1)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(ssl, path) != 1)
		return tls_blame_file(reasons, where, "cert_file", path,
		    "holds no certificate in PEM");
	if (*options->key_file)
		return tls_load_key(
		    ssl, options->key_file, "key_file", where, reasons);
	return tls_load_key(ssl, path, "cert_file", where, reasons);
}

/* No one is there to be asked for a passphrase. */
static int
tls_no_passphrase(char *to, int size, int rwflag, void *arg)
{
	(void)to;
	(void)size;
	(void)rwflag;
	(void)arg;
	return 0;
}

/* By ALPN, HTTP/2 is for those who have nothing else: of it, there is gRPC
 * only, and not even that if the Makefile was told so.  A client that offers
 * neither goes on without. */
static int
tls_choose_protocol(SSL *ssl, const unsigned char **chosen,
    unsigned char *chosen_len, const unsigned char *offered,
    unsigned offered_len, void *arg)
{
#define X(name) "\x02h2"
	static const unsigned char ours[] = "\x08http/1.1" PROTOCOLS_CHOSEN(X);
#undef X

	(void)ssl;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)chosen,
		   chosen_len, ours, sizeof(ours) - 1, offered,
		   offered_len) == OPENSSL_NPN_NEGOTIATED
		   ? SSL_TLSEXT_ERR_OK
		   : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *
tls_load(enum tls_role role, const struct tls_options *options,
    const char *where, struct reasons *reasons)
{
	static const unsigned char name[] = "dripgate";
	SSL_CTX *ssl = SSL_CTX_new(
	    role == TLS_SERVER ? TLS_server_method() : TLS_client_method());

	if (!ssl) {
		reasons_add(reasons, "%s tls: %s", where, tls_error());
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	/* What a length precedes cannot be cut without being noticed. */
	SSL_CTX_set_options(
	    ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
	if (role == TLS_SERVER)
		SSL_CTX_set_alpn_select_cb(ssl, tls_choose_protocol, NULL);
	/* Of servers that ask for certificates, to resume sessions. */
	SSL_CTX_set_session_id_context(ssl, name, sizeof(name) - 1);
	SSL_CTX_set_read_ahead(ssl, 1);
	SSL_CTX_set_default_passwd_cb(ssl, tls_no_passphrase);
	ERR_clear_error();
	if (tls_load_trusted(ssl, role, options, where, reasons) == 0 &&
	    tls_load_own(ssl, options, where, reasons) == 0)
		return ssl;
	ERR_clear_error();
	SSL_CTX_free(ssl);
	return NULL;
}

struct tls_context *
tls_context_new(enum tls_role role, const struct tls_options *options,
    const char *where, struct reasons *reasons)
{
	struct tls_context *context = calloc(1, sizeof(*context));
	const char *name = role == TLS_CLIENT ? options->server_name : "";

	if (!context || !(context->server_name = strdup(name)))
		reasons_add(reasons, "%s tls: %s", where, strerror(ENOMEM));
	else
		context->ssl = tls_load(role, options, where, reasons);
	if (context && context->ssl) {
		context->checks_name = role == TLS_CLIENT && options->verify;
		pthread_mutex_init(&context->lock, NULL);
		return context;
	}
	if (context)
		free(context->server_name);
	free(context);
	return NULL;
}

void
tls_context_free(struct tls_context *context)
{
	if (!context)
		return;
	pthread_mutex_destroy(&context->lock);
	SSL_CTX_free(context->ssl);
	free(context->server_name);
	free(context);
}

void
tls_context_renew(struct tls_context *context, struct tls_context *renewed)
{
	SSL_CTX *ssl;

	pthread_mutex_lock(&context->lock);
	ssl = context->ssl;
	context->ssl = renewed->ssl;
	pthread_mutex_unlock(&context->lock);
	renewed->ssl = ssl;
}

/*
 * Connections.
 */

static SSL *
tls_new_connection(struct tls_context *context)
{
	SSL *ssl;

	pthread_mutex_lock(&context->lock);
	ssl = SSL_new(context->ssl);
	pthread_mutex_unlock(&context->lock);
	return ssl;
}

static bool
tls_is_address(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 ||
	       inet_pton(AF_INET6, host, address) == 1;
}

/* Say whose certificate is expected.  A server may have several: a name is sent
 * to it, an address is not (RFC 6066, 3). */
static bool
tls_expect(SSL *ssl, const char *host, bool verify)
{
	if (tls_is_address(host))
		return !verify || X509_VERIFY_PARAM_set1_ip_asc(
				      SSL_get0_param(ssl), host) == 1;
	if (*host && SSL_set_tlsext_host_name(ssl, host) != 1)
		return false;
	return !verify || SSL_set1_host(ssl, host) == 1;
}

struct tls *
tls_connect(struct tls_context *context, int fd, const char *host)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return NULL;
	if (*context->server_name)
		host = context->server_name;
	tls->ssl = tls_new_connection(context);
	if (tls->ssl && SSL_set_fd(tls->ssl, fd) == 1 &&
	    tls_expect(tls->ssl, host, context->checks_name)) {
		SSL_set_connect_state(tls->ssl);
		return tls;
	}
	ERR_clear_error();
	tls_free(tls);
	return NULL;
}

struct tls *
tls_accept(struct tls_context *context, int fd)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return NULL;
	tls->ssl = tls_new_connection(context);
	if (tls->ssl && SSL_set_fd(tls->ssl, fd) == 1) {
		SSL_set_accept_state(tls->ssl);
		return tls;
	}
	ERR_clear_error();
	tls_free(tls);
	return NULL;
}

/* A server that does not speak TLS replies with what is no record of it; one
 * whose certificate is refused, with a result of its verification. */
static void
tls_explain(struct tls *tls)
{
	long verified = SSL_get_verify_result(tls->ssl);
	int reason = ERR_GET_REASON(ERR_peek_error());

	if (verified != X509_V_OK)
		snprintf(tls->reason, sizeof(tls->reason),
		    "TLS: the server's certificate is refused: %s",
		    X509_verify_cert_error_string(verified));
	else if (reason == SSL_R_WRONG_VERSION_NUMBER)
		snprintf(tls->reason, sizeof(tls->reason),
		    "TLS: the server does not speak it (tls = no?)");
	else
		snprintf(
		    tls->reason, sizeof(tls->reason), "TLS: %s", tls_error());
	ERR_clear_error();
}

/* What read(2) would return for ${result} of OpenSSL. */
static ssize_t
tls_finish(struct tls *tls, int result)
{
	int error = errno;

	tls->wants_write = false;
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_WRITE:
		tls->wants_write = true;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_WANT_READ:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		errno = error;
		return error ? -1 : 0;
	default:
		tls_explain(tls);
		errno = EPROTO;
		return -1;
	}
}

static int
tls_count(size_t len)
{
	return len < INT_MAX ? (int)len : INT_MAX;
}

ssize_t
tls_read(struct tls *tls, void *to, size_t len)
{
	size_t filled = 0;

	do {
		int count;

		errno = 0;
		count = SSL_read(
		    tls->ssl, (char *)to + filled, tls_count(len - filled));
		if (count <= 0 && filled == 0)
			return tls_finish(tls, count);
		/* An error is found again by the next call. */
		if (count <= 0)
			break;
		filled += (size_t)count;
	} while (filled < len && SSL_has_pending(tls->ssl));
	ERR_clear_error();
	return (ssize_t)filled;
}

ssize_t
tls_peek(struct tls *tls, void *to, size_t len)
{
	int count;

	errno = 0;
	count = SSL_peek(tls->ssl, to, tls_count(len));
	return count > 0 ? count : tls_finish(tls, count);
}

ssize_t
tls_write(struct tls *tls, const void *from, size_t len)
{
	int count;

	errno = 0;
	count = SSL_write(tls->ssl, from, tls_count(len));
	if (count > 0)
		return count;
	if (tls_finish(tls, count) == 0)
		errno = EPIPE; /* the peer left; 0 would be tried again */
	return -1;
}

bool
tls_wants_write(const struct tls *tls)
{
	return tls->wants_write;
}

bool
tls_is_ready(const struct tls *tls)
{
	return SSL_is_init_finished(tls->ssl);
}

void
tls_peer_name(const struct tls *tls, char *to, size_t size)
{
	X509 *peer = SSL_get1_peer_certificate(tls->ssl);
	const X509_NAME *subject = peer ? X509_get_subject_name(peer) : NULL;
	int at = subject
		     ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
		     : -1;
	unsigned char *text = NULL;
	int len = -1;

	to[0] = '\0';
	if (at != -1 && SSL_get_verify_result(tls->ssl) == X509_V_OK)
		len = ASN1_STRING_to_UTF8(&text,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	/* A NUL within would hide what follows. */
	if (len > 0 && (size_t)len < size && !memchr(text, '\0', (size_t)len)) {
		memcpy(to, text, (size_t)len);
		to[len] = '\0';
	}
	OPENSSL_free(text);
	X509_free(peer);
	ERR_clear_error();
}

const char *
tls_reason(const struct tls *tls)
{
	return tls->reason;
}

void
tls_shutdown(struct tls *tls)
{
	if (tls_is_ready(tls))
		SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

void
tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	free(tls);
}
