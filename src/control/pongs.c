/*
 * Publishes pongs, and repeats those that no client received.
 * Holds: each struct pong is in the list, and waits either for its PUBLISH or
 * for its timer. The heart is pongs_answer() and pong_on_published().
 */
#include "control/pongs.h"

#include "base/buf.h"
#include "base/clock.h"
#include "net/timer.h"

#include <stdlib.h>
#include <string.h>

struct pong {
	struct pong *next;
	struct pongs *pongs;
	struct command publish;
	struct timer repeat;
};

struct pongs {
	struct loop *loop;
	struct link *link;
	const char *node;
	int64_t timeout_us;
	struct pong *first; /* those that may be repeated */
	size_t count;
};

static void
pong_free(struct pong *pong)
{
	struct pong **at = &pong->pongs->first;

	while (*at != pong)
		at = &(*at)->next;
	*at = pong->next;
	pong->pongs->count--;
	timer_stop(&pong->repeat);
	command_free(&pong->publish);
	free(pong);
}

static int
pongs_publish(struct pongs *pongs, const struct command *publish,
    link_done *done, void *arg)
{
	int64_t deadline_us = clock_us() + pongs->timeout_us;

	if (link_call(pongs->link, publish, deadline_us, done, arg) == -1)
		return -1;
	link_flush(pongs->link);
	return 0;
}

static void
pongs_on_repeated(const redisReply *reply, void *arg)
{
	(void)reply;
	(void)arg;
}

static void
pong_on_repeat(void *arg)
{
	struct pong *pong = arg;

	/* Without a link it is lost, like every pong then. */
	(void)!pongs_publish(
	    pong->pongs, &pong->publish, pongs_on_repeated, NULL);
	pong_free(pong);
}

static void
pong_on_published(const redisReply *reply, void *arg)
{
	struct pong *pong = arg;

	if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
		timer_set(&pong->repeat, PONG_REPEAT_US);
	else
		pong_free(pong);
}

/* The pong is "pong", "pong:NODE", "pong:NODE:DATA" or "pong::DATA". */
static int
pongs_write(const struct pongs *pongs, struct command *publish,
    const struct message *ping)
{
	const struct piece *data = &ping->data;
	struct buf text = {0};
	int status = buf_printf(&text, "pong%s%s%s",
	    *pongs->node || data->bytes ? ":" : "", pongs->node,
	    data->bytes ? ":" : "");

	if (status == 0 && data->bytes)
		status = buf_add(&text, data->bytes, data->len);
	if (status == 0) {
		command_start(publish, 3);
		command_add_text(publish, "PUBLISH");
		command_add(publish, ping->channel.bytes, ping->channel.len);
		command_add(publish, buf_data(&text), buf_len(&text));
	}
	buf_free(&text);
	return status;
}

/* A pong that may be repeated; NULL: this one must not, or there is no
 * memory. */
static struct pong *
pongs_add(struct pongs *pongs, const struct message *ping)
{
	struct pong *pong;

	if (pongs->count == PONGS_MAX ||
	    ping->channel.len + ping->data.len > PONG_MAX_BYTES)
		return NULL;
	pong = calloc(1, sizeof(*pong));
	if (!pong)
		return NULL;
	pong->pongs = pongs;
	timer_init(&pong->repeat, pongs->loop, pong_on_repeat, pong);
	pong->next = pongs->first;
	pongs->first = pong;
	pongs->count++;
	return pong;
}

void
pongs_answer(struct pongs *pongs, const struct message *ping)
{
	struct pong *pong = pongs_add(pongs, ping);
	struct command once = {0};

	if (pong) {
		if (pongs_write(pongs, &pong->publish, ping) == -1 ||
		    pongs_publish(
			pongs, &pong->publish, pong_on_published, pong) == -1)
			pong_free(pong);
		return;
	}
	if (pongs_write(pongs, &once, ping) == 0)
		(void)!pongs_publish(pongs, &once, pongs_on_repeated, NULL);
	command_free(&once);
}

struct pongs *
pongs_new(
    struct loop *loop, struct link *link, const char *node, int64_t timeout_us)
{
	struct pongs *pongs = calloc(1, sizeof(*pongs));

	if (!pongs)
		return NULL;
	pongs->loop = loop;
	pongs->link = link;
	pongs->node = node;
	pongs->timeout_us = timeout_us;
	return pongs;
}

void
pongs_free(struct pongs *pongs)
{
	if (!pongs)
		return;
	while (pongs->first)
		pong_free(pongs->first);
	free(pongs);
}
