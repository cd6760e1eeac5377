/*
 * Job: a request of libcurl, from its options to its end.
 * Invariant: only the upstream's own host is dialled, by http and https, and no
 * address of this machine or link unless the URL has it itself.
 * The heart: transfer_set_up(), transfer_on_header() and transfer_on_body().
 */
#include "upstream/transfer.h"

#include "base/clock.h"
#include "base/log.h"
#include "upstream/address.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Headers that libcurl is not to add by itself. */
#define TRANSFER_NO_FIELDS "Expect:\nAccept:\nContent-Type:\n"

/* Least speed, below which a response counts as hanging. */
#define BYTES_A_SECOND 1L

static size_t
transfer_on_header(char *line, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	bool was_whole = transfer->head.is_whole;
	curl_off_t length = -1;

	if (upstream_headers_take(&transfer->head, line, size * count,
		clock_us() + clock_shift_us()) == -1)
		return 0;
	if (was_whole || !transfer->head.is_whole)
		return size * count;
	curl_easy_getinfo(
	    transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return transfer->events->head(transfer->arg, length) == -1
		   ? 0
		   : size * count;
}

static size_t
transfer_on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	int result;

	/* What is behind a head that is no final one is no body. */
	if (!transfer->head.is_whole) {
		transfer->head.is_bad = true;
		return 0;
	}
	result = transfer->events->body(transfer->arg, bytes, size * count);
	if (result == 0)
		return CURL_WRITEFUNC_PAUSE;
	return result == 1 ? size * count : 0;
}

/* A name must not lead to this machine, nor to what is next to it only: who
 * sets up the name's server would choose what we ask there. */
static curl_socket_t
transfer_on_socket(
    void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = arg;

	(void)purpose;
	if (!transfer->upstream->is_literal &&
	    address_is_near(&address->addr)) {
		transfer->is_forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC,
	    address->protocol);
}

/* libcurl would send a request once more, of any method, where a connection
 * that it had kept turns out to be closed.  Each that goes out is to be
 * charged, and what is no GET is sent once: the flight says what follows. */
static int
transfer_on_request(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct transfer *transfer = arg;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	transfer->is_again = transfer->is_out;
	transfer->is_out = true;
	return transfer->is_again ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* Append each line of ${lines} to the headers. */
static int
transfer_add_fields(
    struct transfer *transfer, const char *lines, size_t len, const char *end)
{
	const char *at = lines;

	while (at < lines + len) {
		const char *stop =
		    memmem(at, (size_t)(lines + len - at), end, strlen(end));
		size_t size =
		    stop ? (size_t)(stop - at) : (size_t)(lines + len - at);
		char *line = strndup(at, size);
		struct curl_slist *more =
		    line ? curl_slist_append(transfer->fields, line) : NULL;

		if (line)
			explicit_bzero(line, size);
		free(line);
		if (!more)
			return -1;
		transfer->fields = more;
		at += size + strlen(end);
	}
	return 0;
}

/* Ask whether what may be stale has changed. */
static int
transfer_add_validators(
    struct transfer *transfer, const struct stored_response *stored)
{
	struct buf lines = {0};
	int result = validators_add(&lines, stored->fields);

	if (result == 0 && buf_len(&lines) > 0)
		result = transfer_add_fields(
		    transfer, buf_data(&lines), buf_len(&lines), "\r\n");
	buf_free(&lines);
	return result;
}

static int
transfer_set_headers(struct transfer *transfer, const struct ask *ask,
    const struct stored_response *stored)
{
	const char *added = transfer->upstream->fields;

	if (transfer_add_fields(
		transfer, ask_fields(ask), ask->fields_len, "\r\n") == -1 ||
	    transfer_add_fields(transfer, added, strlen(added), "\n") == -1)
		return -1;
	if (stored && stored->freshness.has_validator &&
	    transfer_add_validators(transfer, stored) == -1)
		return -1;
	/* Without them libcurl would add its own. */
	return transfer_add_fields(
	    transfer, TRANSFER_NO_FIELDS, strlen(TRANSFER_NO_FIELDS), "\n");
}

static long
transfer_ms(int64_t us)
{
	int64_t ms = us / 1000;

	return ms < 1 ? 1 : ms < INT_MAX ? (long)ms : INT_MAX;
}

static void
transfer_set_body(struct transfer *transfer, const struct ask *ask)
{
	CURL *easy = transfer->easy;
	const char *body;
	size_t len;

	body = ask_body(ask, &len);
	if (strcmp(ask->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (len > 0 || strcmp(ask->method, "GET") != 0) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, ask->method);
}

static void
transfer_set_limits(struct transfer *transfer)
{
	const struct upstream_options *options = &transfer->upstream->options;
	CURL *easy = transfer->easy;
	long seconds = transfer_ms(options->timeout_us) / 1000 + 1;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Do not wait for a look-up that hangs: its thread ends by itself. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "dripgate/" VERSION);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)ASK_ROOM);
	curl_easy_setopt(
	    easy, CURLOPT_CONNECTTIMEOUT_MS, transfer_ms(options->timeout_us));
	curl_easy_setopt(
	    easy, CURLOPT_TIMEOUT_MS, transfer_ms(options->max_time_us));
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, BYTES_A_SECOND);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, seconds);
	if (*options->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
}

