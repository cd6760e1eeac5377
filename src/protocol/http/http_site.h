/**
 * http_site: which requests come from a page of another site, in a browser that
 * does what that page says.  They are refused.
 */
#ifndef PROTOCOL_HTTP_HTTP_SITE_H
#define PROTOCOL_HTTP_HTTP_SITE_H

#include "base/attr.h"
#include "protocol/http/http_head.h"

/** Look at the origin of a request, and at its host, which is ours if it is an
 * address, a name without a dot, or one of ${hosts}, with blanks between them;
 * "*" is any.  One that ${charges} is not taken from a browser that may hide
 * the origin.  ${bytes} are the head's.  Return NULL, or why it is refused. */
const struct http_problem *http_site_check(const struct http_head *head,
    const char *bytes, const char *hosts, bool charges) MUST_USE;

#endif
