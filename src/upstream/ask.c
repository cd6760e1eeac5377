/*
 * Job: hands requests to the upstream thread, and responses back.
 * Invariant: an ask is freed by the upstream thread, after the worker's last
 * touch of it, which is ask_end(); and after that the port is not touched.
 * The heart: ask_order(), inbox_tell(); port.c carries what these note.
 */
#include "upstream/ask.h"

#include "upstream/upstream_headers.h"
#include "upstream/upstream_path.h"

#include <stdlib.h>
#include <string.h>

const struct upstream_fault_row upstream_faults[] = {
    [UPSTREAM_FINE] = {200, "", ""},
#define X(id, status, code, text) [UPSTREAM_FAULT_##id] = {status, code, text},
    UPSTREAM_FAULTS(X)
#undef X
};

const char *
ask_cache_name(enum ask_cache cache)
{
	static const char *const names[] = {
	    [ASK_BYPASS] = "bypass",
	    [ASK_MISS] = "miss",
	    [ASK_HIT] = "hit",
	    [ASK_STALE] = "stale",
	};

	return names[cache];
}

/*
 * The worker's calls.
 */

static void
ask_order(struct ask *ask, enum ask_order order, bool is_urgent)
{
	struct port *port = ask->port;

	if (ask->wanted == 0)
		TAILQ_INSERT_TAIL(&port->out, ask, out);
	ask->wanted |= order;
	port->over += !is_urgent;
	port->is_urgent |= is_urgent;
}

static enum upstream_fault
ask_check(const struct upstream *upstream, const struct ask_request *request)
{
	const struct upstream_options *options = &upstream->options;

	if (request->method.len > ASK_METHOD_MAX ||
	    !upstream_list_has(
		options->methods, request->method.bytes, request->method.len))
		return UPSTREAM_FAULT_METHOD;
	return (int64_t)request->body.len > options->max_body
		   ? UPSTREAM_FAULT_BODY
		   : UPSTREAM_FINE;
}

/* Find out whether it has to do with the cache.  Which user it is from shows
 * in what goes out: its login at us does not. */
static void
ask_control(struct ask_wanted *wanted, const struct upstream *upstream,
    const struct ask_request *request)
{
	wanted->is_cached = upstream->cache && request->body.len == 0 &&
			    (part_is(request->method, "GET") ||
				part_is(request->method, "HEAD"));
	if (!wanted->is_cached)
		return;
	request_control_read(
	    &wanted->control, &upstream->rules, request->fields);
	wanted->is_cached = !wanted->control.bypasses;
}

enum upstream_fault
ask_want(struct ask_wanted *wanted, const struct upstream *upstream,
    const struct ask_request *request)
{
	enum upstream_fault fault = ask_check(upstream, request);
	struct part value;
	char *room;

	if (fault)
		return fault;
	buf_consume(&wanted->bytes, buf_len(&wanted->bytes));
	room = buf_reserve(&wanted->bytes, request->target.len + 3);
	if (!room)
		return UPSTREAM_FAULT_MEMORY;
	if (!upstream_path_normalize(
		room, request->target.bytes, request->target.len))
		return UPSTREAM_FAULT_PATH;
	wanted->target_len = strlen(room);
	buf_commit(&wanted->bytes, wanted->target_len + 1);
	ask_control(wanted, upstream, request);
	if (upstream_headers_pick(&wanted->bytes, request->fields,
		upstream->options.request_headers,
		wanted->is_cached ? ASK_CONDITIONS : "") == -1)
		return UPSTREAM_FAULT_MEMORY;
	wanted->control.has_authorization =
	    headers_find(ask_wanted_fields(wanted), "authorization", &value);
	return UPSTREAM_FINE;
}

struct ask *
ask_new(struct port *port, struct upstream *upstream,
    const struct ask_wanted *wanted, const struct ask_request *request,
    struct stored_response *stored)
{
	struct ask *ask = calloc(1, sizeof(*ask));

