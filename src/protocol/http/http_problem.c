#include "protocol/http/http_problem.h"

#include "base/attr.h"

const struct http_problem http_problems[] = {
#define X(id, status, code, text) {status, code, text},
    HTTP_PROBLEMS(X)
#undef X
};

static const struct {
	int status;
	const char *text;
} statuses[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

/* Those that are no fault of the request. */
#define STATUS_OF(error)                                                       \
	((error) == ERROR_NOLIMIT          ? 404                               \
	    : (error) == ERROR_NOAUTH      ? 401                               \
	    : (error) == ERROR_WRONGPASS   ? 401                               \
	    : (error) == ERROR_SLOWDOWN    ? 429                               \
	    : (error) == ERROR_OTHERID     ? 422                               \
	    : (error) == ERROR_NOPERM      ? 403                               \
	    : (error) == ERROR_NOTHELD     ? 409                               \
	    : (error) >= ERROR_UNAVAILABLE ? 503                               \
					   : 400)

const struct http_problem *
http_problem_of(enum protocol_error error)
{
	static const struct http_problem errors[ERROR_COUNT] = {
#define X(id, code, text) [ERROR_##id] = {STATUS_OF(ERROR_##id), code, text},
	    PROTOCOL_ERRORS(X)
#undef X
	};

	return error ? &errors[error] : NULL;
}

const char *
http_status_text(int status)
{
	for (size_t i = 0; i < COUNT(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].text;
	return status < 400 ? "" : "Error";
}
