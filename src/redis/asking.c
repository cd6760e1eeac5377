/*
 * Connects to the server that the first call names, and gives that up when no
 * call has come for a while.  The heart is asking_send().
 */
#include "redis/asking.h"

#include "net/timer.h"

#include <stdlib.h>
#include <string.h>

/* A slot with much in it is on its way for seconds. */
#define IDLE_US INT64_C(10000000)

struct asking {
	struct loop *loop;
	struct dialer *dialer;
	struct cluster_server to;
	struct link_options link_options;
	struct link *link; /* NULL: none is needed */
	struct script_calls calls;
	struct script_call *head, **tail; /* wait for the one that is out */
	bool is_out;
	struct timer timer; /* from the last call on */
	script_done *done;  /* of the call that is out */
};

static struct script_call *
asking_pop(struct asking *asking)
{
	struct script_call *call = asking->head;

	if (call)
		asking->head = call->next;
	if (!asking->head)
		asking->tail = &asking->head;
	return call;
}

static void
asking_give_up(struct asking *asking)
{
	struct script_call *call;

	while ((call = asking_pop(asking)))
		call->done(call, NULL);
}

static void asking_send(struct asking *asking);

static void
asking_on_reply(struct script_call *call, const redisReply *reply)
{
	struct asking *asking = CONTAINER_OF(call->calls, struct asking, calls);

	asking->is_out = false;
	if (reply && reply->type != REDIS_REPLY_ERROR)
		link_proven(asking->link);
	call->done = asking->done;
	call->done(call, reply);
	asking_send(asking);
}

/* Send the next call that is still wanted. */
static void
asking_send(struct asking *asking)
{
	struct script_call *call;

	while (!asking->is_out && link_is_up(asking->link) &&
	       (call = asking_pop(asking))) {
		script_done *done = call->done;

		call->done = asking_on_reply;
		asking->done = done;
		asking->is_out = script_call(&asking->calls, call) == 0;
		if (asking->is_out)
			break;
		call->done = done;
		done(call, NULL);
	}
	link_flush(asking->link);
}

static void
asking_on_up(void *arg)
{
	asking_send(arg);
}

static void
asking_on_down(void *arg)
{
	asking_give_up(arg);
}

static void
asking_close(struct asking *asking)
{
	timer_stop(&asking->timer);
	link_free(asking->link); /* the call that is out gets NULL */
	asking->link = NULL;
	script_calls_free(&asking->calls);
	asking_give_up(asking);
}

static void
asking_on_timer(void *arg)
{
	asking_close(arg);
}

/* Have a link to ${to}.  Return 0, or -1 (out of memory). */
static int
asking_open(struct asking *asking, const struct cluster_server *to)
{
	static const struct link_events events = {
	    .up = asking_on_up, .down = asking_on_down};

	if (asking->link && asking->to.port == to->port &&
	    strcmp(asking->to.host, to->host) == 0)
		return 0;
	asking_close(asking);
	asking->to = *to;
	asking->link_options.endpoint =
	    (struct endpoint){"", asking->to.host, to->port};
	asking->link = link_new(asking->loop, asking->dialer,
	    &asking->link_options, &events, asking);
	if (!asking->link)
		return -1;
	script_calls_init(
	    &asking->calls, asking->link, asking->link_options.script);
	asking->calls.asking = true;
	return 0;
}

int
asking_call(struct asking *asking, const struct cluster_server *to,
    struct script_call *call)
{
	if (asking_open(asking, to) == -1)
		return -1;
	timer_set(&asking->timer, IDLE_US);
	call->next = NULL;
	*asking->tail = call;
	asking->tail = &call->next;
	asking_send(asking);
	return 0;
}

struct asking *
asking_new(struct loop *loop, struct dialer *dialer,
    const struct link_options *options)
{
	struct asking *asking = calloc(1, sizeof(*asking));

	if (!asking)
		return NULL;
	asking->loop = loop;
	asking->dialer = dialer;
	asking->tail = &asking->head;
	asking->link_options = *options;
	asking->link_options.sentinel = (struct sentinel_options){0};
	asking->link_options.record = NULL;
	asking->link_options.kind = LINK_TO_CLUSTER;
	timer_init(&asking->timer, loop, asking_on_timer, asking);
	return asking;
}

void
asking_free(struct asking *asking)
{
	if (!asking)
		return;
	asking_close(asking);
	free(asking);
}
