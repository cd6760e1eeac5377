#include "redis/sentinel_news.h"

#include "base/host_port.h"
#include "redis/subscription.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sentinel_news {
	const struct link_options *at; /* the sentinel in use */
	const char *master_name;
	void (*switched)(void *arg);
	void *arg;
	struct link_options options; /* as ${at} was when it was last copied */
	struct host_port host;
	struct subscription *subscription;
};

/* While the link dials, the place of the sentinel in use may change. */
static void
sentinel_news_aim(struct sentinel_news *news)
{
	news->options = *news->at;
	snprintf(news->host.host, sizeof(news->host.host), "%s",
	    news->at->endpoint.host);
	news->options.endpoint.host = news->host.host;
}

/* What was published before is found by the next poll. */
static void
sentinel_news_on_subscribed(void *arg)
{
	(void)arg;
}

static void
sentinel_news_on_lost(void *arg)
{
	sentinel_news_aim(arg);
}

/* "NAME OLD-HOST OLD-PORT HOST PORT".  The sentinel is asked for the address,
 * as ever: it may have changed again. */
static void
sentinel_news_on_message(const char *bytes, size_t len, void *arg)
{
	struct sentinel_news *news = arg;
	size_t name_len = strlen(news->master_name);

	if (len > name_len && bytes[name_len] == ' ' &&
	    memcmp(bytes, news->master_name, name_len) == 0)
		news->switched(news->arg);
}

struct sentinel_news *
sentinel_news_new(struct loop *loop, struct dialer *dialer,
    const struct link_options *at, const char *master_name,
    void (*switched)(void *arg), void *arg)
{
	static const struct subscription_events events = {
	    sentinel_news_on_subscribed, sentinel_news_on_lost,
	    sentinel_news_on_message};
	struct sentinel_news *news = calloc(1, sizeof(*news));
	struct subscription_options options;

	if (!news)
		return NULL;
	news->at = at;
	news->master_name = master_name;
	news->switched = switched;
	news->arg = arg;
	sentinel_news_aim(news);
	options =
	    (struct subscription_options){&news->options, "+switch-master"};
	news->subscription =
	    subscription_new(loop, dialer, &options, &events, news);
	if (news->subscription)
		return news;
	free(news);
	return NULL;
}

void
sentinel_news_free(struct sentinel_news *news)
{
	if (!news)
		return;
	subscription_free(news->subscription);
	free(news);
}
