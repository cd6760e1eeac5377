/*
 * Serves the clients of one worker in turn, and sends their responses at the
 * turn's end.  Invariant: nothing but conns_flush() and conns_clear() frees a
 * client.  The heart: conns_serve() and conns_flush().
 */
#include "server/conn_internal.h"

#include "base/clock.h"
#include "server/move.h"

#include <stdlib.h>
#include <unistd.h>

/* End the turn of the loop after serving clients for this long, so that timers
 * and Redis get theirs.  A client that used up its quantum ends it, too:
 * others, who ask for little, may have come meanwhile. */
#define TURN_US INT64_C(2000)

int
conns_init(struct conns *conns, struct loop *loop, struct gate *gate,
    struct clients *clients)
{
	const struct gateway_options *options = gate->gateway->options;

	*conns = (struct conns){
	    .loop = loop,
	    .gate = gate,
	    .clients = clients,
	    .slots = {.gate = gate, .clients = clients},
	    .sessions = {.inline_limits = options->inline_limits,
		.http_hosts = options->http_hosts,
		.http_headers = options->http_headers,
		.grpc_headers = options->grpc_headers,
		.grpc_charge_all = options->grpc_charge_all,
		.grpc_denied_body = options->grpc_denied_body,
		.client_header = options->client_header,
		.trusted = &conns->trusted,
		.tries = clients->tries,
		.gate = gate},
	};
	if (options->trusted_proxies)
		networks_read(&conns->trusted, options->trusted_proxies);
	feeds_init(&conns->slots.feeds, loop);
	TAILQ_INIT(&conns->all);
	TAILQ_INIT(&conns->due);
	scheduler_init(&conns->scheduler);
	overload_init(&conns->overload, gate->worker, gate->counters);
	conns->scratch = malloc(PROTOCOL_HELD_MAX + CONN_READ_LEN);
	return conns->scratch ? gather_open(&conns->gather, loop) : -1;
}

void
conns_update_users(struct conns *conns)
{
	struct clients *clients = conns->clients;
	struct users *old = conns->sessions.users;

	if (clients->users_generation == (old ? old->generation : 0))
		return;
	pthread_mutex_lock(&clients->users_lock);
	conns->sessions.users = users_ref(clients->users);
	pthread_mutex_unlock(&clients->users_lock);
	users_unref(old);
}

static void
conns_note_turn(struct conns *conns, int64_t now_us)
{
	bool full = !gate_has_room(conns->gate);

	if (full && conns->scheduler.count > 0)
		conns->full_us = now_us;
	overload_note_turn(&conns->overload, conns->scheduler.count, full);
}

void
conns_serve(struct conns *conns)
{
	struct task *task;
	int64_t start_us, now_us;

	if (scheduler_is_empty(&conns->scheduler)) {
		overload_note_turn(&conns->overload, 0, false);
		return;
	}
	start_us = now_us = clock_us();
	while (!conns->quantum_over && now_us - start_us < TURN_US &&
	       gate_has_room(conns->gate) &&
	       (task = scheduler_next(&conns->scheduler))) {
		struct conn *conn = CONTAINER_OF(task, struct conn, task);
		int64_t spent_us;

		overload_note_wait(&conns->overload,
		    now_us - conn->waits_since_us,
		    conn->waits_since_us <= conns->full_us);
		conns->serving_since_us = now_us;
		conns->quantum_over = false;
		conn->served_look = conns->drain_looks;
		conn_serve(conn);
		now_us = clock_us();
		spent_us = now_us - conns->serving_since_us;
		scheduler_charge(task, spent_us);
		move_note_served(conn, spent_us);
	}
	conns->quantum_over = false;
	conns_note_turn(conns, now_us);
}

bool
conns_flush(struct conns *conns)
{
	struct conn_list due = TAILQ_HEAD_INITIALIZER(due);
	struct conn *conn;

	gather_release(conns);
	TAILQ_CONCAT(&due, &conns->due, due);
	while ((conn = TAILQ_FIRST(&due))) {
		if (!gather_hold(conn))
			conn_flush(conn);
		TAILQ_REMOVE(&due, conn, due);
		conn->is_due = false;
		if (conn->state == CONN_DEAD)
			conn_free(conn);
		else if (!conn_move(conn) && conn_can_go_on(conn))
			conn_schedule(conn);
	}
	gather_set_timer(conns);
	return !scheduler_is_empty(&conns->scheduler) &&
	       gate_has_room(conns->gate);
}

void
conns_clear(struct conns *conns)
{
	struct conn *next;

	for (struct conn *conn = TAILQ_FIRST(&conns->all); conn; conn = next) {
		next = TAILQ_NEXT(conn, all);
		conn_free(conn);
	}
	gather_close(&conns->gather);
	rooms_clear(&conns->rooms);
	slot_cache_clear(&conns->slots);
	session_common_clear(&conns->sessions);
	for (size_t i = 0; i < conns->handover_count; i++)
		close(conns->handover[i]);
	free(conns->handover);
	free(conns->scratch);
}