	if (!ask)
		return NULL;
	ask->port = port;
	ask->upstream = upstream_ref(upstream);
	memcpy(ask->method, request->method.bytes, request->method.len);
	ask->target_len = wanted->target_len;
	ask->fields_len = ask_wanted_fields(wanted).len;
	ask->is_cached = wanted->is_cached;
	ask->control = wanted->control;
	ask->cache = wanted->is_cached ? ASK_MISS : ASK_BYPASS;
	if (buf_add(&ask->bytes, buf_data(&wanted->bytes),
		buf_len(&wanted->bytes)) == -1 ||
	    buf_add(&ask->bytes, request->body.bytes, request->body.len) ==
		-1) {
		ask_free(ask);
		return NULL;
	}
	ask->stored = stored ? response_ref(stored) : NULL;
	return ask;
}

void
ask_start(struct ask *ask, struct inbox *inbox,
    void (*news)(struct ask *ask, void *arg), void *arg)
{
	ask->inbox = inbox;
	ask->news = news;
	ask->arg = arg;
	ask_order(ask, ASK_START, true);
}

void
ask_start_refresh(struct ask *ask, struct inbox *inbox)
{
	ask->inbox = inbox;
	ask->is_over = ask->is_refresh = true;
	ask_order(ask, ASK_START, true);
}

/* Under the port's lock: take as much of the body as a client gets at a
 * time. */
static void
ask_take_body(struct ask *ask, struct ask_part *part)
{
	if (buf_len(&ask->body) <= 2 * ASK_ROOM) {
		part->body = ask->body;
		ask->body = (struct buf){0};
		return;
	}
	part->has_more = true;
	part->is_done = part->is_cut = false;
	if (buf_add(&part->body, buf_data(&ask->body), ASK_ROOM) == -1)
		part->is_done = part->is_cut = true;
	buf_consume(&ask->body, ASK_ROOM);
}

void
ask_take(struct ask *ask, struct ask_part *part)
{
	bool was_full;

	pthread_mutex_lock(&ask->port->lock);
	*part = (struct ask_part){.has_head = ask->has_head,
	    .status = ask->status,
	    .length = ask->length,
	    .head = ask->head,
	    .is_done = ask->is_done,
	    .is_cut = ask->is_cut,
	    .whole = ask->whole,
	    .cache = ask->cache,
	    .fault = ask->fault,
	    .retry_us = ask->retry_us};
	ask->has_head = false;
	ask->head = (struct buf){0};
	ask->whole = NULL;
	ask_take_body(ask, part);
	was_full = ask->is_full && !part->has_more;
	ask->is_full &= part->has_more;
	pthread_mutex_unlock(&ask->port->lock);
	if (was_full)
		ask_order(ask, ASK_GO_ON, true);
}

void
ask_end(struct ask *ask)
{
	bool is_urgent;

	if (!ask)
		return;
	pthread_mutex_lock(&ask->port->lock);
	/* Else there is nothing to stop, and little to free. */
	is_urgent =
	    !ask->is_done || ask->is_large || buf_len(&ask->bytes) > ASK_ROOM;
	ask->is_over = true;
	if (ask->is_new)
		TAILQ_REMOVE(&ask->port->news, ask, new);
	ask->is_new = false;
	pthread_mutex_unlock(&ask->port->lock);
	ask_order(ask, ASK_END, is_urgent);
}

/*
 * The upstream thread's calls.
 */

bool
ask_is_safe(const struct ask *ask)
{
	return upstream_list_has("GET HEAD", ask->method, strlen(ask->method));
}

/* Under the port's lock: have the worker look.  Return whether it is to be
 * woken for that. */
static bool
ask_tell(struct ask *ask)
{
	bool wakes = !ask->is_new && TAILQ_EMPTY(&ask->port->news);

	if (!ask->is_new)
		TAILQ_INSERT_TAIL(&ask->port->news, ask, new);
	ask->is_new = true;
	return wakes;
}

