#include "serving.h"

#include "fake/fake.h"
#include "limit/rules_text.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CLIENTS_MAX 1000

struct pool *pool;
static struct config *config;
static struct peer *clients[CLIENTS_MAX];
static size_t client_count;

struct rules *
rules_of(const char *limits)
{
	struct reasons reasons;
	struct rules *rules =
	    rules_from_ini("limits.ini", limits, strlen(limits), &reasons);

	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	return rules;
}

struct config *
config_of(const char *settings)
{
	struct reasons reasons;
	struct config *made = config_new();

	ck_assert_ptr_nonnull(made);
	ck_assert_msg(config_read(made, "dripgate.ini", settings,
			  strlen(settings), &reasons) == 0,
	    "%s", reasons_first(&reasons));
	return made;
}

void
serve_with(size_t workers, const char *settings, const char *limits)
{
	config = config_of(settings);
	pool = pool_start(&config->gate, workers, rules_of(limits));
	ck_assert_ptr_nonnull(pool);
	fake_run();
}

void
serve(const char *settings, const char *limits)
{
	serve_with(1, settings, limits);
}

bool
serve_upstreams(void)
{
	struct reasons reasons = {0};
	bool done = config_open_upstreams(config, &reasons) == 0;

	ck_assert_int_eq(*reasons_first(&reasons) == '\0', done);
	if (done)
		done = pool_set_upstreams(
			   pool, upstream_set_ref(config->upstream_set)) == 0;
	fake_run();
	return done;
}

void
stop_serving(void)
{
	pool_stop(pool);
	pool = NULL;
	config_free(config);
	config = NULL;
	while (client_count > 0)
		peer_free(clients[--client_count]);
}

static struct peer *
serving_give(enum offer offer)
{
	int fd;

	ck_assert_uint_lt(client_count, CLIENTS_MAX);
	clients[client_count] = peer_new(&fd);
	peer_narrow(fd);
	pool_give(pool, fd, offer);
	return clients[client_count++];
}

struct peer *
client_given(void)
{
	return serving_give(OFFER_ANY);
}

struct peer *
client_offered(enum offer offer)
{
	struct peer *client = serving_give(offer);

	fake_run();
	return client;
}

struct peer *
client_comes(void)
{
	return client_offered(OFFER_ANY);
}

void
client_goes(void)
{
	ck_assert_uint_gt(client_count, 0);
	peer_free(clients[--client_count]);
	fake_run();
}

static char unread[1000];

static void
serving_add_unread(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char bytes[100];
		ssize_t len = recv(fds[i], bytes, sizeof(bytes), MSG_DONTWAIT);
		size_t used = strlen(unread);

		snprintf(unread + used, sizeof(unread) - used, "%s%.*s",
		    used > 0 ? "," : "", len > 0 ? (int)len - 1 : 1,
		    len > 0 ? bytes : "-");
	}
}

const char *
handover_unread(void)
{
	unread[0] = '\0';
	pool_each_handover(pool, serving_add_unread);
	return unread;
}

long
stat_of(const char *name)
{
	struct peer *client = client_comes();
	char line[80];
	const char *text, *at;

	peer_say(client, "STATS\n");
	text = peer_heard(client);
	peer_close(client);
	snprintf(line, sizeof(line), "\n%s ", name);
	at = strstr(text, line);
	ck_assert_msg(at, "no %s in %s", name, text);
	return strtol(at + strlen(line), NULL, 10);
}
