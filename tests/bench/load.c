/*
 * load: keeps a server busy and counts its responses.
 *
 * Holds --conns connections with --pipeline requests in flight on each, through
 * a warm-up and then for --seconds, or until each key was asked for once.
 * Prints "measuring" when the warm-up is over, and at the end one line of
 * name=value figures.  One thread.
 *
 * All requests are written out before the first one is sent: the stream.  Every
 * connection starts somewhere else in it and sends straight from it, so that a
 * request costs its share of a write and nothing more.
 */
#include "load.h"

#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define INPUT_SIZE 16384
#define SECOND_NS  INT64_C(1000000000)

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *const mode_names[] = {"line", "resp", "get", "evalsha",
    "cell", "log", "http", "check", "mconsume", "consumes", "multi", "hold",
    "hold-log"};
static const char *mode_name = "line";

struct options options = {
    .conns = 50,
    .pipeline = 64,
    .warmup = 0.3,
    .seconds = 2,
    .path = "/consume?key=",
    .keys = 100000,
    .hash = "drip:login",
    .capacity = 1000000000,
    .recharge_us = 1000,
    .span_us = 10000000,
};

struct conn {
	int fd;
	int beside; /* an idle one; -1: none */
	bool waits_for_room;

	/* asking */
	size_t sent; /* the stream is sent up to this byte */
	size_t next; /* first request of the stream not asked yet */
	uint64_t asked;
	uint64_t to_ask;   /* and no more */
	int64_t *asked_ns; /* when each was asked; a ring of --pipeline */

	/* in flight */
	uint64_t answered;
	uint64_t before; /* of these, before this second */
	size_t held;     /* bytes of input: the start of a reply */
	char input[INPUT_SIZE];
};

static int epoll;

/* Replies to wait for, of all connections. */
static uint64_t to_answer = UINT64_MAX;

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void *
allocate(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (!p)
		err(1, "calloc");
	return p;
}

static int
connect_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(1, "%s: too long for a socket", path);
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (void *)&address, sizeof(address)) < 0)
		err(1, "%s", path);
	return fd;
}

static int
connect_tcp(const char *server)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	char *host = strdup(server), *colon = host ? strrchr(host, ':') : NULL;
	int fd, error, on = 1;

	if (!colon)
		errx(1, "%s: neither HOST:PORT nor unix:PATH", server);
	*colon = '\0';
	error = getaddrinfo(host, colon + 1, &hints, &found);
	if (error)
		errx(1, "%s: %s", server, gai_strerror(error));
	fd = socket(found->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0)
		err(1, "%s", server);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	freeaddrinfo(found);
	free(host);
	return fd;
}

int
connect_server(void)
{
	const char unix_prefix[] = "unix:";
	const size_t len = strlen(unix_prefix);

	if (strncmp(options.server, unix_prefix, len) == 0)
		return connect_unix(options.server + len);
	return connect_tcp(options.server);
}

static void
conn_watch(struct conn *conn, int how, bool waits_for_room)
{
	struct epoll_event event = {.data.ptr = conn};

	event.events = EPOLLIN | (waits_for_room ? EPOLLOUT : 0);
	if (epoll_ctl(epoll, how, conn->fd, &event) < 0)
		err(1, "epoll_ctl");
	conn->waits_for_room = waits_for_room;
}

/* A connection whose requests start where its share of the stream does. */
static struct conn *
conn_new(size_t i)
{
	struct conn *conn = allocate(1, sizeof(*conn));
	size_t conns = (size_t)options.conns;
	size_t first = i * stream.count / conns;
	size_t end = (i + 1) * stream.count / conns;

	conn->fd = connect_server();
	conn->asked_ns =
	    allocate((size_t)options.pipeline, sizeof(*conn->asked_ns));
	conn->next = first;
	conn->sent = stream.start[first];
	conn->to_ask = options.once ? end - first : UINT64_MAX;
	conn_watch(conn, EPOLL_CTL_ADD, false);
	conn->beside = options.pairs ? connect_server() : -1;
	return conn;
}

static void
conn_free(struct conn *conn)
{
	close(conn->fd);
	if (conn->beside != -1)
		close(conn->beside);
	free(conn->asked_ns);
	free(conn);
}

