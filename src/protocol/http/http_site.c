#include "protocol/http/http_site.h"

#include <string.h>
#include <strings.h>

/* Addresses are ours, since no one can make a browser take one for a name; and
 * names without a dot, since no one else can register them. */
static bool
http_site_is_plain(const char *name, size_t len)
{
	size_t digits = 0;

	if (len == 0 || *name == '[')
		return true;
	if (!memchr(name, '.', len))
		return true;
	while (digits < len && ((name[digits] >= '0' && name[digits] <= '9') ||
				   name[digits] == '.'))
		digits++;
	return digits == len;
}

static bool
http_site_is_listed(const char *name, size_t len, const char *hosts)
{
	while (*(hosts += strspn(hosts, " \t"))) {
		size_t word = strcspn(hosts, " \t");

		if ((word == 1 && *hosts == '*') ||
		    (word == len && strncasecmp(hosts, name, len) == 0))
			return true;
		hosts += word;
	}
	return false;
}

/* The length of a host without its port. */
static size_t
http_site_name_len(const char *host, size_t len)
{
	const char *colon;

	if (len > 0 && *host == '[')
		return len;
	colon = memchr(host, ':', len);
	return colon ? (size_t)(colon - host) : len;
}

/* "http://HOST", with the host that the request is for. */
static bool
http_site_is_own(const struct http_head *head, const char *bytes)
{
	static const char *const schemes[] = {"http://", "https://"};
	const char *origin = bytes + head->origin.at;

	for (size_t i = 0; i < COUNT(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (head->host.len > 0 &&
		    head->origin.len == len + head->host.len &&
		    strncasecmp(origin, schemes[i], len) == 0 &&
		    strncasecmp(origin + len, bytes + head->host.at,
			head->host.len) == 0)
			return true;
	}
	return false;
}

/* Whether it may be of any site.  Browsers say the origin of a POST; where the
 * connection may be tapped, they send no Sec-Fetch-Site, and with a GET for a
 * picture no origin either. */
static bool
http_site_is_hidden(const struct http_head *head)
{
	return head->is_browser && !head->has_site && !head->has_origin &&
	       head->method != HTTP_POST;
}

const struct http_problem *
http_site_check(const struct http_head *head, const char *bytes,
    const char *hosts, bool charges)
{
	const char *host = bytes + head->host.at;
	size_t len = http_site_name_len(host, head->host.len);

	if (head->is_other_site ||
	    (head->has_origin && !http_site_is_own(head, bytes)))
		return HTTP_PROBLEM(SITE);
	if (charges && http_site_is_hidden(head))
		return HTTP_PROBLEM(BROWSER);
	if (!http_site_is_plain(host, len) &&
	    !http_site_is_listed(host, len, hosts))
		return HTTP_PROBLEM(HOST);
	return NULL;
}
