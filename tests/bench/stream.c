#include "load.h"

#include <err.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE 40
#define HOUR_MS  3600000

/* So many that what the server is asked does not soon repeat itself. */
#define RANDOM_REQUESTS (1 << 19)

struct stream stream;

/* splitmix64: S. Vigna, https://prng.di.unimi.it/splitmix64.c */
static uint64_t
random_bits(void)
{
	static uint64_t state;
	uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* For each key i, how much is drawn of the keys up to it, when key i is drawn
 * 1/(i+1)^zipf as often as key 0. */
static double *
zipf_sums(void)
{
	double *sums = allocate((size_t)options.keys, sizeof(*sums));
	double sum = 0;

	for (long i = 0; i < options.keys; i++)
		sums[i] = sum += pow((double)(i + 1), -options.zipf);
	return sums;
}

static long
draw_zipf(const double *sums)
{
	long low = 0, high = options.keys - 1;
	double drawn = ldexp((double)(random_bits() >> 11), -53) * sums[high];

	while (low < high) {
		long middle = (low + high) / 2;

		if (sums[middle] > drawn)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static long
draw_uniform(void)
{
	return (long)(random_bits() % (uint64_t)options.keys);
}

/* Load a script into Redis, and write what identifies it to ${sha}. */
static void
load_script(const char *file, char sha[41])
{
	static char text[65536];
	FILE *script = fopen(file, "r");
	FILE *redis = fdopen(connect_server(), "r+");
	char line[200];
	size_t len;

	if (!script || !redis)
		err(1, "%s", file);
	len = fread(text, 1, sizeof(text), script);
	fprintf(redis, "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%zu\r\n", len);
	fwrite(text, 1, len, redis);
	fputs("\r\n", redis);
	fflush(redis);
	if (!fgets(line, sizeof(line), redis))
		errx(1, "SCRIPT LOAD: no answer");
	if (strcmp(line, "$40\r\n") != 0 || fread(sha, 1, 40, redis) != 40)
		errx(1, "SCRIPT LOAD: %s", line);
	sha[40] = '\0';
	fclose(redis);
	fclose(script);
}

static void
put_bulk(FILE *to, const char *text)
{
	fprintf(to, "$%zu\r\n%s\r\n", strlen(text), text);
}

static void
put_bulk_number(FILE *to, long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", number);
	put_bulk(to, text);
}

/* How a bucket's text ends under this recharge: as the daemon writes it, since
 * both sides use the same buckets. */
static void
put_recharge(FILE *to)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz";
	char text[16];
	char *at = text + sizeof(text) - 1;

	*at = '\0';
	for (long rest = options.recharge_us; rest > 0; rest /= 62)
		*--at = digits[rest % 62];
	*--at = '/';
	put_bulk(to, at);
}

/* The script on one bucket; lua/batch.lua says what the arguments are. */
static void
put_evalsha(FILE *to)
{
	long life_ms = options.capacity * options.recharge_us / 1000;
	char sha[41];

	load_script(options.script, sha);
	fputs("*12\r\n", to);
	put_bulk(to, "EVALSHA");
	put_bulk(to, sha);
	put_bulk_number(to, 1);
	put_bulk(to, options.hash);
	put_bulk_number(to, options.capacity);
	put_bulk_number(to, options.recharge_us);
	put_bulk_number(to, 0);
	put_recharge(to);
	put_bulk_number(to, life_ms + HOUR_MS);
	put_bulk_number(to, 1);
	put_bulk(to, "1");
}

/* A script over one key. */
static void
put_log(FILE *to, const char *file, int arguments)
{
	char sha[41];

	load_script(file, sha);
	fprintf(to, "*%d\r\n", 4 + arguments);
	put_bulk(to, "EVALSHA");
	put_bulk(to, sha);
	put_bulk_number(to, 1);
}

/* The bytes before the key in every request. */
static char *
make_head(void)
{
	char *head = NULL;
	size_t len;
	FILE *to = open_memstream(&head, &len);

	if (!to)
		err(1, "open_memstream");
	switch (options.mode) {
	case MODE_LINE:
		fputs("CONSUME ", to);
		break;
	case MODE_RESP:
	case MODE_GET:
		fputs("*2\r\n", to);
		put_bulk(to, options.mode == MODE_GET ? "GET" : "CONSUME");
		break;
	case MODE_EVALSHA:
	case MODE_MULTI:
		put_evalsha(to);
		break;
	case MODE_MCONSUME:
		fputs("MCONSUME", to);
		break;
	case MODE_CONSUMES:
		fputs("CONSUME ", to);
		break;
	case MODE_LOG:
	case MODE_HOLD_LOG:
		put_log(to, options.script, 3);
		break;
	case MODE_HOLD:
		fputs("HOLD ", to);
		break;
	case MODE_CELL:
		fputs("*5\r\n", to);
		put_bulk(to, "CL.THROTTLE");
		break;
	case MODE_HTTP:
		fprintf(to, "GET %s", options.path);
		break;
	case MODE_CHECK:
		fputs("GET /check?deny=403 HTTP/1.1\r\nHost: localhost\r\n"
		      "X-Original-Method: GET\r\nX-Forwarded-For: 192.0.2.7\r\n"
		      "X-Original-URI: /r57/items?page=2\r\nX-User-Id: ",
		    to);
		break;
	}
	fclose(to);
	return head;
}

/* A request of three keys, evenly apart. */
static size_t
write_three(char *to, size_t size, const char *head, long number)
{
	static const char multi[] = "*1\r\n$5\r\nMULTI\r\n",
			  exec[] = "*1\r\n$4\r\nEXEC\r\n";
	FILE *out = fmemopen(to, size, "w");
	size_t len;

	if (!out)
		err(1, "fmemopen");
	fputs(options.mode == MODE_MCONSUME ? head
	      : options.mode == MODE_MULTI  ? multi
					    : "",
	    out);
	for (int i = 0; i < KEYS_EACH; i++) {
		char key[KEY_SIZE];

		snprintf(key, sizeof(key), "login:%ld",
		    (number + i * options.keys / KEYS_EACH) % options.keys);
		if (options.mode == MODE_MCONSUME) {
			fprintf(out, " %s 1", key);
		} else {
			fputs(head, out);
			if (options.mode == MODE_MULTI)
				put_bulk(out, key);
			else
				fprintf(out, "%s\n", key);
		}
	}
	fputs(options.mode == MODE_MCONSUME ? "\n"
	      : options.mode == MODE_MULTI  ? exec
					    : "",
	    out);
	len = (size_t)ftell(out);
	fclose(out);
	return len;
}

/* Behind the key, of a cell and of a log, the limit; a cell has the burst,
 * which is one less, and so many a second.  "": of other requests. */
static char tail[160];

/* The call that releases, up to its key. */
static char release_head[120];

static void
make_tail(void)
{
	FILE *to = fmemopen(tail, sizeof(tail), "w");
	bool is_cell = options.mode == MODE_CELL;

	if (!to)
		err(1, "fmemopen");
	if (is_cell) {
		put_bulk_number(to, options.capacity - 1);
		put_bulk_number(to, 1000000 / options.recharge_us);
		put_bulk_number(to, 1);
	} else {
		put_bulk_number(to, options.capacity);
		put_bulk_number(to, options.span_us);
	}
	fclose(to);
}

static void
make_release(void)
{
	FILE *to = fmemopen(release_head, sizeof(release_head), "w");

	if (!to)
		err(1, "fmemopen");
	put_log(to, options.release, 1);
	fclose(to);
}

static size_t
put_text(char *to, const char *text)
{
	return (size_t)sprintf(to, "$%zu\r\n%s\r\n", strlen(text), text);
}

/* Request ${i}, which names a lease of its own. */
static size_t
write_lease(char *to, const char *head, const char *key, size_t i)
{
	char id[24];
	size_t len;

	snprintf(id, sizeof(id), "%zu", i);
	if (options.mode == MODE_HOLD)
		return (size_t)sprintf(
		    to, "%s%s %s\nRELEASE %s %s\n", head, key, id, key, id);
	len = (size_t)sprintf(to, "%s", head);
	len += put_text(to + len, key);
	len += (size_t)sprintf(to + len, "%s", tail);
	len += put_text(to + len, id);
	if (options.mode == MODE_LOG)
		return len;
	len += (size_t)sprintf(to + len, "%s", release_head);
	len += put_text(to + len, key);
	return len + put_text(to + len, id);
}

static bool
mode_has_lease(void)
{
	return options.mode == MODE_LOG || options.mode >= MODE_HOLD;
}

/* Request ${i}, about the key of that number. */
static size_t
write_request(char *to, size_t size, const char *head, long number, size_t i)
{
	char key[KEY_SIZE];
	int len = snprintf(key, sizeof(key), "login:%ld", number);

	if (mode_has_lease())
		return write_lease(to, head, key, i);
	if (options.mode >= MODE_MCONSUME)
		return write_three(to, size, head, number);
	if (options.mode == MODE_LINE)
		len = snprintf(to, size, "%s%s\n", head, key);
	else if (options.mode == MODE_HTTP)
		len = snprintf(to, size,
		    "%s%s HTTP/1.1\r\nHost: localhost\r\n\r\n", head, key);
	else if (options.mode == MODE_CHECK)
		len = snprintf(to, size, "%s%ld\r\n\r\n", head, number);
	else
		len = snprintf(
		    to, size, "%s$%d\r\n%s\r\n%s", head, len, key, tail);
	return (size_t)len;
}

/* The key of request ${i}; ${sums} if it is drawn by Zipf's law. */
static long
key_of(size_t i, const double *sums)
{
	if (options.once)
		return (long)i;
	return sums ? draw_zipf(sums) : draw_uniform();
}

void
stream_make(void)
{
	const bool has_three =
	    options.mode >= MODE_MCONSUME && options.mode <= MODE_MULTI;
	const size_t count = options.once ? (size_t)options.keys
			     : has_three  ? RANDOM_REQUESTS / KEYS_EACH
					  : RANDOM_REQUESTS;
	const size_t again = (size_t)options.pipeline;
	char *head = make_head();
	size_t size =
	    (strlen(head) + 2 * KEY_SIZE) * (has_three ? KEYS_EACH : 1) +
	    sizeof(tail) + sizeof(release_head);
	size_t at = 0;
	double *sums = options.zipf > 0 ? zipf_sums() : NULL;

	if (options.mode == MODE_CELL || mode_has_lease())
		make_tail();
	if (options.release)
		make_release();
	if (count < again || count < (size_t)options.conns)
		errx(1, "not enough requests for all that are in flight");
	stream.count = count;
	stream.bytes = allocate(count + again, size);
	stream.start = allocate(count + again + 1, sizeof(*stream.start));
	for (size_t i = 0; i < count; i++) {
		stream.start[i] = at;
		at += write_request(
		    stream.bytes + at, size, head, key_of(i, sums), i);
	}
	stream.start[count] = at;
	memcpy(stream.bytes + at, stream.bytes, stream.start[again]);
	for (size_t i = 1; i <= again; i++)
		stream.start[count + i] = at + stream.start[i];
	free(sums);
	free(head);
}

void
stream_free(void)
{
	free(stream.bytes);
	free(stream.start);
}
