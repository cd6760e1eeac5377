/*
 * The cases are those of https://github.com/http-tests/cache-tests, by their
 * names there, as far as they are about what a cache decides alone: a response
 * comes, three seconds pass, and a second request asks for the same.
 */
#include "suites.h"

#include "base/attr.h"
#include "upstream/freshness.h"
#include "upstream/response.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

/* Sun, 06 Nov 2033 08:49:37 GMT, a second and a half ahead of our clock. */
#define WALL  (INT64_C(2014966177) * SECOND)
#define SHIFT (3 * SECOND / 2)
#define NOW   (WALL - SHIFT)

static const struct freshness_rules rules = {
    .most_us = 365 * DAY,
    .obeys_clients = true,
};

/* Write ${text} with a date in place of each {N}, N seconds from WALL, and CR
 * LF in place of each ;; and at the end. */
static struct headers
headers_of(char *to, size_t size, const char *text)
{
	size_t len = 0;

	while (*text) {
		long seconds;
		int read;

		ck_assert_uint_lt(len + 64, size);
		if (sscanf(text, "{%ld}%n", &seconds, &read) == 1) {
			time_t at = WALL / SECOND + seconds;
			struct tm tm;

			len += strftime(to + len, size - len,
			    "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
			text += read;
		} else if (strncmp(text, ";;", 2) == 0) {
			memcpy(to + len, "\r\n", 2);
			len += 2;
			text += 2;
		} else {
			to[len++] = *text++;
		}
	}
	memcpy(to + len, "\r\n", 2);
	return (struct headers){to, len > 0 ? len + 2 : 0};
}

/* The longest name of a header that a response may vary by. */
#define LONG_16 "aaaaaaaaaaaaaaaa"
#define LONG_64 LONG_16 LONG_16 LONG_16 LONG_16
#define LONG    LONG_64 LONG_64 LONG_64 LONG_64

enum outcome { CACHED, STALE, NOT_CACHED, ETAG, LM, BYPASS };

static const char *const outcome_names[] = {
    "cached", "stale", "not cached", "etag", "last-modified", "bypass"};

struct exchange {
	const char *name;
	const char *request;
	int status; /* 0: 200 */
	const char *response;
	const char *again; /* the second request */
	enum outcome outcome;
};

/* What a cache with ${rules} does with the second request. */
static enum outcome
play(const struct exchange *exchange, const struct freshness_rules *with,
    int64_t pause_us)
{
	char first[4096], second[4096], response[4096];
	struct headers request =
	    headers_of(first, sizeof(first), exchange->request);
	struct headers again =
	    headers_of(second, sizeof(second), exchange->again);
	struct received received = {
	    .status = exchange->status ? exchange->status : 200,
	    .fields =
		headers_of(response, sizeof(response), exchange->response),
	    .sent_us = NOW,
	    .received_us = NOW,
	    .shift_us = SHIFT,
	};
	struct request_control control;
	struct response_builder builder = {0};
	struct stored_response *stored;
	struct freshness freshness;
	enum outcome outcome;
	enum reuse reuse;
	struct buf asked = {0};
	struct part value;

	request_control_read(&control, with, request);
	if (!freshness_of(&freshness, with, &control, &received))
		return NOT_CACHED;
	response_begin(&builder, &freshness, &received, request, 65536);
	stored = response_finish(&builder);
	if (!stored)
		return NOT_CACHED;
	request_control_read(&control, with, again);
	reuse =
	    !vary_matches(stored->selecting, again)
		? REUSE_NOT
		: freshness_reuse(&stored->freshness, &control, NOW + pause_us);
	ck_assert_int_eq(validators_add(&asked, stored->fields), 0);
	if (control.bypasses)
		outcome = BYPASS;
	else if (reuse == REUSE_FRESH)
		outcome = CACHED;
	else if (reuse == REUSE_STALE)
		outcome = STALE;
	else if (reuse == REUSE_NOT)
		outcome = NOT_CACHED;
	else if (headers_find(
		     (struct headers){buf_data(&asked), buf_len(&asked)},
		     "if-none-match", &value))
		outcome = ETAG;
	else
		outcome = buf_len(&asked) > 0 ? LM : NOT_CACHED;
	buf_free(&asked);
	response_unref(stored);
	return outcome;
}

static const struct exchange exchanges[] = {
    /* cc-freshness */
    {"freshness-none", "", 0, "Date: {0}", "", NOT_CACHED},
    {"freshness-max-age", "", 0, "Cache-Control: max-age=3600", "", CACHED},
    {"freshness-max-age-stale", "", 0, "Cache-Control: max-age=2;;Date: {0}",
	"", NOT_CACHED},
    {"freshness-max-age-0", "", 0, "Cache-Control: max-age=0", "", NOT_CACHED},
    {"freshness-max-age-max-minus-1", "", 0,
	"Cache-Control: max-age=2147483647", "", CACHED},
    {"freshness-max-age-max", "", 0, "Cache-Control: max-age=2147483648", "",
	CACHED},
    {"freshness-max-age-max-plus-1", "", 0, "Cache-Control: max-age=2147483649",
	"", CACHED},
    {"freshness-max-age-max-plus", "", 0, "Cache-Control: max-age=99999999999",
	"", CACHED},
    {"freshness-max-age-age", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: 7200", "", NOT_CACHED},
    {"freshness-max-age-date", "", 0,
	"Date: {-7200};;Cache-Control: max-age=3600", "", NOT_CACHED},
    {"freshness-max-age-expires", "", 0,
	"Cache-Control: max-age=3600;;Expires: {-7200};;Date: {0}", "", CACHED},
    {"freshness-max-age-expires-invalid", "", 0,
	"Cache-Control: max-age=3600;;Expires: 0;;Date: {0}", "", CACHED},
    {"freshness-max-age-0-expires", "", 0,
	"Expires: {3600};;Cache-Control: max-age=0;;Date: {0}", "", NOT_CACHED},
    {"freshness-max-age-extension", "", 0,
	"Cache-Control: foobar, max-age=3600", "", CACHED},
    {"freshness-max-age-case-insenstive", "", 0, "Cache-Control: MaX-aGe=3600",
	"", CACHED},
    {"freshness-max-age-negative", "", 0, "Cache-Control: max-age=-3600", "",
	NOT_CACHED},
    {"freshness-s-maxage-shared", "", 0, "Cache-Control: s-maxage=3600", "",
	CACHED},
    {"freshness-max-age-s-maxage-shared-longer", "", 0,
	"Cache-Control: max-age=3600, s-maxage=1", "", NOT_CACHED},
    {"freshness-max-age-s-maxage-shared-longer-reversed", "", 0,
	"Cache-Control: s-maxage=1, max-age=3600", "", NOT_CACHED},
    {"freshness-max-age-s-maxage-shared-longer-multiple", "", 0,
	"Cache-Control: max-age=3600;;Cache-Control: s-maxage=1", "",
	NOT_CACHED},
    {"freshness-max-age-s-maxage-shared-shorter", "", 0,
	"Cache-Control: max-age=1, s-maxage=3600", "", CACHED},
    {"freshness-max-age-s-maxage-shared-shorter-expires", "", 0,
	"Expires: {-10};;Cache-Control: max-age=0, s-maxage=3600", "", CACHED},

    /* cc-parse: of two numbers the first counts */
    {"freshness-max-age-two-fresh-stale-sameline", "", 0,
	"Cache-Control: max-age=1800, max-age=1", "", CACHED},
    {"freshness-max-age-two-fresh-stale-sepline", "", 0,
	"Cache-Control: max-age=1800;;Cache-Control: max-age=1", "", CACHED},
    {"freshness-max-age-two-stale-fresh-sameline", "", 0,
	"Cache-Control: max-age=1, max-age=1800", "", NOT_CACHED},
    {"freshness-max-age-two-stale-fresh-sepline", "", 0,
	"Cache-Control: max-age=1;;Cache-Control: max-age=1800", "",
	NOT_CACHED},
    {"freshness-max-age-quoted", "", 0, "Cache-Control: max-age=\"3600\"", "",
	CACHED},
    {"freshness-max-age-ignore-quoted", "", 0,
	"Cache-Control: extension=\"max-age=3600\", max-age=1", "", NOT_CACHED},
    {"freshness-max-age-ignore-quoted-rev", "", 0,
	"Cache-Control: max-age=1, extension=\"max-age=3600\"", "", NOT_CACHED},
    {"freshness-max-age-space-before-equals", "", 0,
	"Cache-Control: max-age =3600", "", NOT_CACHED},
    {"freshness-max-age-space-after-equals", "", 0,
	"Cache-Control: max-age= 3600", "", NOT_CACHED},
    {"freshness-max-age-leading-zero", "", 0, "Cache-Control: max-age=003600",
	"", CACHED},
    {"freshness-max-age-single-quoted", "", 0, "Cache-Control: max-age='3600'",
	"", NOT_CACHED},
    {"freshness-max-age-decimal-zero", "", 0, "Cache-Control: max-age=3600.0",
	"", NOT_CACHED},
    {"freshness-max-age-a100", "", 0, "Cache-Control: max-age=a3600", "",
	NOT_CACHED},
    {"freshness-max-age-100a", "", 0, "Cache-Control: max-age=3600a", "",
	NOT_CACHED},

    /* age-parse */
    {"age-parse-nonnumeric", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: abc", "", CACHED},
    {"age-parse-negative", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: -7200", "", CACHED},
    {"age-parse-float", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: 7200.0", "", CACHED},
    {"age-parse-large-minus-one", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: 2147483647", "",
	NOT_CACHED},
    {"age-parse-large", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: 2147483648", "",
	NOT_CACHED},
    {"age-parse-larger", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: 2147483649", "",
	NOT_CACHED},
    {"age-parse-suffix", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: 7200, 0", "", NOT_CACHED},
    {"age-parse-prefix", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: 0, 7200", "", CACHED},
    {"age-parse-suffix-twoline", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: 7200;;Age: 0", "",
	NOT_CACHED},
    {"age-parse-prefix-twoline", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: 0;;Age: 7200", "",
	CACHED},
    {"age-parse-dup-0", "", 0,
	"Date: {0};;Cache-Control: max-age=3600;;Age: 0, 0", "", CACHED},
    {"age-parse-dup-old", "", 0,
	"Date: {0};;Cache-Control: max-age=10000;;Age: 3600;;Age: 3600", "",
	CACHED},

    /* expires-freshness, expires-parse */
    {"freshness-expires-future", "", 0, "Expires: {2592000};;Date: {0}", "",
	CACHED},
    {"freshness-expires-past", "", 0, "Expires: {-2592000};;Date: {0}", "",
	NOT_CACHED},
    {"freshness-expires-present", "", 0, "Expires: {0};;Date: {0}", "",
	NOT_CACHED},
    {"freshness-expires-old-date", "", 0, "Expires: {300};;Date: {400}", "",
	NOT_CACHED},
    {"freshness-expires-invalid", "", 0, "Expires: 0;;Date: {0}", "",
	NOT_CACHED},
    {"freshness-expires-invalid-date", "", 0, "Date: foo;;Expires: {10}", "",
	CACHED},
    {"freshness-expires-age-slow-date", "", 0,
	"Date: {-10};;Expires: {10};;Age: 25", "", NOT_CACHED},
    {"freshness-expires-age-fast-date", "", 0,
	"Date: {10};;Expires: {20};;Age: 15", "", NOT_CACHED},
    {"freshness-expires-32bit", "", 0,
	"Expires: Tue, 19 Jan 2038 14:14:08 GMT;;Date: {0}", "", CACHED},
    {"freshness-expires-far-future", "", 0,
	"Expires: Sun, 21 Nov 2286 04:46:39 GMT;;Date: {0}", "", CACHED},
    {"freshness-expires-rfc850", "", 0,
	"Expires: Thursday, 18-Aug-50 02:01:18 GMT;;Date: {0}", "", CACHED},
    {"freshness-expires-ansi-c", "", 0,
	"Expires: Thu Aug  8 02:01:18 2050;;Date: {0}", "", CACHED},
    {"freshness-expires-wrong-case-weekday", "", 0,
	"Expires: THU, 18 Aug 2050 02:01:18 GMT;;Date: {0}", "", CACHED},
    {"freshness-expires-wrong-case-month", "", 0,
	"Expires: Thu, 18 AUG 2050 02:01:18 GMT;;Date: {0}", "", CACHED},
    {"freshness-expires-wrong-case-tz", "", 0,
	"Expires: Thu, 18 Aug 2050 02:01:18 gMT;;Date: {0}", "", CACHED},
    {"freshness-expires-invalid-utc", "", 0,
	"Expires: Thu, 18 Aug 2050 02:01:18 UTC;;Date: {0}", "", NOT_CACHED},
    {"freshness-expires-invalid-aest", "", 0,
	"Expires: Thu, 18 Aug 2050 02:01:18 AEST;;Date: {0}", "", NOT_CACHED},
    {"freshness-expires-invalid-2-digit-year", "", 0,
	"Expires: Thu, 18 Aug 50 02:01:18 GMT;;Date: {0}", "", NOT_CACHED},
    {"freshness-expires-invalid-no-comma", "", 0,
	"Expires: Thu 18 Aug 2050 02:01:18 GMT;;Date: {0}", "", NOT_CACHED},
    {"freshness-expires-invalid-multiple-spaces", "", 0,
	"Expires: Thu, 18  Aug  2050 02:01:18 GMT;;Date: {0}", "", NOT_CACHED},
    {"freshness-expires-invalid-date-dashes", "", 0,
	"Expires: Thu, 18-Aug-2050 02:01:18 GMT;;Date: {0}", "", NOT_CACHED},
    {"freshness-expires-invalid-time-periods", "", 0,
	"Expires: Thu, 18 Aug 2050 02.01.18 GMT;;Date: {0}", "", NOT_CACHED},
    {"freshness-expires-invalid-1-digit-hour", "", 0,
	"Expires: Thu, 18 Aug 2050 2:01:18 GMT;;Date: {0}", "", NOT_CACHED},
    {"freshness-expires-invalid-multiple-lines", "", 0,
	"Expires: Thu, 18 Aug 2050 2:01:18 GMT;;"
	"Expires: Thu, 18 Aug 2050 2:01:19 GMT;;Date: {0}",
	"", NOT_CACHED},

    /* heuristic, a tenth of a day; a stale one is validated */
    {"heuristic-200", "", 200, "Last-Modified: {-86400};;Date: {0}", "",
	CACHED},
    {"heuristic-201", "", 201, "Last-Modified: {-86400};;Date: {0}", "",
	NOT_CACHED},
    {"heuristic-202", "", 202, "Last-Modified: {-86400};;Date: {0}", "",
	NOT_CACHED},
    {"heuristic-203", "", 203, "Last-Modified: {-86400};;Date: {0}", "",
	CACHED},
    {"heuristic-204", "", 204, "Last-Modified: {-86400};;Date: {0}", "",
	CACHED},
    {"heuristic-403", "", 403, "Last-Modified: {-86400};;Date: {0}", "",
	NOT_CACHED},
    {"heuristic-404", "", 404, "Last-Modified: {-86400};;Date: {0}", "",
	CACHED},
    {"heuristic-405", "", 405, "Last-Modified: {-86400};;Date: {0}", "",
	CACHED},
    {"heuristic-410", "", 410, "Last-Modified: {-86400};;Date: {0}", "",
	CACHED},
    {"heuristic-414", "", 414, "Last-Modified: {-86400};;Date: {0}", "",
	CACHED},
    {"heuristic-501", "", 501, "Last-Modified: {-86400};;Date: {0}", "",
	CACHED},
    {"heuristic-502", "", 502, "Last-Modified: {-86400};;Date: {0}", "",
	NOT_CACHED},
    {"heuristic-503", "", 503, "Last-Modified: {-86400};;Date: {0}", "",
	NOT_CACHED},
    {"heuristic-504", "", 504, "Last-Modified: {-86400};;Date: {0}", "",
	NOT_CACHED},
    {"heuristic-599", "", 599, "Last-Modified: {-86400};;Date: {0}", "",
	NOT_CACHED},
    {"heuristic-599-public", "", 599,
	"Last-Modified: {-86400};;Date: {0};;Cache-Control: public", "",
	CACHED},
    {"heuristic-delta-30", "", 0, "Last-Modified: {-30};;Date: {0}", "", LM},
    {"heuristic-delta-60", "", 0, "Last-Modified: {-60};;Date: {0}", "",
	CACHED},

    /* cc-response */
    {"cc-resp-private-shared", "", 0, "Cache-Control: private, max-age=3600",
	"", NOT_CACHED},
    {"cc-resp-no-store", "", 0, "Cache-Control: no-store", "", NOT_CACHED},
    {"cc-resp-no-store-case-insensitive", "", 0,
	"Cache-Control: max-age=3600, No-StOrE", "", NOT_CACHED},
    {"cc-resp-no-store-fresh", "", 0,
	"Cache-Control: max-age=10000, no-store;;Expires: {10000};;Date: {0}",
	"", NOT_CACHED},
    {"cc-resp-no-cache", "", 0,
	"Cache-Control: max-age=10000, no-cache;;Expires: {10000};;Date: {0}",
	"", NOT_CACHED},
    {"cc-resp-no-cache-case-insensitive", "", 0,
	"Cache-Control: max-age=10000, No-CaChE;;Expires: {10000}", "",
	NOT_CACHED},
    {"cc-resp-no-cache-revalidate", "", 0,
	"Cache-Control: no-cache;;ETag: \"abcd\"", "", ETAG},
    {"cc-resp-no-cache-revalidate-fresh", "", 0,
	"Cache-Control: max-age=10000, no-cache;;ETag: \"abcd\"", "", ETAG},
    {"headers-omit-headers-listed-in-Cache-Control-no-cache-single", "", 0,
	"Cache-Control: no-cache=\"a\";;Cache-Control: max-age=3600", "",
	CACHED},
    {"cc-resp-must-revalidate-fresh", "", 0,
	"Cache-Control: max-age=10000, must-revalidate;;ETag: \"abcd\"", "",
	CACHED},
    {"cc-resp-must-revalidate-stale", "", 0,
	"Cache-Control: max-age=2, must-revalidate;;ETag: \"abcd\"", "", ETAG},

    /* cc-request */
    {"ccreq-ma0", "", 0, "Cache-Control: max-age=100000;;Date: {0}",
	"Cache-Control: max-age=0", NOT_CACHED},
    {"ccreq-ma1", "", 0, "Cache-Control: max-age=100000;;Date: {0}",
	"Cache-Control: max-age=1", NOT_CACHED},
    {"ccreq-magreaterage", "", 0, "Cache-Control: max-age=100000;;Age: 1800",
	"Cache-Control: max-age=600", NOT_CACHED},
    {"ccreq-max-stale", "", 0, "Cache-Control: max-age=2;;ETag: \"a\"",
	"Cache-Control: max-stale=1000", STALE},
    {"ccreq-max-stale-any", "", 0, "Cache-Control: max-age=2;;ETag: \"a\"",
	"Cache-Control: max-stale", STALE},
    {"ccreq-max-stale-age", "", 0,
	"Cache-Control: max-age=1500;;Age: 2000;;ETag: \"a\"",
	"Cache-Control: max-stale=1000", STALE},
    {"ccreq-max-stale-too-old", "", 0,
	"Cache-Control: max-age=1500;;Age: 3000;;ETag: \"a\"",
	"Cache-Control: max-stale=1000", ETAG},
    {"ccreq-max-stale-must-revalidate", "", 0,
	"Cache-Control: max-age=2, must-revalidate;;ETag: \"a\"",
	"Cache-Control: max-stale=1000", ETAG},
    {"ccreq-min-fresh", "", 0, "Cache-Control: max-age=1500",
	"Cache-Control: min-fresh=2000", NOT_CACHED},
    {"ccreq-min-fresh-age", "", 0, "Cache-Control: max-age=1500;;Age: 1000",
	"Cache-Control: min-fresh=1000", NOT_CACHED},
    {"ccreq-no-cache", "", 0, "Cache-Control: max-age=3600",
	"Cache-Control: no-cache", NOT_CACHED},
    {"ccreq-no-cache-lm", "", 0,
	"Cache-Control: max-age=3600;;Last-Modified: {-10000};;Date: {0}",
	"Cache-Control: no-cache", LM},
    {"ccreq-no-cache-etag", "", 0, "Cache-Control: max-age=3600;;ETag: \"abc\"",
	"Cache-Control: no-cache", ETAG},
    {"ccreq-no-store", "", 0, "Cache-Control: max-age=3600",
	"Cache-Control: no-store", BYPASS},
    {"ccreq-no-store-first", "Cache-Control: no-store", 0,
	"Cache-Control: max-age=3600", "", NOT_CACHED},
    {"ccreq-oic-fresh", "", 0, "Cache-Control: max-age=3600",
	"Cache-Control: only-if-cached", CACHED},

    /* pragma */
    {"pragma-request-no-cache", "", 0, "Cache-Control: max-age=100000",
	"Pragma: no-cache", NOT_CACHED},
    {"pragma-request-no-cache-beside", "", 0, "Cache-Control: max-age=100000",
	"Pragma: no-cache;;Cache-Control: max-age=50", CACHED},
    {"pragma-request-extension", "", 0, "Cache-Control: max-age=100000",
	"Pragma: unrecognised-extension", CACHED},
    {"pragma-response-no-cache", "", 0,
	"Cache-Control: max-age=3600;;Pragma: no-cache", "", CACHED},

    /* stale; what the default of the rules is has a test of its own */
    {"stale-while-revalidate", "", 0,
	"Cache-Control: max-age=1, stale-while-revalidate=3600;;ETag: \"abc\"",
	"", STALE},
    {"stale-while-revalidate-window", "", 0,
	"Cache-Control: max-age=1, stale-while-revalidate=2;;ETag: \"abc\"", "",
	ETAG},
    {"stale-while-revalidate-must-revalidate", "", 0,
	"Cache-Control: max-age=1, stale-while-revalidate=3600, "
	"must-revalidate;;ETag: \"abc\"",
	"", ETAG},
    {"stale-while-revalidate-s-maxage", "", 0,
	"Cache-Control: s-maxage=1, stale-while-revalidate=3600", "", STALE},

    /* status */
    {"status-204-fresh", "", 204, "Cache-Control: max-age=100000", "", CACHED},
    {"status-299-fresh", "", 299, "Cache-Control: max-age=100000", "", CACHED},
    {"status-302-fresh", "", 302, "Cache-Control: max-age=100000", "", CACHED},
    {"status-400-fresh", "", 400, "Cache-Control: max-age=100000", "", CACHED},
    {"status-500-fresh", "", 500, "Cache-Control: max-age=100000", "", CACHED},
    {"status-599-fresh", "", 599, "Cache-Control: max-age=100000", "", CACHED},
    {"status-200-stale", "", 200,
	"Expires: {-5000};;Last-Modified: {-100000};;Date: {0}", "", LM},
    {"status-206", "", 206,
	"Cache-Control: max-age=3600;;Content-Range: bytes 4-9/10", "",
	NOT_CACHED},
    {"status-103", "", 103, "Cache-Control: max-age=3600", "", NOT_CACHED},
    {"status-304", "", 304, "Cache-Control: max-age=3600", "", NOT_CACHED},
    {"status-599-must-understand", "", 599,
	"Cache-Control: max-age=3600, no-store, must-understand", "",
	NOT_CACHED},
    {"status-200-must-understand", "", 200,
	"Cache-Control: max-age=3600, no-store, must-understand", "", CACHED},

    /* partial: such requests pass by */
    {"partial-store-partial-reuse-partial", "Range: bytes=-5", 0,
	"Cache-Control: max-age=3600", "Range: bytes=-5", NOT_CACHED},
    {"partial-store-complete-reuse-partial", "", 0,
	"Cache-Control: max-age=3600", "Range: bytes=0-1", BYPASS},

    /* other */
    {"other-set-cookie", "", 0, "Cache-Control: max-age=3600;;Set-Cookie: a=b",
	"", NOT_CACHED},
    {"other-cookie", "", 0, "Cache-Control: max-age=3600", "Cookie: a=b",
	CACHED},

    /* auth */
    {"other-authorization", "Authorization: FOO", 0,
	"Cache-Control: max-age=100000", "", NOT_CACHED},
    {"other-authorization-public", "Authorization: FOO", 0,
	"Cache-Control: max-age=3600, public", "", CACHED},
    {"other-authorization-must-revalidate", "Authorization: FOO", 0,
	"Cache-Control: max-age=3600, must-revalidate", "", CACHED},
    {"other-authorization-smaxage", "Authorization: FOO", 0,
	"Cache-Control: s-maxage=3600", "", CACHED},

    /* vary */
    {"vary-match", "Foo: 1", 0, "Cache-Control: max-age=5000;;Vary: Foo",
	"Foo: 1", CACHED},
    {"vary-no-match", "Foo: 1", 0, "Cache-Control: max-age=5000;;Vary: Foo",
	"Foo: 2", NOT_CACHED},
    {"vary-omit-stored", "", 0, "Cache-Control: max-age=5000;;Vary: Foo",
	"Foo: 1", NOT_CACHED},
    {"vary-omit", "Foo: 1", 0, "Cache-Control: max-age=5000;;Vary: Foo", "",
	NOT_CACHED},
    {"vary-omit-empty", "Foo:", 0, "Cache-Control: max-age=5000;;Vary: Foo", "",
	NOT_CACHED},
    {"vary-cache-key", "Foo: 1;;Other: 2", 0,
	"Cache-Control: max-age=5000;;Vary: Foo", "Foo: 1;;Other: 3", CACHED},
    {"vary-2-match", "Foo: 1;;Bar: abc", 0,
	"Cache-Control: max-age=5000;;Vary: Foo, Bar", "Foo: 1;;Bar: abc",
	CACHED},
    {"vary-2-no-match", "Foo: 1;;Bar: abc", 0,
	"Cache-Control: max-age=5000;;Vary: Foo, Bar", "Foo: 2;;Bar: abc",
	NOT_CACHED},
    {"vary-2-match-omit", "Foo: 1;;Bar: abc", 0,
	"Cache-Control: max-age=5000;;Vary: Foo, Bar", "", NOT_CACHED},
    {"vary-3-order", "Foo: 1;;Bar: abc;;Baz: 789", 0,
	"Cache-Control: max-age=5000;;Vary: Foo, Bar;;Vary: Baz",
	"Foo: 1;;Baz: 789;;Bar: abcde", NOT_CACHED},
    {"vary-3-omit", "Foo: 1;;Baz: 789", 0,
	"Cache-Control: max-age=5000;;Vary: Foo, Bar, Baz", "Foo: 1;;Baz: 789",
	CACHED},
    {"vary-normalise-combine", "Foo: 1, 2", 0,
	"Cache-Control: max-age=5000;;Vary: Foo", "Foo: 1;;Foo: 2", CACHED},
    {"vary-normalise-space", "Foo: 1,2", 0,
	"Cache-Control: max-age=5000;;Vary: Foo", "Foo:  1, 2 ", CACHED},
    {"vary-case", "Foo: 1", 0, "Cache-Control: max-age=5000;;Vary: FOO",
	"fOO: 1", CACHED},
    {"vary-no-name", "Foo: 1", 0, "Cache-Control: max-age=5000;;Vary: :Foo",
	"Foo: 1", NOT_CACHED},
    {"vary-star", "Foo: 1", 0, "Cache-Control: max-age=5000;;Vary: *", "Foo: 1",
	NOT_CACHED},
    {"vary-syntax-star-star", "", 0, "Cache-Control: max-age=5000;;Vary: *, *",
	"", NOT_CACHED},
    {"vary-syntax-star-star-lines", "", 0,
	"Cache-Control: max-age=5000;;Vary: *;;Vary: *", "", NOT_CACHED},
    {"vary-syntax-empty-star", "", 0, "Cache-Control: max-age=5000;;Vary: , *",
	"", NOT_CACHED},
    {"vary-syntax-empty-star-lines", "", 0,
	"Cache-Control: max-age=5000;;Vary:;;Vary: *", "", NOT_CACHED},
    {"vary-syntax-star-foo", "", 0, "Cache-Control: max-age=5000;;Vary: *, Foo",
	"", NOT_CACHED},
    {"vary-syntax-foo-star", "", 0, "Cache-Control: max-age=5000;;Vary: Foo, *",
	"", NOT_CACHED},
    {"vary-no-token", "", 0, "Cache-Control: max-age=5000;;Vary: a:b", "",
	NOT_CACHED},
    {"vary-no-text", "", 0, "Cache-Control: max-age=5000;;Vary: \xc3\xa9", "",
	NOT_CACHED},
    {"vary-long", "", 0, "Cache-Control: max-age=5000;;Vary: " LONG "a", "",
	NOT_CACHED},
    {"vary-as-long-as-it-may-be", "", 0,
	"Cache-Control: max-age=5000;;Vary: " LONG, "", CACHED},
    {"status-600", "", 600, "Cache-Control: max-age=5000", "", NOT_CACHED},
    {"status-199", "", 199, "Cache-Control: max-age=5000", "", NOT_CACHED},
    {"age-empty", "", 0, "Cache-Control: max-age=5000;;Age:", "", CACHED},
    {"age-empty-list", "", 0, "Cache-Control: max-age=5000;;Age: ,", "",
	CACHED},
    {"ccreq-unknown", "", 0, "Cache-Control: max-age=5000",
	"Cache-Control: max-old=0, min-old=5", CACHED},
    {"ccreq-quoted", "", 0, "Cache-Control: max-age=5000",
	"Cache-Control: a=\"\\\", no-store\", b=\"\\", CACHED},
};

START_TEST(cases_of_cache_tests)
{
	const struct exchange *exchange = &exchanges[_i];
	enum outcome outcome = play(exchange, &rules, 3 * SECOND);

	ck_assert_msg(outcome == exchange->outcome, "%s: %s, not %s",
	    exchange->name, outcome_names[outcome],
	    outcome_names[exchange->outcome]);
}
END_TEST

/* What the settings change. */
static const struct {
	struct freshness_rules rules;
	int64_t after_us;
	struct exchange exchange;
} settings[] = {
    {{.most_us = 60 * SECOND}, 59 * SECOND,
	{"within cache_ttl", "", 0, "Cache-Control: max-age=3600", "", CACHED}},
    {{.most_us = 60 * SECOND}, 61 * SECOND,
	{"beyond cache_ttl", "", 0, "Cache-Control: max-age=3600;;ETag: a", "",
	    ETAG}},
    {{.most_us = 60 * SECOND}, 61 * SECOND,
	{"a guess beyond cache_ttl", "", 0, "Last-Modified: {-864000}", "",
	    LM}},
    {{.most_us = 60 * SECOND}, 50 * SECOND,
	{"an old one is used for cache_ttl", "", 0,
	    "Cache-Control: max-age=3600;;Age: 1800", "", CACHED}},
    {{.most_us = DAY, .default_us = 60 * SECOND}, 59 * SECOND,
	{"by default", "", 0, "Date: {0}", "", CACHED}},
    {{.most_us = DAY, .default_us = 60 * SECOND}, 61 * SECOND,
	{"after the default", "", 0, "Date: {0}", "", NOT_CACHED}},
    {{.most_us = DAY, .default_us = 60 * SECOND}, 5 * SECOND,
	{"no default for errors", "", 503, "Date: {0}", "", NOT_CACHED}},
    {{.most_us = DAY, .default_us = 60 * SECOND}, 5 * SECOND,
	{"no default against the response", "", 0, "Cache-Control: max-age=0",
	    "", NOT_CACHED}},
    {{.most_us = DAY, .keeps_private = true}, 5 * SECOND,
	{"private is kept", "", 0, "Cache-Control: private, max-age=60", "",
	    CACHED}},
    {{.most_us = DAY, .keeps_private = true}, 5 * SECOND,
	{"a client's login is not ours", "Authorization: x", 0,
	    "Cache-Control: private, max-age=60", "", NOT_CACHED}},
    {{.most_us = DAY}, 5 * SECOND,
	{"clients cannot force", "", 0, "Cache-Control: max-age=60",
	    "Cache-Control: no-cache, max-age=0, min-fresh=99, no-store",
	    CACHED}},
    {{.most_us = DAY}, 5 * SECOND,
	{"nor by Pragma", "", 0, "Cache-Control: max-age=60",
	    "Pragma: no-cache", CACHED}},
    {{.most_us = DAY}, 5 * SECOND,
	{"but ask for a range", "", 0, "Cache-Control: max-age=60",
	    "Range: bytes=1-", BYPASS}},
    {{.most_us = DAY, .stale_while_revalidate_us = 10 * SECOND}, 5 * SECOND,
	{"stale by default", "", 0, "Cache-Control: max-age=1", "", STALE}},
    {{.most_us = DAY, .stale_while_revalidate_us = 10 * SECOND}, 5 * SECOND,
	{"not against the response", "", 0,
	    "Cache-Control: max-age=1, stale-while-revalidate=0;;ETag: a", "",
	    ETAG}},
    {{.most_us = DAY, .stale_while_revalidate_us = 10 * SECOND}, 5 * SECOND,
	{"nor with s-maxage", "", 0, "Cache-Control: s-maxage=1;;ETag: a", "",
	    ETAG}},
};

START_TEST(settings_bound_what_is_fresh)
{
	enum outcome outcome = play(
	    &settings[_i].exchange, &settings[_i].rules, settings[_i].after_us);

	ck_assert_msg(outcome == settings[_i].exchange.outcome,
	    "%s: %s, not %s", settings[_i].exchange.name,
	    outcome_names[outcome],
	    outcome_names[settings[_i].exchange.outcome]);
}
END_TEST

static struct freshness
freshness_by(const char *response, const struct freshness_rules *with)
{
	char room[4096];
	struct received received = {200,
	    headers_of(room, sizeof(room), response), NOW - SECOND, NOW, SHIFT};
	struct freshness freshness;
	struct request_control control;

	request_control_read(&control, with, (struct headers){0});
	ck_assert(freshness_of(&freshness, with, &control, &received));
	return freshness;
}

/* After three seconds, may it take the place of an error? */
static const struct {
	const char *response;
	int64_t rule_us;
	const char *request;
	bool covers;
} errors[] = {
    {"Cache-Control: max-age=2;;ETag: a", 0, "", false},
    {"Cache-Control: max-age=2;;ETag: a", 60 * SECOND, "", true},
    {"Cache-Control: max-age=2, stale-if-error=60", 0, "", true},
    {"Cache-Control: max-age=2, stale-if-error=60", 0,
	"Cache-Control: no-cache", false},
    {"Cache-Control: max-age=2, stale-if-error=60", 0,
	"Cache-Control: no-store", false},
    {"Cache-Control: max-age=2, stale-if-error=0;;ETag: a", 60 * SECOND, "",
	false},
    {"Cache-Control: max-age=2, must-revalidate;;ETag: a", 60 * SECOND, "",
	false},
    {"Cache-Control: max-age=2, proxy-revalidate;;ETag: a", 60 * SECOND, "",
	false},
    {"Cache-Control: max-age=2, no-cache;;ETag: a", 60 * SECOND, "", false},
    {"Cache-Control: s-maxage=2;;ETag: a", 60 * SECOND, "", false},
    {"Cache-Control: max-age=2;;ETag: a", 0, "Cache-Control: max-stale", true},
};

START_TEST(stale_response_covers_an_error)
{
	const struct freshness_rules with = {.most_us = DAY,
	    .stale_if_error_us = errors[_i].rule_us,
	    .obeys_clients = true};
	struct freshness freshness = freshness_by(errors[_i].response, &with);
	struct request_control control;
	char room[4096];

	request_control_read(&control, &with,
	    headers_of(room, sizeof(room), errors[_i].request));
	ck_assert_int_eq(
	    freshness_covers_error(&freshness, &control, NOW + 3 * SECOND),
	    errors[_i].covers);
	ck_assert(status_is_error(503));
	ck_assert(!status_is_error(501));
}
END_TEST

START_TEST(age_counts_from_where_the_response_was_made)
{
	struct freshness freshness;

	/* other-age-gen: it took a second to come */
	freshness = freshness_by("Cache-Control: max-age=100", &rules);
	ck_assert_int_eq(freshness_age_s(&freshness, NOW), 1);
	ck_assert_int_eq(freshness_age_s(&freshness, NOW + 2 * SECOND), 3);
	/* other-age-update-expires */
	freshness =
	    freshness_by("Expires: {2592000};;Date: {0};;Age: 30", &rules);
	ck_assert_int_eq(freshness_age_s(&freshness, NOW + 3 * SECOND), 34);
	/* The clock of the server goes by. */
	freshness =
	    freshness_by("Cache-Control: max-age=100;;Date: {-50}", &rules);
	ck_assert_int_eq(freshness_age_s(&freshness, NOW), 50);
	freshness =
	    freshness_by("Cache-Control: max-age=100;;Date: {50}", &rules);
	ck_assert_int_eq(freshness_age_s(&freshness, NOW), 1);
}
END_TEST

/* Is it 304 for a client that has it? */
static const struct {
	const char *request, *stored;
	bool has;
} conditions[] = {
    {"", "ETag: \"abcdef\"", false},
    {"If-None-Match: \"abcdef\"", "ETag: \"abcdef\"", true},
    {"If-None-Match: \"abcde\"", "ETag: \"abcdef\"", false},
    {"If-None-Match: \"abcdef\"", "Date: {0}", false},
    {"If-None-Match: *", "Date: {0}", true},
    {"If-None-Match: W/\"abcdef\"", "ETag: \"abcdef\"", true},
    {"If-None-Match: \"abcdef\"", "ETag: W/\"abcdef\"", true},
    {"If-None-Match: \"1234\", \"abcdef\", \"5678\"", "ETag: \"abcdef\"", true},
    {"If-None-Match: \"1,2\"", "ETag: \"1,2\"", true},
    {"If-None-Match: \"1234\";;If-None-Match: \"abcdef\"", "ETag: \"abcdef\"",
	true},
    {"If-None-Match: \"x\";;If-Modified-Since: {0}",
	"ETag: \"y\";;Last-Modified: {-10}", false},
    {"If-None-Match: \"y\";;If-Modified-Since: {-100}",
	"ETag: \"y\";;Last-Modified: {-10}", true},
    {"If-Modified-Since: {-3000}", "Last-Modified: {-3000}", true},
    {"If-Modified-Since: {-2000}", "Last-Modified: {-3000}", true},
    {"If-Modified-Since: {-4000}", "Last-Modified: {-3000}", false},
    {"If-Modified-Since: {0}", "Date: {-1}", true},
    {"If-Modified-Since: Tuesday, 08-Nov-33 08:49:37 GMT", "Date: {0}", true},
    {"If-Modified-Since: yesterday", "Last-Modified: {-3000}", false},
    {"If-Modified-Since: {0}", "ETag: \"y\"", false},
    {"If-None-Match: \"abcdez\"", "ETag: \"abcdef\"", false},
    {"If-Modified-Since: {0}", "Last-Modified: never", false},
};

START_TEST(client_that_has_it_is_known)
{
	char request[4096], stored[4096];
	struct headers asked =
	    headers_of(request, sizeof(request), conditions[_i].request);
	struct headers held =
	    headers_of(stored, sizeof(stored), conditions[_i].stored);

	ck_assert_int_eq(
	    client_has_it(asked, held, 200, WALL), conditions[_i].has);
	ck_assert(!client_has_it(asked, held, 404, WALL));
}
END_TEST

START_TEST(dates_are_read_in_three_forms)
{
	static const struct {
		const char *text;
		int64_t seconds; /* -1: it is none */
	} dates[] = {
	    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
	    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
	    {"Sun Nov  6 08:49:37 1994", 784111777},
	    {"Sun Nov 16 08:49:37 1994", 784975777},
	    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
	    {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
	    {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
	    {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
	    {"Sun, 32 Nov 1994 08:49:37 GMT", -1},
	    {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
	    {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
	    {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
	    {"Sun, 06 Nov 1994 08:49:37", -1},
	    {"Sun, 06 Nox 1994 08:49:37 GMT", -1},
	    {"Son, 06 Nov 1994 08:49:37 GMT", -1},
	    {"Sun Nov  a 08:49:37 1994", -1},
	    {"Sun, 06 Nov 1994 08:4", -1},
	    {"Sun Nov ", -1},
	    {"Sun Nov  ", -1},
	    {"", -1},
	};

	for (size_t i = 0; i < COUNT(dates); i++) {
		struct part part = {dates[i].text, strlen(dates[i].text)};
		int64_t us = -SECOND;

		ck_assert_msg(
		    part_read_date(part, WALL, &us) == (dates[i].seconds >= 0),
		    "%s", dates[i].text);
		if (dates[i].seconds >= 0)
			ck_assert_int_eq(us, dates[i].seconds * SECOND);
	}
}
END_TEST

START_TEST(methods_that_change_something_invalidate)
{
	ck_assert(method_invalidates("POST", 4, 200));
	ck_assert(method_invalidates("DELETE", 6, 204));
	ck_assert(method_invalidates("M-SEARCH", 8, 200));
	ck_assert(!method_invalidates("POST", 4, 500));
	ck_assert(!method_invalidates("POST", 4, 404));
	ck_assert(!method_invalidates("GET", 3, 200));
	ck_assert(!method_invalidates("OPTIONS", 7, 200));
	ck_assert(!method_invalidates("POST", 4, 103));
}
END_TEST

START_TEST(some_errors_may_be_covered)
{
	static const int covered[] = {500, 502, 503, 504};

	for (size_t i = 0; i < COUNT(covered); i++)
		ck_assert(status_is_error(covered[i]));
	ck_assert(!status_is_error(404));
	ck_assert(!status_is_error(501));
	ck_assert(!status_is_error(505));
}
END_TEST

Suite *
freshness_suite(void)
{
	Suite *suite = suite_create("freshness");
	TCase *tcase = tcase_create("freshness");

	tcase_add_loop_test(tcase, cases_of_cache_tests, 0, COUNT(exchanges));
	tcase_add_loop_test(
	    tcase, settings_bound_what_is_fresh, 0, COUNT(settings));
	tcase_add_loop_test(
	    tcase, stale_response_covers_an_error, 0, COUNT(errors));
	tcase_add_test(tcase, age_counts_from_where_the_response_was_made);
	tcase_add_loop_test(
	    tcase, client_that_has_it_is_known, 0, COUNT(conditions));
	tcase_add_test(tcase, dates_are_read_in_three_forms);
	tcase_add_test(tcase, methods_that_change_something_invalidate);
	tcase_add_test(tcase, some_errors_may_be_covered);
	suite_add_tcase(suite, tcase);
	return suite;
}
