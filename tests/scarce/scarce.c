#include "scarce.h"

#include "base/buf.h"

#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static bool
scarce_is_turn(void)
{
	if (!counting || ++calls != failing)
		return false;
	errno = ENOMEM;
	return true;
}

/* What src/ calls in place of ${name}. */
#define WRAP(type, name, parameters, arguments, failed)                        \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		return scarce_is_turn() ? failed : name arguments;             \
	}

WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NULL)
WRAP(void *, reallocarray, (void *old, size_t count, size_t size),
    (old, count, size), NULL)
WRAP(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size),
    NULL)
WRAP(char *, strdup, (const char *text), (text), NULL)
WRAP(char *, strndup, (const char *text, size_t len), (text, len), NULL)
WRAP(char *, buf_reserve, (struct buf * buf, size_t len), (buf, len), NULL)
WRAP(int, buf_add, (struct buf * buf, const void *bytes, size_t len),
    (buf, bytes, len), -1)

WRAP(CURL *, curl_easy_init, (void), (), NULL)
WRAP(CURLM *, curl_multi_init, (void), (), NULL)
WRAP(CURLU *, curl_url, (void), (), NULL)
WRAP(struct curl_slist *, curl_slist_append,
    (struct curl_slist * list, const char *text), (list, text), NULL)
WRAP(EVP_CIPHER *, EVP_CIPHER_fetch,
    (OSSL_LIB_CTX * library, const char *name, const char *properties),
    (library, name, properties), NULL)
WRAP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void), (), NULL)
WRAP(int, nghttp2_session_callbacks_new,
    (nghttp2_session_callbacks * *callbacks), (callbacks), NGHTTP2_ERR_NOMEM)
WRAP(int, nghttp2_option_new, (nghttp2_option * *option), (option),
    NGHTTP2_ERR_NOMEM)
WRAP(int, EVP_CIPHER_CTX_reset, (EVP_CIPHER_CTX * context), (context), 0)
WRAP(int, EVP_CIPHER_CTX_ctrl,
    (EVP_CIPHER_CTX * context, int what, int number, void *with),
    (context, what, number, with), 0)
WRAP(int, EVP_CipherInit_ex2,
    (EVP_CIPHER_CTX * context, const EVP_CIPHER *cipher,
	const unsigned char *key, const unsigned char *iv, int encrypts,
	const OSSL_PARAM *parameters),
    (context, cipher, key, iv, encrypts, parameters), 0)
WRAP(int, EVP_CipherUpdate,
    (EVP_CIPHER_CTX * context, unsigned char *to, int *len,
	const unsigned char *from, int size),
    (context, to, len, from, size), 0)

int __wrap_asprintf(char **text, const char *format, ...);
int __wrap_buf_printf(struct buf *buf, const char *format, ...);

__attribute__((format(printf, 2, 3))) int
__wrap_asprintf(char **text, const char *format, ...)
{
	va_list arguments;
	int len;

	if (scarce_is_turn())
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

	if (scarce_is_turn())
		return -1;
	va_start(arguments, format);
	len = vasprintf(&text, format, arguments);
	va_end(arguments);
	ck_assert_int_ge(len, 0);
	len = buf_add(buf, text, (size_t)len);
	free(text);
	return len;
}