/* Send what is asked and not sent yet, as far as there is room for it. */
static void
conn_send(struct conn *conn)
{
	size_t left = stream.start[conn->next] - conn->sent;
	ssize_t n = send(conn->fd, stream.bytes + conn->sent, left,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	bool all = n == (ssize_t)left;

	if (n < 0 && errno != EAGAIN)
		err(1, "send");
	if (n > 0)
		conn->sent += (size_t)n;
	if (conn->sent >= stream.start[stream.count]) {
		conn->sent -= stream.start[stream.count];
		conn->next -= stream.count;
	}
	if (conn->waits_for_room == all)
		conn_watch(conn, EPOLL_CTL_MOD, !all);
}

static void
conn_ask(struct conn *conn, size_t count)
{
	int64_t now = now_ns();

	if (count > conn->to_ask)
		count = conn->to_ask;
	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		conn->asked_ns[conn->asked++ % (uint64_t)options.pipeline] =
		    now;
	conn->next += count;
	conn->to_ask -= count;
	conn_send(conn);
}

/* Count the whole replies among the first ${len} bytes of the input, and keep
 * the rest.  Return how many there were. */
static size_t
conn_take(struct conn *conn, size_t len, int64_t now)
{
	const char *at = conn->input, *end = at + len, *after;
	size_t count = 0;

	while (at < end && (after = count_reply(at, end))) {
		uint64_t i = conn->answered % (uint64_t)options.pipeline;

		if (conn->answered++ == conn->asked)
			errx(1, "a reply that nobody asked for");
		count_latency((uint64_t)(now - conn->asked_ns[i]));
		count++;
		at = after;
	}
	conn->held = (size_t)(end - at);
	memmove(conn->input, at, conn->held);
	return count;
}

static void
conn_receive(struct conn *conn)
{
	size_t room = INPUT_SIZE - conn->held, count;
	ssize_t n =
	    recv(conn->fd, conn->input + conn->held, room, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		err(1, "recv");
	if (n == 0)
		errx(1, room ? "the server closed a connection"
			     : "a reply is too long");
	count = conn_take(conn, conn->held + (size_t)n, now_ns());
	to_answer -= count;
	if (count > 0)
		conn_ask(conn, count);
}

static void
run(double seconds)
{
	const int64_t end = now_ns() + (int64_t)(seconds * (double)SECOND_NS);
	struct epoll_event events[64];
	int64_t left;

	while (to_answer > 0 && (left = end - now_ns()) > 0) {
		int n = epoll_wait(epoll, events, 64, (int)(left / 1000000));

		for (int i = 0; i < n; i++) {
			if (events[i].events & EPOLLOUT)
				conn_send(events[i].data.ptr);
			if (events[i].events & ~(unsigned)EPOLLOUT)
				conn_receive(events[i].data.ptr);
		}
	}
}

/* What the slowest connection got since the last call, as a share of what they
 * got on average. */
static double
slowest_share(struct conn **conns, size_t count)
{
	uint64_t least = UINT64_MAX, sum = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t got = conns[i]->answered - conns[i]->before;

		conns[i]->before = conns[i]->answered;
		least = got < least ? got : least;
		sum += got;
	}
	return sum > 0 ? (double)least * (double)count / (double)sum : 0;
}

/* Run in whole seconds, and what is left.  Return the share of the slowest
 * connection in any of them. */
static double
run_seconds(struct conn **conns, size_t count)
{
	double left = options.seconds, slowest = 1;

	slowest_share(conns, count);
	do {
		double step = left < 2 ? left : 1, share;

		run(step);
		left -= step;
		share = slowest_share(conns, count);
		slowest = share < slowest ? share : slowest;
	} while (left > 0);
	return slowest;
}

static void
measure(struct conn **conns, size_t count)
{
	double cpu = cpu_seconds(), slowest;
	int64_t start = now_ns();

	slowest = run_seconds(conns, count);
	if (options.once && to_answer > 0)
		errx(1, "not done in %g seconds", options.seconds);
	count_print((double)(now_ns() - start) / (double)SECOND_NS);
	printf(
	    " slowest=%.3f cpu_seconds=%.3f\n", slowest, cpu_seconds() - cpu);
}

static void
usage(void)
{
	fputs(
	    "usage: load --server HOST:PORT|unix:PATH [--OPTION VALUE]...\n"
	    "  --mode line|resp         CONSUME, as a line or in RESP\n"
	    "  --mode get|evalsha       GET, or the script\n"
	    "  --mode cell              CL.THROTTLE\n"
	    "  --mode log               a script with a sorted set a key\n"
	    "  --mode http|check        GET /consume, or /check\n"
	    "  --mode mconsume|consumes|multi  three keys: MCONSUME, three\n"
	    "                           lines of CONSUME, three calls of the\n"
	    "                           script in MULTI and EXEC\n"
	    "  --mode hold|hold-log     HOLD and RELEASE, or two scripts\n"
	    "  --conns N  --pipeline N  connections, requests on each\n"
	    "  --pairs 1                an idle connection after each\n"
	    "  --warmup S  --seconds S  how long\n"
	    "  --path PATH              http: before the key\n"
	    "  --keys N                 login:0 to login:N-1 at random\n"
	    "  --zipf S                 key I 1/(I+1)^S as often as key 0\n"
	    "  --once 1                 each key once, in order; no warm-up\n"
	    "evalsha:\n"
	    "  --script FILE  --hash KEY        its text; where buckets are\n"
	    "  --capacity N  --recharge_us N    the limit; cell, too\n"
	    "log, hold-log: --script FILE, of those with a name --release "
	    "FILE,\n"
	    "  --capacity N  --span_us N        for how long a drop counts\n",
	    stderr);
	exit(2);
}

enum kind { TEXT, WHOLE, REAL };

static const struct {
	const char *name;
	enum kind kind;
	void *value;
} table[] = {
    {"--server", TEXT, &options.server},
    {"--mode", TEXT, &mode_name},
    {"--conns", WHOLE, &options.conns},
    {"--pipeline", WHOLE, &options.pipeline},
    {"--pairs", WHOLE, &options.pairs},
    {"--warmup", REAL, &options.warmup},
    {"--seconds", REAL, &options.seconds},
    {"--path", TEXT, &options.path},
    {"--keys", WHOLE, &options.keys},
    {"--zipf", REAL, &options.zipf},
    {"--once", WHOLE, &options.once},
    {"--script", TEXT, &options.script},
    {"--release", TEXT, &options.release},
    {"--hash", TEXT, &options.hash},
    {"--capacity", WHOLE, &options.capacity},
    {"--recharge_us", WHOLE, &options.recharge_us},
    {"--span_us", WHOLE, &options.span_us},
};

static void
set_option(const char *name, char *text)
{
	char *end = text + strlen(text);
	size_t i = 0;

	while (i < LENGTH(table) && strcmp(name, table[i].name) != 0)
		i++;
	if (i == LENGTH(table))
		usage();
	switch (table[i].kind) {
	case TEXT:
		*(const char **)table[i].value = text;
		return;
	case WHOLE:
		*(long *)table[i].value = strtol(text, &end, 10);
		break;
	case REAL:
		*(double *)table[i].value = strtod(text, &end);
		break;
	}
	if (end == text || *end != '\0')
		errx(2, "%s %s: not a number", name, text);
}

static bool
mode_has_script(void)
{
	return options.mode == MODE_EVALSHA || options.mode == MODE_MULTI ||
	       options.mode == MODE_LOG || options.mode == MODE_HOLD_LOG;
}

static void
read_options(int argc, char **argv)
{
	size_t mode = 0;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			usage();
		set_option(argv[i], argv[i + 1]);
	}
	while (mode < LENGTH(mode_names) &&
	       strcmp(mode_name, mode_names[mode]) != 0)
		mode++;
	options.mode = (enum mode)mode;
	if (mode == LENGTH(mode_names) || !options.server ||
	    options.conns < 1 || options.pipeline < 1 || options.keys < 1 ||
	    options.seconds <= 0 || (options.once && options.warmup > 0) ||
	    (mode_has_script() && !options.script) ||
	    (options.mode == MODE_HOLD_LOG && !options.release))
		usage();
}

int
main(int argc, char **argv)
{
	struct conn **conns;
	size_t count;

	read_options(argc, argv);
	stream_make();
	epoll = epoll_create1(0);
	if (epoll < 0)
		err(1, "epoll_create1");
	count = (size_t)options.conns;
	conns = allocate(count, sizeof(struct conn *));
	for (size_t i = 0; i < count; i++)
		conns[i] = conn_new(i);
	if (options.once)
		to_answer = stream.count;
	for (size_t i = 0; i < count; i++)
		conn_ask(conns[i], (size_t)options.pipeline);
	run(options.warmup);
	count_reset();
	puts("measuring");
	fflush(stdout);
	measure(conns, count);
	for (size_t i = 0; i < count; i++)
		conn_free(conns[i]);
	free(conns);
	stream_free();
	return 0;
}
