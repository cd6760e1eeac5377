#include "scarce.h"

#include "base/buf.h"
#include "base/clock.h"
#include "cli/interrupt.h"
#include "fake/fake.h"
#include "net/background.h"
#include "net/dial.h"
#include "net/loop.h"

#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static _Thread_local bool counting;
static bool stopped;
static unsigned long calls, failing;

void
scarce_begin(void)
{
	counting = !stopped;
}

void
scarce_end(void)
{
	counting = false;
}

void
scarce_stop(void)
{
	counting = false;
	stopped = true;
}

bool
scarce_fails(void)
{
	return failing > 0;
}

static bool
scarce_try(scarce_scenario *scenario, const void *arg, unsigned long at)
{
	bool done;

	calls = 0;
	failing = at;
	stopped = false;
	done = scenario(arg);
	scarce_end();
	return done;
}

/* Return how many failures were told. */
static unsigned long
scarce_try_all(scarce_scenario *scenario, const void *arg)
{
	unsigned long at = 0, told = 0;

	ck_assert(scarce_try(scenario, arg, 0));
	ck_assert_uint_gt(calls, 0);
	do {
		bool done = scarce_try(scenario, arg, ++at);

		told += !done;
		ck_assert(done || calls >= at);
	} while (calls >= at);
	return told;
}

void
scarce_each(scarce_scenario *scenario, const void *arg)
{
	ck_assert_uint_gt(scarce_try_all(scenario, arg), 0);
}

void
scarce_survive(scarce_scenario *scenario, const void *arg)
{
	(void)scarce_try_all(scenario, arg);
}

bool
scarce_is_turn(int error)
{
	if (!counting || ++calls != failing)
		return false;
	errno = error;
	return true;
}

/* Memory. */
WRAP(void *, malloc, (size_t size), (size), ENOMEM, NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), ENOMEM, NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), ENOMEM, NULL)
WRAP(void *, reallocarray, (void *old, size_t count, size_t size),
    (old, count, size), ENOMEM, NULL)
WRAP(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size),
    ENOMEM, NULL)
WRAP(char *, strdup, (const char *text), (text), ENOMEM, NULL)
WRAP(char *, strndup, (const char *text, size_t len), (text, len), ENOMEM, NULL)
WRAP(char *, buf_reserve, (struct buf * buf, size_t len), (buf, len), ENOMEM,
    NULL)
WRAP(int, buf_add, (struct buf * buf, const void *bytes, size_t len),
    (buf, bytes, len), ENOMEM, -1)
WRAP(struct loop *, loop_new, (const struct loop_events *events, void *arg),
    (events, arg), ENOMEM, NULL)
WRAP(int, loop_catch, (struct loop * loop, const int *numbers, size_t count),
    (loop, numbers, count), ENOMEM, -1)
WRAP(int, loop_start, (struct loop * loop), (loop), EAGAIN, -1)
WRAP(struct dialer *, dialer_new, (struct loop * loop), (loop), ENOMEM, NULL)
WRAP(struct background *, background_new,
    (struct loop * loop, const struct background_events *events, void *arg),
    (loop, events, arg), ENOMEM, NULL)
WRAP(int, background_start, (struct background * background), (background),
    EAGAIN, -1)
WRAP(redisReader *, redisReaderCreateWithFunctions,
    (redisReplyObjectFunctions * functions), (functions), ENOMEM, NULL)
WRAP(redisContext *, redisConnectUnixWithTimeout,
    (const char *path, const struct timeval patience), (path, patience), ENOMEM,
    NULL)
WRAP(int, redisvFormatCommand,
    (char **command, const char *format, va_list arguments),
    (command, format, arguments), ENOMEM, -1)
WRAP(EVP_MAC_CTX *, EVP_MAC_CTX_new, (EVP_MAC * mac), (mac), ENOMEM, NULL)
WRAP(int, EVP_MAC_init,
    (EVP_MAC_CTX * mac, const unsigned char *key, size_t len,
	const OSSL_PARAM parameters[]),
    (mac, key, len, parameters), ENOMEM, 0)
WRAP(unsigned char *, HMAC,
    (const EVP_MD *hash, const void *key, int key_len,
	const unsigned char *bytes, size_t len, unsigned char *to,
	unsigned *to_len),
    (hash, key, key_len, bytes, len, to, to_len), ENOMEM, NULL)

WRAP(void *, mmap,
    (void *at, size_t len, int protection, int flags, int fd, off_t offset),
    (at, len, protection, flags, fd, offset), ENOMEM, MAP_FAILED)
