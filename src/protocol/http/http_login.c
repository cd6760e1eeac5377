#include "protocol/http/http_login.h"

#include "protocol/http/http_path.h"
#include "protocol/login.h"

/* The header with which its client logs in; at /check, Authorization is for
 * the application behind the proxy.  Return NULL: it has none. */
static const struct http_span *
http_login_field(const struct http_head *head, const struct http_path *path)
{
	if (path->takes == HTTP_TAKES_ROUTE)
		return head->has_proxy_login ? &head->proxy_login : NULL;
	return head->has_login ? &head->login : NULL;
}

static const struct http_problem *
http_login_problem(const struct http_path *path, enum protocol_error error)
{
	if (path->takes == HTTP_TAKES_ROUTE && error == ERROR_NOAUTH)
		return HTTP_PROBLEM(PROXYAUTH);
	if (path->takes == HTTP_TAKES_ROUTE && error == ERROR_WRONGPASS)
		return HTTP_PROBLEM(PROXYPASS);
	return http_problem_of(error);
}

/* Each request says by itself who asks. */
const struct http_problem *
http_login(struct session *session, const struct http_head *head,
    const char *bytes, const struct http_path *path)
{
	const struct http_span *field = http_login_field(head, path);
	enum protocol_error error = ERROR_NONE;

	if (!session->common->users || users_is_open(path->verb))
		return NULL;
	if (field)
		error =
		    login_with_header(session, bytes + field->at, field->len);
	else
		login_forget(session);
	return http_login_problem(
	    path, error ? error : login_check_verb(session, path->verb));
}