static int
transfer_set_up(struct transfer *transfer, const struct transfer_order *order)
{
	const struct ask *ask = order->ask;
	CURL *easy = transfer->easy;
	char *url;
	CURLcode result;

	if (asprintf(&url, "%s%s", transfer->upstream->options.url,
		order->target) == -1)
		return -1;
	result = curl_easy_setopt(easy, CURLOPT_URL, url);
	free(url);
	if (result || transfer_set_headers(transfer, ask, order->stored) == -1)
		return -1;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer->arg);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->fields);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, transfer_on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, transfer_on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, transfer_on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, transfer_on_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
	transfer_set_limits(transfer);
	transfer_set_body(transfer, ask);
	return 0;
}

int
transfer_open(struct transfer *transfer, struct curl_loop *curl,
    const struct transfer_order *order)
{
	transfer_close(transfer, curl);
	transfer->upstream = order->ask->upstream;
	transfer->events = order->events;
	transfer->arg = order->arg;
	transfer->sent_us = clock_us();
	transfer->easy = curl_easy_init();
	if (!transfer->easy || transfer_set_up(transfer, order) == -1 ||
	    curl_loop_add(curl, transfer->easy) == -1)
		return -1;
	return 0;
}

void
transfer_go_on(struct transfer *transfer)
{
	curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
}

enum transfer_end
transfer_end(const struct transfer *transfer, CURLcode result)
{
	const struct upstream_head *head = &transfer->head;

	if (result == CURLE_OK && head->is_whole)
		return TRANSFER_FINE;
	if (head->is_whole)
		return TRANSFER_CUT;
	if (head->is_bad || head->status != 0)
		return TRANSFER_BAD;
	switch ((int)result) {
	case CURLE_OPERATION_TIMEDOUT:
		return TRANSFER_LATE;
	case CURLE_UNSUPPORTED_PROTOCOL: /* no HTTP */
	case CURLE_WEIRD_SERVER_REPLY:
		return TRANSFER_BAD;
	default:
		return TRANSFER_LOST;
	}
}

void
transfer_say(const struct transfer *transfer, const struct upstream *upstream,
    CURLcode result)
{
	static struct log_limiter limiter;

	if (transfer->is_forbidden)
		log_limited(&limiter, LOG_LEVEL_WARNING,
		    "upstream %s: its name has an address of this machine or "
		    "link, which is not asked: write the address in its url, "
		    "if that is meant",
		    upstream->options.name);
	else if (transfer->is_again)
		log_limited(&limiter, LOG_LEVEL_WARNING,
		    "upstream %s: it closed a connection that it had kept open",
		    upstream->options.name);
	else if (result != CURLE_OK)
		log_limited(&limiter, LOG_LEVEL_WARNING, "upstream %s: %s",
		    upstream->options.name,
		    *transfer->error ? transfer->error
				     : curl_easy_strerror(result));
}

void
transfer_close(struct transfer *transfer, struct curl_loop *curl)
{
	if (transfer->easy) {
		curl_loop_remove(curl, transfer->easy);
		curl_easy_cleanup(transfer->easy);
	}
	for (struct curl_slist *at = transfer->fields; at; at = at->next)
		explicit_bzero(at->data, strlen(at->data));
	curl_slist_free_all(transfer->fields);
	upstream_headers_clear(&transfer->head);
	*transfer = (struct transfer){0};
}
