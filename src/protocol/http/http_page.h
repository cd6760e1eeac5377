/**
 * http_page: the status page, page.html, which has all that it needs.
 */
#ifndef PROTOCOL_HTTP_HTTP_PAGE_H
#define PROTOCOL_HTTP_HTTP_PAGE_H

#include "protocol/session.h"

/** The header, with its end, by which a browser runs no script but the page's
 * own, and shows the page in no frame. */
extern const char http_page_policy[];

/** Respond with the page.  Return as protocol->read(). */
enum read_result http_page_respond(struct session *session, unsigned encoding);

#endif
