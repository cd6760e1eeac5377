/*
 * Job: has libcurl called when a socket of it is ready, or its time has come.
 * Invariant: no transfer is added or removed while libcurl calls us.
 * The heart: curl_loop_act().
 */
#include "upstream/curl_loop.h"

#include "net/io.h"
#include "net/timer.h"

#include <stdlib.h>

/* Connections that are kept for the next request. */
#define IDLE_MAX 256L

struct curl_loop {
	struct loop *loop;
	CURLM *multi;
	struct timer timer;
	bool is_due;     /* its time has come already */
	CURL *unwatched; /* a transfer with such a socket; NULL: none */
	curl_loop_done *done;
	void *arg;
};

/* One of its sockets. */
struct curl_socket {
	struct curl_loop *curl;
	curl_socket_t fd;
	int watched; /* CURL_POLL_IN, CURL_POLL_OUT, or both */
	struct io readable, writable;
};

static void
curl_loop_end(struct curl_loop *curl, CURL *easy, CURLcode result)
{
	void *transfer = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
	curl_loop_remove(curl, easy);
	curl->done(transfer, result, curl->arg);
}

static void
curl_loop_end_transfers(struct curl_loop *curl)
{
	const CURLMsg *message;
	int left;

	/* CURLMSG_DONE is the only one that there is. */
	while ((message = curl_multi_info_read(curl->multi, &left)))
		curl_loop_end(curl, message->easy_handle, message->data.result);
}

static void
curl_loop_act(struct curl_loop *curl, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(curl->multi, fd, what, &running);
	curl_loop_end_transfers(curl);
}

static void
curl_loop_on_fired(void *arg)
{
	curl_loop_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int
curl_loop_on_timer(CURLM *multi, long delay_ms, void *arg)
{
	struct curl_loop *curl = arg;

	(void)multi;
	curl->is_due = delay_ms == 0;
	if (delay_ms < 0)
		timer_stop(&curl->timer);
	else
		timer_set(&curl->timer, delay_ms * INT64_C(1000));
	return 0;
}

static void
curl_socket_on_readable(void *arg)
{
	const struct curl_socket *socket = arg;

	curl_loop_act(socket->curl, socket->fd, CURL_CSELECT_IN);
}

static void
curl_socket_on_writable(void *arg)
{
	const struct curl_socket *socket = arg;

	curl_loop_act(socket->curl, socket->fd, CURL_CSELECT_OUT);
}

static void
curl_socket_watch(struct curl_socket *socket, int what)
{
	int changes = socket->watched ^ what;

	if (changes & CURL_POLL_IN) {
		if (what & CURL_POLL_IN)
			io_start(
			    &socket->readable, curl_socket_on_readable, socket);
		else
			io_stop(&socket->readable);
	}
	if (changes & CURL_POLL_OUT) {
		if (what & CURL_POLL_OUT)
			io_start(
			    &socket->writable, curl_socket_on_writable, socket);
		else
			io_stop(&socket->writable);
	}
	socket->watched = what;
}

static struct curl_socket *
curl_socket_new(struct curl_loop *curl, curl_socket_t fd)
{
	struct curl_socket *socket = calloc(1, sizeof(*socket));

	if (!socket)
		return NULL;
	socket->curl = curl;
	socket->fd = fd;
	io_init(&socket->readable, curl->loop, fd, IO_READ);
	io_init(&socket->writable, curl->loop, fd, IO_WRITE);
	curl_multi_assign(curl->multi, fd, socket);
	return socket;
}

static int
curl_loop_on_socket(
    CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct curl_loop *curl = arg;
	struct curl_socket *socket = known;

	if (what == CURL_POLL_REMOVE) {
		if (socket)
			curl_socket_watch(socket, 0);
		free(socket);
		curl_multi_assign(curl->multi, fd, NULL);
		return 0;
	}
	if (!socket)
		socket = curl_socket_new(curl, fd);
	/* Of -1 libcurl would make the end of all transfers, and would still
	 * count this one when the next connection has the same descriptor. */
	if (socket)
		curl_socket_watch(socket, what);
	else
		curl->unwatched = easy;
	return 0;
}

struct curl_loop *
curl_loop_new(struct loop *loop, curl_loop_done *done, void *arg)
{
	struct curl_loop *curl = calloc(1, sizeof(*curl));

	if (!curl)
		return NULL;
	curl->loop = loop;
	curl->done = done;
	curl->arg = arg;
	timer_init(&curl->timer, loop, curl_loop_on_fired, curl);
	curl->multi = curl_multi_init();
	if (!curl->multi) {
		free(curl);
		return NULL;
	}
	curl_multi_setopt(
	    curl->multi, CURLMOPT_SOCKETFUNCTION, curl_loop_on_socket);
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
	curl_multi_setopt(
	    curl->multi, CURLMOPT_TIMERFUNCTION, curl_loop_on_timer);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
	curl_multi_setopt(curl->multi, CURLMOPT_MAXCONNECTS, IDLE_MAX);
	return curl;
}

void
curl_loop_free(struct curl_loop *curl)
{
	if (!curl)
		return;
	curl_multi_cleanup(curl->multi);
	timer_stop(&curl->timer);
	free(curl);
}

int
curl_loop_add(struct curl_loop *curl, CURL *easy)
{
	return curl_multi_add_handle(curl->multi, easy) == CURLM_OK ? 0 : -1;
}

void
curl_loop_run(struct curl_loop *curl)
{
	/* The timer, which is set to now, stays set unless libcurl moves it. */
	if (curl->is_due) {
		curl->is_due = false;
		curl_loop_act(curl, CURL_SOCKET_TIMEOUT, 0);
	}
	if (curl->unwatched)
		curl_loop_end(curl, curl->unwatched, CURLE_OUT_OF_MEMORY);
}

void
curl_loop_remove(struct curl_loop *curl, CURL *easy)
{
	curl_multi_remove_handle(curl->multi, easy);
	if (curl->unwatched == easy)
		curl->unwatched = NULL;
}
