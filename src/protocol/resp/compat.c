/*
 * Responds to what clients of Redis send when they connect.  Invariant: nothing
 * here changes a bucket, or what other clients see.  The heart: compat_hello().
 */
#include "protocol/resp/compat.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "protocol/login.h"
#include "protocol/resp/multi.h"
#include "protocol/resp/resp_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Clients infer from the version what the server can do. dripgated does what
 * they ask of a Redis 7, and gives its own name and version as well. */
#define REDIS_VERSION "7.0.0"

#define NO_PASSWORD "ERR AUTH: there is no password here; leave it out"

/* Log in with ${count} words: the secret, perhaps a name before it.  Return
 * what is wrong, or NULL. */
static const char *
compat_log_in(
    struct session *session, const struct resp_word *words, size_t count)
{
	const struct request_word name = {words[0].bytes, words[0].len};
	const struct resp_word *last = &words[count - 1];
	const struct request_word secret = {last->bytes, last->len};
	enum protocol_error error;

	error = login_with_secret(session, count > 1 ? &name : NULL, &secret);
	if (error == ERROR_NOUSERS)
		return NO_PASSWORD;
	return error ? "WRONGPASS invalid username-password pair or user is "
		       "disabled."
		     : NULL;
}

int
compat_unknown_subcommand(struct buf *out, const struct resp_command *command)
{
	const struct resp_word *word = &command->words[1];
	char shown[64], text[120];

	snprintf(text, sizeof(text), "ERR unknown subcommand '%s'",
	    log_escape(shown, sizeof(shown), word->bytes, word->len));
	return resp_write_error(out, text);
}

/* Carry out the words behind HELLO's version.  Return what is wrong with them,
 * or NULL. */
static const char *
compat_read_options(const struct resp_command *command, struct session *session)
{
	const struct resp_word *login = NULL;

	for (size_t i = 2; i < command->count; i += 2) {
		const struct resp_word *word = &command->words[i];

		if (resp_word_is(word, "AUTH") && i + 2 < command->count) {
			login = word + 1;
			i++;
			continue;
		}
		if (!resp_word_is(word, "SETNAME") || i + 1 == command->count)
			return "ERR Syntax error in HELLO";
	}
	return login ? compat_log_in(session, login, 2) : NULL;
}

static int
compat_write_pair(struct buf *out, const char *name, const char *value)
{
	return resp_write_text(out, name) == -1 ? -1
						: resp_write_text(out, value);
}

int
compat_hello(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	int64_t version = resp_version(session);
	const char *wrong = "NOPROTO unsupported protocol version";

	if (command->count == 1 ||
	    num_read_int(command->words[1].bytes, command->words[1].len, 2, 3,
		&version) == 0)
		wrong = compat_read_options(command, session);
	if (wrong)
		return resp_write_error(out, wrong);
	resp_session_of(session)->resp3 = version == 3;
	if (resp_write_map(out, 7, resp_version(session)) == -1 ||
	    compat_write_pair(out, "server", "dripgate") == -1 ||
	    compat_write_pair(out, "version", VERSION) == -1 ||
	    resp_write_text(out, "proto") == -1 ||
	    resp_write_int(out, version) == -1 ||
	    resp_write_text(out, "id") == -1 ||
	    resp_write_int(out, (int64_t)session->id) == -1 ||
	    compat_write_pair(out, "mode", "standalone") == -1 ||
	    compat_write_pair(out, "role", "master") == -1 ||
	    resp_write_text(out, "modules") == -1)
		return -1;
	return resp_write_array(out, 0);
}

int
compat_auth(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	const char *wrong =
	    compat_log_in(session, &command->words[1], command->count - 1);

	return wrong ? resp_write_error(out, wrong)
		     : resp_write_status(out, "OK");
}

int
compat_select(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	(void)session;
	if (!resp_word_is(&command->words[1], "0"))
		return resp_write_error(out, "ERR DB index is out of range");
	return resp_write_status(out, "OK");
}

