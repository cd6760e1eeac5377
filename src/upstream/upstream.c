/*
 * Job: makes upstreams of their settings, and counts who uses them.
 * Invariant: what it has is its own: settings may change while a request that
 * went out by the old ones is on its way.
 * The heart: upstream_new() and upstream_set_adopt().
 */
#include "upstream/upstream.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/network.h"
#include "limit/key.h"
#include "upstream/block.h"
#include "upstream/credentials.h"
#include "upstream/upstream_headers.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Each of the options that is a text. */
#define UPSTREAM_TEXTS(X)                                                      \
	X(name)                                                                \
	X(url)                                                                 \
	X(ca_file)                                                             \
	X(methods)                                                             \
	X(request_headers)                                                     \
	X(response_headers)                                                    \
	X(fields)                                                              \
	X(credentials)                                                         \
	X(limit_key)

/* Reports what is wrong with one. */
struct upstream_blame {
	const char *name;
	struct reasons *reasons;
};

PRINTF_LIKE(3, 4)
static void
upstream_blame(const struct upstream_blame *blame, const char *setting,
    const char *format, ...)
{
	char reason[REASON_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	reasons_add(blame->reasons, "[upstream:%.64s] %s: %s", blame->name,
	    setting, reason);
}

bool
upstream_list_has(const char *list, const char *word, size_t len)
{
	while (*(list += strspn(list, " \t"))) {
		size_t next = strcspn(list, " \t");

		if (next == len && strncasecmp(list, word, len) == 0)
			return true;
		list += next;
	}
	return false;
}

/*
 * One upstream.
 */

/* Set what the URL says.  Return what is wrong with it, or NULL. */
static const char *
upstream_read_url(struct upstream *upstream, CURLU *url)
{
	char *scheme = NULL, *host = NULL, *extra = NULL;
	struct ip_address address;
	const char *wrong = NULL;

	if (curl_url_set(url, CURLUPART_URL, upstream->options.url, 0) ||
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(url, CURLUPART_HOST, &host, 0) ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		wrong = "must be http://HOST[:PORT][/PATH] or https://";
	else if (curl_url_get(url, CURLUPART_USER, &extra, 0) == 0)
		wrong = "has a user: use header.Authorization";
	else if (curl_url_get(url, CURLUPART_QUERY, &extra, 0) == 0 ||
		 curl_url_get(url, CURLUPART_FRAGMENT, &extra, 0) == 0)
		wrong = "must end with its path";
	else
		upstream->is_literal =
		    address_read(&address, host, strlen(host)) == 0;
	curl_free(scheme);
	curl_free(host);
	curl_free(extra);
	return wrong;
}

#define UPSTREAM_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* It is part of paths, of keys in Redis, of lines that are read. */
static void
upstream_check_name(const struct upstream_blame *blame)
{
	size_t len = strspn(blame->name, UPSTREAM_LETTERS "0123456789_-.");

	if (len == 0 || len > UPSTREAM_NAME_MAX || blame->name[len])
		upstream_blame(blame, "name", "is 1 to %d of A-Z a-z 0-9 _ - .",
		    UPSTREAM_NAME_MAX);
}

/* Its end is cut to what the path of a request, which begins with a slash, goes
 * behind. */
static void
upstream_check_url(
    struct upstream *upstream, const struct upstream_blame *blame)
{
	CURLU *url = curl_url();
	const char *wrong =
	    url ? upstream_read_url(upstream, url) : "out of memory";
	char *text = (char *)(uintptr_t)upstream->options.url;
	size_t len = strlen(text);

	curl_url_cleanup(url);
	if (wrong)
		upstream_blame(blame, "url", "%s", wrong);
	while (len > 0 && text[len - 1] == '/')
		text[--len] = '\0';
}

static bool
upstream_is_method(const char *word, size_t len)
{
	return strspn(word, UPSTREAM_LETTERS "-") >= len;
}

/* Each word of a list must be one that ${is_one} takes. */
static void
upstream_check_list(const struct upstream_blame *blame, const char *setting,
    const char *list, bool (*is_one)(const char *word, size_t len),
    const char *what)
{
	while (*(list += strspn(list, " \t"))) {
		size_t len = strcspn(list, " \t");

		if (!is_one(list, len))
			upstream_blame(blame, setting, "%.*s is no %s",
			    len < 60 ? (int)len : 60, list, what);
		list += len;
	}
}

/* libcurl reads it for each connection, and would say so then. */
static void
upstream_check_ca_file(
    const struct upstream *upstream, const struct upstream_blame *blame)
{
	const char *path = upstream->options.ca_file;

	if (*path && access(path, R_OK) == -1)
		upstream_blame(
		    blame, "ca_file", "%.200s: %s", path, file_error(errno));
}

static void
upstream_take_keys(
    struct upstream *upstream, const struct upstream_blame *blame)
{
	char *at = upstream->keys;

	while (*(at += strspn(at, " \t"))) {
		size_t len = strcspn(at, " \t");

		if (upstream->key_count == CHECK_KEYS_MAX) {
			upstream_blame(blame, "limit_key", "more than %d keys",
			    CHECK_KEYS_MAX);
			return;
		}
		if (!key_is_valid(at, len) ||
		    len > KEY_MAX - strlen(BLOCK_PREFIX))
			upstream_blame(blame, "limit_key", "%.*s is no key",
			    len < 60 ? (int)len : 60, at);
		upstream->key_list[upstream->key_count++] =
		    (struct check_key){.bytes = at, .len = len, .amount = 1};
		at += len;
	}
}

/* Return 0, or -1 (out of memory). */
static int
upstream_name_blocks(struct upstream *upstream)
{
	size_t more = strlen(BLOCK_PREFIX);
	size_t size = 1;
	char *to;

	for (unsigned i = 0; i < upstream->key_count; i++)
		size += more + upstream->key_list[i].len;
	upstream->block_keys = to = malloc(size);
	for (unsigned i = 0; to && i < upstream->key_count; i++) {
		struct check_key *block = &upstream->block_list[i];
		const struct check_key *key = &upstream->key_list[i];

		*block = block_question;
		block->bytes = to;
		block->len = more + key->len;
		memcpy(to, BLOCK_PREFIX, more);
		memcpy(to + more, key->bytes, key->len);
		to += block->len;
	}
	return upstream->block_keys ? 0 : -1;
}

static int
upstream_copy(struct upstream *upstream, const struct upstream_options *from)
{
	struct upstream_options *to = &upstream->options;
	bool fails = false;

	*to = *from;
#define X(member) fails |= !(to->member = strdup(from->member));
	UPSTREAM_TEXTS(X)
#undef X
	upstream->keys = strdup(from->limit_key);
	return fails || !upstream->keys ? -1 : 0;
}

/* Return 0, or -1 (out of memory). */
static int
upstream_open_cache(struct upstream *upstream)
{
	const struct upstream_options *options = &upstream->options;
	const struct cache_options cache = {.max_bytes = options->cache_bytes,
	    .max_entries = options->cache_entries};

	upstream->rules =
	    (struct freshness_rules){.most_us = options->cache_ttl_us,
		.default_us = options->cache_default_us,
		.stale_if_error_us = options->stale_if_error_us,
		.stale_while_revalidate_us = options->stale_while_revalidate_us,
		.keeps_private = options->cache_private,
		.obeys_clients = options->cache_client_control};
	if (options->cache == UPSTREAM_CACHE_OFF)
		return 0;
	upstream->cache = cache_new(&cache);
	return upstream->cache ? 0 : -1;
}

/* All of it in one text, by which two are compared. */
static int
upstream_describe(struct upstream *upstream)
{
	const struct upstream_options *o = &upstream->options;
	struct buf text = {0};
	int result = 0;

#define X(member) result |= buf_printf(&text, "%s\n", o->member);
	UPSTREAM_TEXTS(X)
#undef X
	result |= buf_printf(&text,
	    "%lld %lld %lld %lld %lld %lld %lld %lld %lld\n%s",
	    (long long)o->max_body, (long long)o->max_wait_us,
	    (long long)o->max_connections, (long long)o->timeout_us,
	    (long long)o->max_time_us, (long long)o->retries,
	    (long long)o->redirects, (long long)o->failures,
	    (long long)o->pause_us, upstream->fields);
	result |= buf_printf(&text, "%d %lld %lld %lld %lld %lld %lld %d %d",
	    (int)o->cache, (long long)o->cache_entries,
	    (long long)o->cache_bytes, (long long)o->cache_ttl_us,
	    (long long)o->cache_default_us, (long long)o->stale_if_error_us,
	    (long long)o->stale_while_revalidate_us, o->cache_private,
	    o->cache_client_control);
	result |= buf_add(&text, "", 1);
	upstream->text = result ? NULL : strdup(buf_data(&text));
	if (text.bytes)
		explicit_bzero(text.bytes, text.cap);
	buf_free(&text);
	return upstream->text ? 0 : -1;
}

static struct upstream *
upstream_new(const struct upstream_options *options, struct reasons *reasons)
{
	const struct upstream_blame blame = {options->name, reasons};
	struct upstream *upstream = calloc(1, sizeof(*upstream));
	size_t before = reasons->count;

	if (!upstream) {
		upstream_blame(&blame, "url", "out of memory");
		return NULL;
	}
	upstream->refs = 1;
	TAILQ_INIT(&upstream->queue);
	TAILQ_INIT(&upstream->line);
	if (upstream_copy(upstream, options) == -1) {
		upstream_blame(&blame, "url", "out of memory");
		upstream_unref(upstream);
		return NULL;
	}
	upstream_check_url(upstream, &blame);
	upstream_check_name(&blame);
	upstream_check_ca_file(upstream, &blame);
	upstream_check_list(
	    &blame, "methods", options->methods, upstream_is_method, "method");
	upstream_check_list(&blame, "request_headers", options->request_headers,
	    upstream_headers_may_pass, "header that can pass");
	if (strcmp(options->response_headers, "*") != 0)
		upstream_check_list(&blame, "response_headers",
		    options->response_headers, upstream_headers_may_pass,
		    "header that can pass");
	upstream_take_keys(upstream, &blame);
	upstream->fields = credentials_fill(options, reasons);
	if (reasons->count == before &&
	    (upstream_describe(upstream) == -1 ||
		upstream_name_blocks(upstream) == -1 ||
		upstream_open_cache(upstream) == -1))
		upstream_blame(&blame, "url", "out of memory");
	if (reasons->count == before)
		return upstream;
	upstream_unref(upstream);
	return NULL;
}

const char *
upstream_state_name(const struct upstream *upstream, int64_t now_us)
{
	if (upstream->is_failing)
		return "failing";
	return now_us < upstream->blocked_until_us ? "blocked" : "ready";
}

int64_t
upstream_again_us(const struct upstream *upstream, int64_t now_us)
{
	int64_t until_us = upstream->is_failing ? upstream->failing_until_us
						: upstream->blocked_until_us;

	return until_us > now_us ? until_us - now_us : 0;
}

struct upstream *
upstream_ref(struct upstream *upstream)
{
	upstream->refs++;
	return upstream;
}

static void
upstream_forget(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void
upstream_unref(struct upstream *upstream)
{
	if (!upstream || --upstream->refs > 0)
		return;
#define X(member) free((char *)(uintptr_t)upstream->options.member);
	UPSTREAM_TEXTS(X)
#undef X
	upstream_forget(upstream->fields);
	upstream_forget(upstream->text);
	cache_free(upstream->cache);
	free(upstream->keys);
	free(upstream->block_keys);
	free(upstream);
}

/*
 * Sets.
 */

struct upstream_set *
upstream_set_new(const struct upstream_options *options, size_t count,
    struct reasons *reasons)
{
	struct upstream_set *set =
	    calloc(1, sizeof(*set) + count * sizeof(set->items[0]));
	size_t before = reasons->count;

	if (!set) {
		reasons_add(reasons, "out of memory");
		return NULL;
	}
	set->refs = 1;
	for (size_t i = 0; i < count; i++) {
		struct upstream *upstream = upstream_new(&options[i], reasons);

		if (upstream)
			set->items[set->count++] = upstream;
	}
	if (reasons->count == before)
		return set;
	upstream_set_unref(set);
	return NULL;
}

/* When the same API wants to be asked again counts as well. */
static void
upstream_take_counts(struct upstream *upstream, const struct upstream *other)
{
	if (strcmp(upstream->options.url, other->options.url) == 0)
		upstream->blocked_until_us = other->blocked_until_us;
#define X(name, help) upstream->counts.name = other->counts.name;
	UPSTREAM_COUNTS(X)
#undef X
}

void
upstream_set_adopt(struct upstream_set *set, const struct upstream_set *old)
{
	for (size_t i = 0; set && i < set->count; i++) {
		struct upstream *own = set->items[i];
		struct upstream *other = upstream_set_find(
		    old, own->options.name, strlen(own->options.name));

		if (!other)
			continue;
		if (strcmp(own->text, other->text) != 0) {
			upstream_take_counts(own, other);
			continue;
		}
		set->items[i] = upstream_ref(other);
		upstream_unref(own);
	}
}

struct upstream_set *
upstream_set_ref(struct upstream_set *set)
{
	if (set)
		set->refs++;
	return set;
}

void
upstream_set_unref(struct upstream_set *set)
{
	if (!set || --set->refs > 0)
		return;
	for (size_t i = 0; i < set->count; i++)
		upstream_unref(set->items[i]);
	free(set);
}

struct upstream *
upstream_set_find(const struct upstream_set *set, const char *name, size_t len)
{
	for (size_t i = 0; set && i < set->count; i++)
		if (strlen(set->items[i]->options.name) == len &&
		    memcmp(set->items[i]->options.name, name, len) == 0)
			return set->items[i];
	return NULL;
}
