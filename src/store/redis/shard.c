/*
 * Takes queries, gathers them in batches, sends a batch as one call of a script
 * and gives each query its result.  Every query in an open batch, a waiting one
 * or one in flight gets its result exactly once, within socket_timeout.  The
 * heart: shard_query(), shard_flush(), shard_on_reply().
 */
#include "store/redis/shard.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/probe.h"
#include "net/timer.h"
#include "redis/reply.h"
#include "store/mates.h"
#include "store/redis/batches.h"
#include "store/redis/presence.h"
#include "store/redis/redirects.h"
#include "store/redis/server_clock.h"
#include "store/redis/window.h"

#include <stdlib.h>
#include <string.h>

struct shard {
	const struct shard_common *common;
	size_t place;                     /* of its server in the topology */
	struct link_options link_options; /* the common ones, for its server */
	struct link *link;
	struct presence presence;
	struct script_calls calls;

	struct batches batches;
	unsigned inflight;
	struct redirects redirects; /* by the nodes of a cluster */

	struct batch_proofs proofs;

	unsigned pending;   /* queries without a result */
	unsigned window;    /* of those, the most before it has no room */
	struct timer timer; /* the first deadline, while set */
	struct server_clock clock;
	struct log_limiter limiter; /* of warnings about replies */
};

static void
shard_abandon(struct shard *shard, struct batch *batch, enum unavailable why)
{
	shard->pending -= batch->queries;
	batch_abandon(batch, why);
}

static void
shard_give_up(struct shard *shard, struct batch *batch, enum unavailable why)
{
	shard_abandon(shard, batch, why);
	batches_recycle(&shard->batches, batch);
}

/* Except those in flight. */
static void
shard_give_up_all(struct shard *shard)
{
	struct batch *batch;

	while ((batch = batches_next(&shard->batches)))
		shard_give_up(shard, batch, UNAVAILABLE_DOWN);
}

static void
shard_set_timer(struct shard *shard, int64_t deadline_us)
{
	timer_set(&shard->timer, deadline_us - clock_us());
}

/* Queries that waited too long get their result now.  Sent batches stay in
 * flight, and their replies will be ignored; the link finds out whether the
 * server still replies.  Batches that were not sent never will be, since no
 * query waits for them. */
static void
shard_on_deadline(void *arg)
{
	struct shard *shard = arg;
	struct batch *batch;
	int64_t now_us = clock_us();

	TAILQ_FOREACH (batch, &shard->batches.ages, age) {
		if (batch->deadline_us > now_us)
			break;
		/* A result may lead to another query, which must not join a
		 * batch that is being abandoned.  Nor one that such a query
		 * has opened, whose time is up already in a long turn. */
		batches_seal_old(&shard->batches, now_us);
		if (batch->queries > 0)
			server_count(&shard->presence.server
					  ->errors[SERVER_ERROR_TIMEOUT]);
		shard_abandon(shard, batch, UNAVAILABLE_TIMEOUT);
	}
	if (batch)
		shard_set_timer(shard, batch->deadline_us);
}

static void
shard_warn(struct shard *shard, const struct batch *batch, const char *what,
    const char *error)
{
	char text[REPLY_EXPLAIN_MAX];

	log_limited(&shard->limiter, LOG_LEVEL_WARNING, "redis %s: %s%s",
	    link_name(shard->link), what,
	    reply_explain(error, strlen(error), batch->call.script, text));
}

static void
shard_on_up(void *arg)
{
	struct shard *shard = arg;

	memset(shard->proofs.proven, 0, sizeof(shard->proofs.proven));
	presence_up(&shard->presence);
}

static void
shard_on_down(void *arg)
{
	struct shard *shard = arg;

	presence_down(&shard->presence);
	shard->redirects.moved_to.port = 0;
	shard_give_up_all(shard);
}

/* Whether the batch went to this server, and not where that sent it. */
static bool
shard_is_own(const struct shard *shard, const struct batch *batch)
{
	return batch->call.calls == &shard->calls;
}

static void
shard_on_refused(
    struct shard *shard, struct batch *batch, const redisReply *reply)
{
	server_count(&shard->presence.server->errors[SERVER_ERROR_REFUSED]);
	shard_warn(shard, batch, "", reply->str);
	shard_give_up(shard, batch, UNAVAILABLE_REFUSED);
	if (shard_is_own(shard, batch) && reply_is_wrong_server(reply))
		link_drop(shard->link, reply->str);
}