/* The line of CLIENT INFO.  The session does not know the client's address. */
static int
compat_write_client(const struct session *session, struct buf *out)
{
	char line[200];

	snprintf(line, sizeof(line),
	    "id=%llu addr=0.0.0.0:0 laddr=0.0.0.0:0 fd=0 name= age=0 idle=0 "
	    "flags=N db=0 sub=0 psub=0 multi=-1 user=default resp=%d\n",
	    (unsigned long long)session->id, resp_version(session));
	return resp_write_text(out, line);
}

/* Names are accepted and forgotten: nothing shows them.  TRACKING too: no
 * response may be cached by a client, so none needs to be invalidated. */
int
compat_client(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	static const char *const taken[] = {"SETNAME", "SETINFO", "NO-EVICT",
	    "NO-TOUCH", "TRACKING", "CACHING"};
	const struct resp_word *word = &command->words[1];

	if (resp_word_is(word, "ID"))
		return resp_write_int(out, (int64_t)session->id);
	if (resp_word_is(word, "GETNAME"))
		return resp_write_null(out, resp_version(session));
	if (resp_word_is(word, "INFO") || resp_word_is(word, "LIST"))
		return compat_write_client(session, out);
	for (size_t i = 0; i < COUNT(taken); i++)
		if (resp_word_is(word, taken[i]))
			return resp_write_status(out, "OK");
	return compat_unknown_subcommand(out, command);
}

/* Clients ask whether this server is part of a cluster. */
int
compat_cluster(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	(void)command;
	(void)session;
	return resp_write_error(
	    out, "ERR This instance has cluster support disabled");
}

int
compat_time(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	int64_t now_us = clock_us() + clock_shift_us();
	char seconds[NUM_MAX_LEN + 1], micros[NUM_MAX_LEN + 1];

	(void)command;
	(void)session;
	snprintf(seconds, sizeof(seconds), "%" PRId64, now_us / 1000000);
	snprintf(micros, sizeof(micros), "%" PRId64, now_us % 1000000);
	if (resp_write_array(out, 2) == -1 ||
	    resp_write_text(out, seconds) == -1)
		return -1;
	return resp_write_text(out, micros);
}

/* Buckets are not keys that a client could list. */
int
compat_dbsize(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	(void)command;
	(void)session;
	return resp_write_int(out, 0);
}

int
compat_info(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	static const char info[] = "# Server\r\n"
				   "redis_version:" REDIS_VERSION "\r\n"
				   "redis_mode:standalone\r\n"
				   "dripgate_version:" VERSION "\r\n"
				   "\r\n# Persistence\r\n"
				   "loading:0\r\n"
				   "\r\n# Replication\r\n"
				   "role:master\r\n"
				   "connected_slaves:0\r\n"
				   "\r\n# Cluster\r\n"
				   "cluster_enabled:0\r\n";

	(void)command;
	(void)session;
	return resp_write_text(out, info);
}

/* The parameters that redis-benchmark and others ask for. */
static const struct {
	const char *name, *value;
} parameters[] = {
    {"appendonly", "no"},
    {"databases", "1"},
    {"save", ""},
};

int
compat_config(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	bool found[COUNT(parameters)] = {false};
	size_t pairs = 0;

	if (!resp_word_is(&command->words[1], "GET"))
		return compat_unknown_subcommand(out, command);
	for (size_t i = 0; i < COUNT(parameters); i++) {
		for (size_t k = 2; k < command->count; k++) {
			const struct resp_word *word = &command->words[k];

			found[i] |= resp_word_is(word, "*") ||
				    resp_word_is(word, parameters[i].name);
		}
		pairs += found[i];
	}
	if (resp_write_map(out, pairs, resp_version(session)) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(parameters); i++)
		if (found[i] && compat_write_pair(out, parameters[i].name,
				    parameters[i].value) == -1)
			return -1;
	return 0;
}

/* ECHO text, and PING text. */
int
compat_echo(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	(void)session;
	return resp_write_bulk(
	    out, command->words[1].bytes, command->words[1].len);
}

int
compat_reset(const struct resp_command *command, struct session *session,
    struct buf *out)
{
	(void)command;
	multi_end(session);
	login_forget(session);
	resp_session_of(session)->resp3 = false;
	return resp_write_status(out, "RESET");
}
