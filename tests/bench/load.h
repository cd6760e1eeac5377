/*
 * load: what its parts share.  load.c has the options and the connections,
 * stream.c makes the requests, count.c counts the replies.  Any error ends the
 * process with a message: half a measurement is none.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum mode {
	MODE_LINE,
	MODE_RESP,
	MODE_GET,
	MODE_EVALSHA,
	MODE_CELL,  /* CL.THROTTLE of redis-cell */
	MODE_LOG,   /* a script with a sorted set a key */
	MODE_HTTP,  /* GET of --path and the key */
	MODE_CHECK, /* GET /check, as nginx asks */

	/* Three keys in a request. */
	MODE_MCONSUME, /* as a line */
	MODE_CONSUMES, /* three lines */
	MODE_MULTI,    /* the script for each, in MULTI and EXEC */

	/* A lease, held and released. */
	MODE_HOLD,     /* two lines */
	MODE_HOLD_LOG, /* two scripts with a sorted set a key */
};

/** Keys of a request in the modes with three; responses of one in those with
 * two.
 */
#define KEYS_EACH 3
#define HELD_EACH 2

/** Set by main before anything else, and never again. */
extern struct options {
	enum mode mode;
	const char *server; /* HOST:PORT or unix:PATH */
	long conns;
	long pipeline;
	long pairs;    /* not 0: an idle connection after each */
	double warmup; /* seconds */
	double seconds;
	const char *path; /* http: before the key */
	long keys;
	double zipf;         /* exponent; 0: every key as often */
	long once;           /* not 0: each key once, in order; then the end */
	const char *script;  /* evalsha, log: the file with its text */
	const char *release; /* hold-log: the same, of what releases */
	const char *hash;    /* evalsha: the key of the hash of buckets */
	long capacity;       /* evalsha, cell: the limit, which has no block */
	long recharge_us;
	long span_us; /* log: for how long a drop counts */
} options;

/** Return ${count} zeroed objects of ${size} bytes. */
void *allocate(size_t count, size_t size);

/** Return a socket connected to the server. */
int connect_server(void);

/**
 * The requests, end to end, in a random order (or in that of the keys).  After
 * the last one the first --pipeline ones come again, so that no write has to
 * wrap.
 */
extern struct stream {
	size_t count;
	char *bytes;
	size_t *start; /* of each request; one more for the end */
} stream;

/** Write out the stream.  With evalsha, this loads the script. */
void stream_make(void);
void stream_free(void);

/** Count the reply that starts at ${at} and return its end; or return NULL if
 * it is not all there before ${end}. */
const char *count_reply(const char *at, const char *end);

/** Count the time that a reply took. */
void count_latency(uint64_t ns);

/** Forget everything counted so far. */
void count_reset(void);

/** Print what was counted in ${seconds}, as name=value words. */
void count_print(double seconds);

#endif
