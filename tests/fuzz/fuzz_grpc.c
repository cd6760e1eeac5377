/*
 * Any bytes as a client of gRPC, at once or one by one: the calls that are read
 * ask for what may be asked, and each is responded to.  The same bytes as a
 * message: its keys are keys.
 */
#include "fuzz.h"
#include "protocol/grpc/grpc_authorization.h"
#include "protocol/grpc/grpc_message.h"
#include "protocol/grpc/grpc_reflection.h"
#include "protocol/grpc/grpc_session.h"
#include "protocol/session.h"

#include <string.h>

extern const struct protocol grpc_protocol;

/* Have what the protocol left be sent. */
static void
send_response(struct session *session, struct buf *out)
{
	struct buf *response = &session->common->response;
	size_t len = buf_len(response);

	if (len > 0)
		check(grpc_protocol.frame(
			  session, buf_data(response), len, out) == 0);
	buf_consume(response, len);
}

static void
check_key(const struct check_key *key)
{
	check(key->len >= 1 && key->len <= KEY_MAX);
	check(key->amount <= LIMIT_AMOUNT_MAX &&
	      key->amount >= -LIMIT_AMOUNT_MAX);
	if (key->capacity == 0)
		return;
	check(key->capacity >= 1 && key->capacity <= LIMIT_CAPACITY_MAX);
	check(key->recharge_ns >= 1000 &&
	      key->recharge_ns <= LIMIT_INLINE_LIFE_US * 1000 / key->capacity);
}

static void
take_request(
    struct session *session, const struct request *request, struct buf *out)
{
	for (unsigned i = 0; i < request->key_count; i++)
		check_key(&request->keys[i]);
	check(grpc_protocol.word(
		  &session->common->response, request->encoding, "OK") == 0);
	send_response(session, out);
}

/* Feed ${len} bytes, ${step} at a time, behind the preface. */
static void
feed(const char *bytes, size_t len, size_t step)
{
	static struct session_common common;
	struct session session;
	struct buf out = {0}, in = {0};
	struct request request;

	check(buf_add(&in, GRPC_PREFACE, sizeof(GRPC_PREFACE) - 1) == 0);
	check(buf_add(&in, bytes, len) == 0);
	session_start(&session, &common, 1, OFFER_ANY);
	session.protocol = &grpc_protocol;
	while ((buf_len(&in) > 0 || session_has_queued(&session)) &&
	       !session.last) {
		size_t used, most = buf_len(&in) < step ? buf_len(&in) : step;
		enum read_result result = session_read(
		    &session, buf_data(&in), most, &used, &request);

		check(used <= most);
		buf_consume(&in, used);
		if (result == READ_REQUEST)
			take_request(&session, &request, &out);
		else
			send_response(&session, &out);
		if (result == READ_FAILED)
			break;
		buf_consume(&out, buf_len(&out));
	}
	(void)!grpc_protocol.tell_ready(&session, ERROR_FALLBACK, &out);
	(void)!grpc_protocol.drain(&session, &out);
	session_end(&session);
	session_common_clear(&common);
	buf_free(&in);
	buf_free(&out);
}

static void
reflect(const char *bytes, size_t len)
{
	char room[GRPC_REFLECTION_MAX];
	struct grpc_writing to = {.bytes = room, .room = sizeof(room)};
	const struct grpc_text request = {bytes, len};

	if (len > GRPC_REFLECTION_ASKED_MAX)
		return;
	grpc_reflection_respond(&to, &request);
	check(!to.is_cut);
}

static void
authorize(const char *bytes, size_t len)
{
	static struct original original;
	static struct routed_request routed;
	const struct grpc_text message = {bytes, len};
	struct original_routing routing = {.client_header = "x-forwarded-for"};

	if (grpc_authorization_read(&message, &original, &routing.peer))
		return;
	check(original.count <= ORIGINAL_FIELDS_MAX);
	(void)!original_route(&routing, &original, &routed);
}

static void
read_message(const char *bytes, size_t len)
{
	static struct descriptors asked = {.takes_limits = true};
	bool known;

	if (!grpc_message_read(&asked, bytes, len)) {
		check(asked.count >= 1 && asked.count <= CHECK_KEYS_MAX);
		for (unsigned i = 0; i < asked.count; i++)
			check_key(&asked.keys[i]);
	}
	(void)!grpc_message_read_health(bytes, len, &known);
	reflect(bytes, len);
	authorize(bytes, len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;

	read_message(bytes, size);
	if (size > 8192)
		return 0;
	feed(bytes, size, 8192);
	feed(bytes, size, 1);
	return 0;
}
