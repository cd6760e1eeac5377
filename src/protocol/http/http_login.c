#include "protocol/http/http_login.h"

#include "protocol/http/http_path.h"
#include "protocol/login.h"

/* Each request says by itself who asks. */
const struct http_problem *
http_login(struct session *session, const struct http_head *head,
    const char *bytes, int path)
{
	enum verb verb = http_paths[path].verb;
	enum protocol_error error = ERROR_NONE;

	if (!session->common->users || users_is_open(verb))
		return NULL;
	if (head->has_login)
		error = login_with_header(
		    session, bytes + head->login.at, head->login.len);
	else
		login_forget(session);
	return http_problem_of(error ? error : login_check_verb(session, verb));
}