/* Lock its port.  Return whether the worker still wants to know: if not, it is
 * not locked. */
static bool
ask_lock(struct ask *ask)
{
	pthread_mutex_lock(&ask->port->lock);
	if (!ask->is_over)
		return true;
	pthread_mutex_unlock(&ask->port->lock);
	return false;
}

/* It has news, of which there may be more in this turn. */
static void
ask_unlock(struct ask *ask)
{
	pthread_mutex_unlock(&ask->port->lock);
	if (!ask->is_due)
		TAILQ_INSERT_TAIL(&ask->inbox->due, ask, due);
	ask->is_due = true;
}

static void
ask_leave_due(struct ask *ask)
{
	if (ask->is_due)
		TAILQ_REMOVE(&ask->inbox->due, ask, due);
	ask->is_due = false;
}

/* A worker is woken when another one has news, or all have theirs: mostly it
 * takes all of its own at once then. */
void
inbox_tell(struct inbox *inbox)
{
	struct port *woken = NULL;
	struct ask *ask;

	while ((ask = TAILQ_FIRST(&inbox->due))) {
		struct port *port = ask->port;
		bool wakes;

		ask_leave_due(ask);
		if (!ask_lock(ask))
			continue;
		wakes = ask_tell(ask);
		pthread_mutex_unlock(&port->lock);
		if (wakes && woken)
			loop_wake(woken->loop);
		if (wakes)
			woken = port;
	}
	if (woken)
		loop_wake(woken->loop);
}

void
ask_begin(struct ask *ask, int status, struct buf *head, int64_t length)
{
	if (!ask_lock(ask)) {
		buf_free(head);
		return;
	}
	ask->has_head = true;
	ask->status = status;
	ask->length = length;
	ask->head = *head;
	*head = (struct buf){0};
	ask_unlock(ask);
}

int
ask_add(struct ask *ask, const char *bytes, size_t len)
{
	int result = 0;

	if (!ask_lock(ask))
		return 1;
	ask->is_full =
	    buf_len(&ask->body) > 0 && buf_len(&ask->body) + len > ASK_ROOM;
	if (!ask->is_full)
		result = buf_add(&ask->body, bytes, len) == -1 ? -1 : 1;
	ask_unlock(ask);
	return result;
}

void
ask_put(struct ask *ask, struct buf *body)
{
	if (!ask_lock(ask)) {
		buf_free(body);
		return;
	}
	buf_free(&ask->body);
	ask->body = *body;
	*body = (struct buf){0};
	ask->is_large = true;
	ask_unlock(ask);
}

void
ask_give(struct ask *ask, struct stored_response *whole, enum ask_cache cache)
{
	if (!ask_lock(ask))
		return;
	ask->whole = response_ref(whole);
	ask->cache = cache;
	ask->is_done = true;
	ask_unlock(ask);
}

void
ask_finish(struct ask *ask, bool is_cut)
{
	if (!ask_lock(ask))
		return;
	ask->is_done = true;
	ask->is_cut = is_cut;
	ask_unlock(ask);
}

void
ask_fail(struct ask *ask, enum upstream_fault fault, int64_t retry_us)
{
	if (!ask_lock(ask))
		return;
	ask->fault = fault;
	ask->retry_us = retry_us;
	ask->is_done = true;
	ask_unlock(ask);
}

void
ask_free(struct ask *ask)
{
	ask_leave_due(ask);
	if (ask->bytes.bytes)
		explicit_bzero(ask->bytes.bytes, ask->bytes.cap);
	buf_free(&ask->bytes);
	buf_free(&ask->head);
	buf_free(&ask->body);
	response_unref(ask->stored);
	response_unref(ask->whole);
	upstream_unref(ask->upstream);
	free(ask);
}
