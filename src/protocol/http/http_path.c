#include "protocol/http/http_path.h"

#include "base/attr.h"
#include "protocol/http/http_head.h"

#include <string.h>

#define DECISIONS (1u << OFFER_ANY | 1u << OFFER_HTTP)
#define ADMIN     (1u << OFFER_ADMIN)
#define ALL       (DECISIONS | ADMIN)

#define NOTHING HTTP_TAKES_NONE
#define KEY     HTTP_TAKES_KEY
#define EACH    HTTP_TAKES_EACH
#define ENVOY   HTTP_TAKES_DESCRIPTORS
#define ROUTE   HTTP_TAKES_ROUTE
#define PAGE    HTTP_TAKES_PAGE
#define WHOLE   HTTP_TAKES_ALL

#define X(name, bit) | HTTP_##name
#define ANY          (0 HTTP_METHODS(X))

const struct http_path http_paths[] = {
    {"/consume", HTTP_GET | HTTP_POST, DECISIONS, EACH, VERB_CONSUME, NULL,
	false},
    {"/peek", HTTP_GET | HTTP_POST, DECISIONS, EACH, VERB_PEEK, NULL, false},
    {"/charge", HTTP_GET | HTTP_POST, DECISIONS, KEY, VERB_CHARGE, NULL, false},
    {"/take", HTTP_GET | HTTP_POST, DECISIONS, KEY, VERB_TAKE, NULL, false},
    {"/hold", HTTP_POST, DECISIONS, KEY, VERB_HOLD, NULL, false},
    {"/release", HTTP_POST, DECISIONS, KEY, VERB_RELEASE, NULL, false},
    {"/reset", HTTP_POST, DECISIONS, KEY, VERB_RESET, NULL, false},
    {"/explain", HTTP_GET, ALL, KEY, VERB_EXPLAIN, HTTP_PLAIN, false},
    {"/json", HTTP_POST, DECISIONS, ENVOY, VERB_MCONSUME, NULL, false},
    {"/check", ANY, DECISIONS, ROUTE, VERB_CHECK, NULL, false},
    {"/upstream", ANY, DECISIONS, WHOLE, VERB_UPSTREAM, NULL, false},
    {"/healthz", HTTP_GET, ALL, NOTHING, VERB_PING, NULL, false},
    {"/readyz", HTTP_GET, ALL, NOTHING, VERB_READY, NULL, false},
    {"/limits", HTTP_GET, ADMIN, NOTHING, VERB_LIMITS, HTTP_PLAIN, false},
    {"/stats", HTTP_GET, ADMIN, NOTHING, VERB_STATS, HTTP_PLAIN, false},
    {"/status", HTTP_GET, ADMIN, NOTHING, VERB_STATUS, HTTP_PLAIN, false},
    {"/top", HTTP_GET, ADMIN, NOTHING, VERB_TOP, HTTP_PLAIN, false},
    {"/", HTTP_GET, ADMIN, PAGE, VERB_EVENTS, HTTP_HTML, false},
    {"/events", HTTP_GET, ADMIN, NOTHING, VERB_EVENTS, HTTP_EVENTS, false},
    {"/metrics", HTTP_GET, ADMIN, NOTHING, VERB_OPENMETRICS, HTTP_OPENMETRICS,
	true},
    {"/metrics", HTTP_GET, ADMIN, NOTHING, VERB_METRICS, HTTP_METRICS, false},
};
#undef X

_Static_assert(COUNT(http_paths) <= HTTP_PATHS_MAX, "more than are numbered");

/* Whether what is behind its path is for someone else. */
static bool
http_path_goes_on(const struct http_path *row)
{
	return row->takes == HTTP_TAKES_ROUTE || row->takes == HTTP_TAKES_ALL;
}

/* Whether the row is that of a path. */
static bool
http_path_is(const struct http_path *row, const char *bytes, size_t len)
{
	size_t own = strlen(row->path);

	if (len > own && http_path_goes_on(row) && bytes[own] == '/')
		len = own;
	return len == own && memcmp(row->path, bytes, len) == 0;
}

int
http_path_find(
    const char *bytes, size_t len, enum offer offer, bool accepts_openmetrics)
{
	for (size_t i = 0; i < COUNT(http_paths); i++)
		if ((http_paths[i].offers & (1u << offer)) &&
		    http_paths[i].is_openmetrics <= accepts_openmetrics &&
		    http_path_is(&http_paths[i], bytes, len))
			return (int)i;
	return -1;
}

bool
http_path_takes(const struct http_path *path, unsigned method)
{
	if (method == HTTP_HEAD)
		method = HTTP_GET;
	return (path->methods & method) != 0;
}