/* Learn from how long the batch took. */
static void
shard_adapt(struct shard *shard, const struct batch *batch)
{
	int64_t timeout_us = shard->link_options.socket_timeout_us;

	shard->window = window_adapt(shard->window, shard->pending,
	    clock_us() - batch->deadline_us + timeout_us, timeout_us);
}

/* The server decided between the opening of the batch and now. */
static void
shard_look_at_clock(struct shard *shard, const struct batch *batch)
{
	const struct shard_common *common = shard->common;
	int64_t opened_us =
	    batch->deadline_us - shard->link_options.socket_timeout_us;
	int64_t back_us = server_clock_look(
	    &shard->clock, batch->decided_us, opened_us, clock_us());

	if (back_us > 0)
		common->events->set_back(
		    common->arg, shard->place, back_us, shard->clock.since_us);
}

/* The server has done its work. */
static void
shard_trust(struct shard *shard, const struct batch *batch)
{
	shard_look_at_clock(shard, batch);
	shard->proofs.proven[batches_kind_of(batch)] = true;
	link_proven(shard->link);
}

static void
shard_on_results(
    struct shard *shard, struct batch *batch, const redisReply *reply)
{
	const char *foreign = NULL;
	unsigned queries = batch->queries;
	int strange;

	shard_adapt(shard, batch);
	strange = batch_take_reply(batch, reply, &foreign);
	shard->pending -= queries - batch->queries;
	if (strange == -1) {
		server_count(
		    &shard->presence.server->errors[SERVER_ERROR_FOREIGN]);
		shard_give_up(shard, batch, UNAVAILABLE_REFUSED);
		link_drop(shard->link, "sent a reply not of our script");
		return;
	}
	if (shard_is_own(shard, batch))
		shard_trust(shard, batch);
	if (strange > 0) {
		shard->common->events->foreign(
		    shard->common->arg, (unsigned)strange);
		shard_warn(
		    shard, batch, "left alone what is not a bucket: ", foreign);
	}
	batches_recycle(&shard->batches, batch);
}

static void
shard_take(struct shard *shard, struct batch *batch, const redisReply *reply)
{
	if (!reply)
		shard_give_up(shard, batch,
		    clock_us() < batch->deadline_us ? UNAVAILABLE_DOWN
						    : UNAVAILABLE_TIMEOUT);
	else if (reply->type == REDIS_REPLY_ERROR)
		shard_on_refused(shard, batch, reply);
	else
		shard_on_results(shard, batch, reply);
}

/*
 * A cluster: the server sent the batch elsewhere, and so has not run it.
 */

static void
shard_on_asked(struct script_call *call, const redisReply *reply)
{
	struct batch *batch = CONTAINER_OF(call, struct batch, call);

	shard_take(batch->owner, batch, reply);
}

static bool
shard_redirect(
    struct shard *shard, struct batch *batch, const redisReply *reply)
{
	batch->call.done = shard_on_asked;
	return redirects_take(&shard->redirects, &shard->batches, batch, reply,
	    link_endpoint(shard->link)->host);
}

/* Have the link follow the slot, once all that is in flight came back: the rest
 * waits meanwhile. */
static void
shard_follow(struct shard *shard)
{
	struct cluster_server *moved_to = &shard->redirects.moved_to;
	const struct endpoint to = {"", moved_to->host, moved_to->port};

	if (!redirects_wait(&shard->redirects) || shard->inflight > 0 ||
	    !link_is_up(shard->link))
		return;
	moved_to->port = 0;
	link_follow(shard->link, &to);
}

/* Send it once more, for the time that the server's clock shows. */
static bool
shard_is_outside(
    struct shard *shard, struct batch *batch, const redisReply *reply)
{
	if (!batches_take_outside(&shard->batches, batch, reply))
		return false;
	shard_look_at_clock(shard, batch);
	return true;
}

static void
shard_on_reply(struct script_call *call, const redisReply *reply)
{
	struct batch *batch = CONTAINER_OF(call, struct batch, call);
	struct shard *shard = batch->owner;

	shard->inflight--;
	shard->proofs.proving[batches_kind_of(batch)] = false;
	if (reply)
		server_time_call(
		    shard->presence.server, clock_us() - batch->sent_us);
	if (!reply || (!shard_redirect(shard, batch, reply) &&
			  !shard_is_outside(shard, batch, reply)))
		shard_take(shard, batch, reply);
	shard_follow(shard);
}

static bool
shard_write(struct script_call *call, struct command *command)
{
	struct batch *batch = CONTAINER_OF(call, struct batch, call);
	const struct shard *shard = batch->owner;
	const struct shard_options *options = shard->common->options;

	if (batch->queries == 0)
		return false;
	batch_write(batch,
	    &(struct batch_target){options->prefix,
		&options->topology->partitions,
		server_clock_now(&shard->clock, clock_us(), clock_shift_us())},
	    command);
	return true;
}

