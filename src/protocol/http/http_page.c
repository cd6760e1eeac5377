#include "protocol/http/http_page.h"

#include "protocol/http/http_path.h"
#include "protocol/http/http_write.h"
#include "src/protocol/http/page.inc"

const char http_page_policy[] =
    "Content-Security-Policy: default-src 'none'; style-src 'sha256-" STYLE_HASH
    "'; script-src 'sha256-" SCRIPT_HASH "'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n";

enum read_result
http_page_respond(struct session *session, unsigned encoding)
{
	return http_write_text(&session->common->response, encoding, HTTP_HTML,
		   page, sizeof(page) - 1) == -1
		   ? READ_FAILED
		   : READ_RESPONDED;
}
