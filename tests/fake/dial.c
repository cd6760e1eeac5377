#include "net/dial.h"

#include "fake/fake.h"
#include "fake/turn.h"
#include "net/timer.h"
#include "base/list.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct dialer {
	struct loop *loop;
};

struct dial {
	TAILQ_ENTRY(dial) all;
	char name[ENDPOINT_NAME_MAX];
	dial_done *done;
	void *arg;
	struct timer decided; /* set once its outcome is known */
	struct timer timeout;
	int fd; /* the outcome */
	struct dial_failure failure;
};

static TAILQ_HEAD(, dial) dials = TAILQ_HEAD_INITIALIZER(dials);
static size_t dialers;

struct dialer *
dialer_new(struct loop *loop)
{
	struct dialer *dialer = calloc(1, sizeof(*dialer));

	if (!dialer)
		return NULL;
	dialer->loop = loop;
	dialers++;
	return dialer;
}

void
dialer_free(struct dialer *dialer)
{
	if (!dialer)
		return;
	dialers--;
	free(dialer);
}

static void
dial_free(struct dial *dial)
{
	timer_stop(&dial->decided);
	timer_stop(&dial->timeout);
	TAILQ_REMOVE(&dials, dial, all);
	free(dial);
}

static void
dial_on_decided(void *arg)
{
	struct dial *dial = arg;
	struct dial copy = *dial;

	dial_free(dial);
	copy.done(copy.fd, copy.fd == -1 ? &copy.failure : NULL, copy.arg);
}

static void
dial_on_timeout(void *arg)
{
	struct dial *dial = arg;

	dial->failure = (struct dial_failure){
	    .step = DIAL_CONNECT, .reason = "connect: no reply in time"};
	dial_on_decided(dial);
}

static bool without_memory;

void
fake_dial_without_memory(void)
{
	without_memory = true;
}

struct dial *
dial_start(struct dialer *dialer, const struct dial_options *options,
    dial_done *done, void *arg)
{
	struct dial *dial = without_memory ? NULL : calloc(1, sizeof(*dial));

	without_memory = false;
	if (!dial)
		return NULL;
	endpoint_name(options->endpoint, dial->name);
	dial->done = done;
	dial->arg = arg;
	dial->fd = -1;
	timer_init(&dial->decided, dialer->loop, dial_on_decided, dial);
	timer_init(&dial->timeout, dialer->loop, dial_on_timeout, dial);
	timer_set(&dial->timeout, options->timeout_us);
	TAILQ_INSERT_TAIL(&dials, dial, all);
	return dial;
}

void
dial_cancel(struct dial *dial)
{
	if (!dial)
		return;
	if (dial->fd != -1)
		close(dial->fd);
	dial_free(dial);
}

/* Whether its outcome is open, and it is to ${name}. */
static bool
dial_is_open(const struct dial *dial, const char *name)
{
	return !timer_is_set(&dial->decided) &&
	       (!name || strcmp(dial->name, name) == 0);
}

size_t
fake_dials(const char *name)
{
	struct dial *dial;
	size_t count = 0;

	TAILQ_FOREACH (dial, &dials, all)
		count += dial_is_open(dial, name);
	return count;
}

static void
dial_decide(const char *name, int fd, struct dial_failure failure)
{
	struct dial *dial;

	TAILQ_FOREACH (dial, &dials, all) {
		if (!dial_is_open(dial, name))
			continue;
		dial->fd = fd;
		dial->failure = failure;
		timer_set(&dial->decided, 0);
		return;
	}
	fake_die("nothing dials %s", name ? name : "anything");
}

int
fake_dial_connect(const char *name)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		ends) == -1)
		fake_die("socketpair: %m");
	dial_decide(name, ends[0], (struct dial_failure){0});
	return ends[1];
}

void
fake_dial_fail(const char *name, const char *reason)
{
	dial_decide(
	    name, -1, (struct dial_failure){DIAL_CONNECT, reason, false});
}

void
fake_dial_fail_lookup(const char *name, const char *reason)
{
	dial_decide(
	    name, -1, (struct dial_failure){DIAL_LOOKUP, reason, false});
}

void
fake_dial_fail_here(const char *name, const char *reason)
{
	dial_decide(
	    name, -1, (struct dial_failure){DIAL_CONNECT, reason, true});
}

bool
fake_dials_left(void)
{
	return !TAILQ_EMPTY(&dials) || dialers > 0;
}

void
fake_reset_dials(void)
{
	TAILQ_INIT(&dials);
	dialers = 0;
}