static void
shard_send(struct shard *shard, struct batch *batch)
{
	batch->call.timeout_us = shard->link_options.socket_timeout_us;
	batch->call.replicas = shard->common->options->wait_replicas;
	batch->call.replicas_by_us = batch->deadline_us;
	batch->call.write = shard_write;
	batch->call.done = shard_on_reply;
	batch->sent_us = clock_us();
	if (script_call(&shard->calls, &batch->call) == -1) {
		shard_give_up(shard, batch, UNAVAILABLE_DOWN);
		return;
	}
	server_count(&shard->presence.server->calls);
	shard->inflight++;
	shard->proofs.proving[batches_kind_of(batch)] = true;
	PROBE3(
	    batch_sent, link_name(shard->link), batch->count, batch->queries);
	shard->common->events->sent(shard->common->arg, batch->count);
}

void
shard_flush(struct shard *shard)
{
	unsigned most = (unsigned)shard->common->options->inflight;
	struct batch *batch = NULL;

	/* While the link reconnects, batches wait here, where those without
	 * queries can be dropped. */
	if (!shard->presence.is_here || !link_is_up(shard->link) ||
	    redirects_wait(&shard->redirects))
		return;
	while (
	    shard->inflight < most && (batch = batches_next(&shard->batches))) {
		if (batches_must_wait(&shard->proofs, batches_kind_of(batch)) ||
		    !presence_may_send(&shard->presence)) {
			batches_push_back(&shard->batches, batch);
			break;
		}
		shard_send(shard, batch);
	}
	link_flush(shard->link);
}

static struct batch *
shard_open_batch(struct shard *shard, const struct query *query, size_t kind)
{
	struct batch *batch = batches_open(&shard->batches, kind);

	if (!batch)
		return NULL;
	batch->owner = shard;
	batch->names = shard->common->names;
	batch->deadline_us =
	    query->now_us + shard->link_options.socket_timeout_us;
	if (!timer_is_set(&shard->timer))
		shard_set_timer(shard, batch->deadline_us);
	return batch;
}

static bool
shard_is_unavailable(struct query *query)
{
	mates_abandon(query, UNAVAILABLE_DOWN);
	return true;
}

bool
shard_query(struct shard *shard, struct query *query)
{
	struct batch *batch;
	size_t kind;

	if (!shard->presence.is_here)
		return shard_is_unavailable(query);
	kind = batches_choose(&shard->batches, query);
	batch = shard->batches.open[kind];
	if (!batch)
		batch = shard_open_batch(shard, query, kind);
	if (!batch || batch_add(batch, query) == -1)
		return shard_is_unavailable(query);
	shard->pending += query->mate ? mates_count(query) : 1;
	return false;
}

bool
shard_has_room(const struct shard *shard)
{
	return shard->pending < shard->window;
}

bool
shard_is_ready(const struct shard *shard)
{
	return shard->presence.is_here;
}

size_t
shard_trim(struct shard *shard)
{
	return batch_trim(&shard->batches.spares);
}

void
shard_free(struct shard *shard)
{
	if (!shard)
		return;
	link_free(shard->link);
	redirects_close(&shard->redirects);
	presence_end(&shard->presence);
	shard_give_up_all(shard);
	timer_stop(&shard->timer);
	batch_clear_spares(&shard->batches.spares);
	script_calls_free(&shard->calls);
	free(shard);
}

struct shard *
shard_new(const struct shard_common *common, size_t place)
{
	static const struct link_events events = {
	    .up = shard_on_up, .down = shard_on_down};
	struct shard *shard = calloc(1, sizeof(*shard));

	if (!shard)
		return NULL;
	shard->common = common;
	shard->window = WINDOW_FIRST;
	shard->link_options =
	    shard_link_options(common->options, place, common->role);
	shard->place = place;
	batches_init(&shard->batches);
	shard->redirects = (struct redirects){.loop = common->loop,
	    .dialer = common->dialer,
	    .options = &shard->link_options};
	timer_init(&shard->timer, common->loop, shard_on_deadline, shard);
	shard->link = link_new(
	    common->loop, common->dialer, &shard->link_options, &events, shard);
	if (!shard->link) {
		free(shard);
		return NULL;
	}
	presence_start(&shard->presence, common, shard->link);
	script_calls_init(
	    &shard->calls, shard->link, shard->link_options.script);
	return shard;
}
