/**
 * sentinel_news: hears from a sentinel that it made another server the master.
 */
#ifndef REDIS_SENTINEL_NEWS_H
#define REDIS_SENTINEL_NEWS_H

#include "base/attr.h"
#include "redis/link.h"

struct sentinel_news;

/** Start to listen to the sentinel that ${at} says, or, after each lost
 * connection, to the one that it says then; it is borrowed, and so is
 * ${master_name}.  Call ${switched} at each change of that one's master, never
 * from within.  What is published while nothing is connected is lost: poll,
 * too. NULL: out of memory. */
struct sentinel_news *sentinel_news_new(struct loop *loop,
    struct dialer *dialer, const struct link_options *at,
    const char *master_name, void (*switched)(void *arg), void *arg) MUST_USE;

/** Stop and free; NULL: no-op.  Do not call it from ${switched}. */
void sentinel_news_free(struct sentinel_news *news);

#endif