WRAP(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *method), (method), ENOMEM, NULL)
WRAP(SSL *, SSL_new, (SSL_CTX * context), (context), ENOMEM, NULL)
WRAP(int, SSL_set_fd, (SSL * ssl, int fd), (ssl, fd), ENOMEM, 0)

/* Room on the disk. */
WRAP(int, fsync, (int fd), (fd), ENOSPC, -1)
WRAP(int, fflush, (FILE * file), (file), ENOSPC, EOF)
WRAP(int, fclose, (FILE * file), (file), ENOSPC,
    (fclose(file), errno = ENOSPC, EOF))
WRAP(ssize_t, pwrite, (int fd, const void *bytes, size_t len, off_t at),
    (fd, bytes, len, at), ENOSPC, -1)
WRAP(int, renameat, (int dir, const char *from, int to_dir, const char *to),
    (dir, from, to_dir, to), ENOSPC, -1)
WRAP(int, rename, (const char *from, const char *to), (from, to), ENOSPC, -1)

WRAP(ssize_t, write, (int fd, const void *bytes, size_t len), (fd, bytes, len),
    ENOSPC, -1)
WRAP(int, unlink, (const char *path), (path), EIO, -1)

/* Descriptors, ports. */
WRAP(int, socket, (int domain, int type, int protocol),
    (domain, type, protocol), EMFILE, -1)
WRAP(int, bind, (int fd, const struct sockaddr *to, socklen_t len),
    (fd, to, len), EADDRINUSE, -1)
WRAP(int, listen, (int fd, int backlog), (fd, backlog), EADDRINUSE, -1)
WRAP(int, inotify_init1, (int flags), (flags), EMFILE, -1)
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), EMFILE,
    NULL)

enum wait_result __wrap_interrupt_wait(int fd, int64_t until_us);

/* Where only time is waited for, it passes at once. */
enum wait_result
__wrap_interrupt_wait(int fd, int64_t until_us)
{
	if (fd != -1)
		return interrupt_wait(fd, until_us);
	fake_stall(until_us - clock_us());
	return WAIT_TIMEOUT;
}

WRAP(CURL *, curl_easy_init, (void), (), ENOMEM, NULL)
WRAP(CURLM *, curl_multi_init, (void), (), ENOMEM, NULL)
WRAP(CURLU *, curl_url, (void), (), ENOMEM, NULL)
WRAP(struct curl_slist *, curl_slist_append,
    (struct curl_slist * list, const char *text), (list, text), ENOMEM, NULL)
WRAP(EVP_CIPHER *, EVP_CIPHER_fetch,
    (OSSL_LIB_CTX * library, const char *name, const char *properties),
    (library, name, properties), ENOMEM, NULL)
WRAP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void), (), ENOMEM, NULL)
WRAP(
    int, EVP_CIPHER_CTX_reset, (EVP_CIPHER_CTX * context), (context), ENOMEM, 0)
WRAP(int, EVP_CIPHER_CTX_ctrl,
    (EVP_CIPHER_CTX * context, int what, int number, void *with),
    (context, what, number, with), ENOMEM, 0)
WRAP(int, EVP_CipherInit_ex2,
    (EVP_CIPHER_CTX * context, const EVP_CIPHER *cipher,
	const unsigned char *key, const unsigned char *iv, int encrypts,
	const OSSL_PARAM *parameters),
    (context, cipher, key, iv, encrypts, parameters), ENOMEM, 0)
WRAP(int, EVP_CipherUpdate,
    (EVP_CIPHER_CTX * context, unsigned char *to, int *len,
	const unsigned char *from, int size),
    (context, to, len, from, size), ENOMEM, 0)

int __wrap_asprintf(char **text, const char *format, ...);
int __wrap_buf_printf(struct buf *buf, const char *format, ...);

__attribute__((format(printf, 2, 3))) int
__wrap_asprintf(char **text, const char *format, ...)
{
	va_list arguments;
	int len;

	if (scarce_is_turn(ENOMEM))
		return -1;
	va_start(arguments, format);
	len = vasprintf(text, format, arguments);
	va_end(arguments);
	return len;
}

__attribute__((format(printf, 2, 3))) int
__wrap_buf_printf(struct buf *buf, const char *format, ...)
{
	va_list arguments;
	char *text;
	int len;

	if (scarce_is_turn(ENOMEM))
		return -1;
	va_start(arguments, format);
	len = vasprintf(&text, format, arguments);
	va_end(arguments);
	ck_assert_int_ge(len, 0);
	len = buf_add(buf, text, (size_t)len);
	free(text);
	return len;
}
