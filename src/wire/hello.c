#include "wire/hello.h"

#include "base/log.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Clients look at what the server can do by its version: this one does what is
 * asked of a Redis 7, and says by its own name what it is. */
#define REDIS_VERSION "7.0.0"

#define NO_PASSWORD "ERR AUTH: there is no password here; leave it out"

bool
resp_word_is(const struct resp_word *word, const char *text)
{
	return word->len == strlen(text) &&
	       strncasecmp(word->bytes, text, word->len) == 0;
}

int
hello_unknown(struct buf *out, const struct resp_command *command)
{
	const struct resp_word *word = &command->words[1];
	char shown[64], text[120];

	snprintf(text, sizeof(text), "ERR unknown subcommand '%s'",
	    log_escape(shown, sizeof(shown), word->bytes, word->len));
	return resp_write_error(out, text);
}

/* What is wrong with the words behind HELLO's version, or NULL. */
static const char *
check_options(const struct resp_command *command)
{
	for (size_t i = 2; i < command->count; i += 2) {
		const struct resp_word *word = &command->words[i];

		if (resp_word_is(word, "AUTH") && i + 2 < command->count)
			return NO_PASSWORD;
		if (!resp_word_is(word, "SETNAME") || i + 1 == command->count)
			return "ERR Syntax error in HELLO";
	}
	return NULL;
}

static int
write_pair(struct buf *out, const char *name, const char *value)
{
	return resp_write_text(out, name) == -1 ? -1
						: resp_write_text(out, value);
}

int
hello_hello(const struct resp_command *command, struct resp_session *session,
    struct buf *out)
{
	int64_t version = session->version;
	const char *wrong = check_options(command);

	if (command->count > 1 &&
	    num_read_int(command->words[1].bytes, command->words[1].len, 2, 3,
		&version) == -1)
		wrong = "NOPROTO unsupported protocol version";
	if (wrong)
		return resp_write_error(out, wrong);
	session->version = (int)version;
	if (resp_write_map(out, 7, session->version) == -1 ||
	    write_pair(out, "server", "dripgate") == -1 ||
	    write_pair(out, "version", VERSION) == -1 ||
	    resp_write_text(out, "proto") == -1 ||
	    resp_write_int(out, version) == -1 ||
	    resp_write_text(out, "id") == -1 ||
	    resp_write_int(out, (int64_t)session->id) == -1 ||
	    write_pair(out, "mode", "standalone") == -1 ||
	    write_pair(out, "role", "master") == -1 ||
	    resp_write_text(out, "modules") == -1)
		return -1;
	return resp_write_array(out, 0);
}

int
hello_auth(const struct resp_command *command, struct resp_session *session,
    struct buf *out)
{
	(void)command;
	(void)session;
	return resp_write_error(out, NO_PASSWORD);
}

int
hello_select(const struct resp_command *command, struct resp_session *session,
    struct buf *out)
{
	(void)session;
	if (!resp_word_is(&command->words[1], "0"))
		return resp_write_error(out, "ERR DB index is out of range");
	return resp_write_status(out, "OK");
}

/* Names are taken and not kept: nobody is shown them. */
int
hello_client(const struct resp_command *command, struct resp_session *session,
    struct buf *out)
{
	static const char *const taken[] = {
	    "SETNAME", "SETINFO", "NO-EVICT", "NO-TOUCH"};
	const struct resp_word *word = &command->words[1];

	if (resp_word_is(word, "ID"))
		return resp_write_int(out, (int64_t)session->id);
	if (resp_word_is(word, "GETNAME"))
		return resp_write_null(out, session->version);
	for (size_t i = 0; i < COUNT(taken); i++)
		if (resp_word_is(word, taken[i]))
			return resp_write_status(out, "OK");
	return hello_unknown(out, command);
}

int
hello_info(const struct resp_command *command, struct resp_session *session,
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

/* What redis-benchmark and others ask for. */
static const struct {
	const char *name, *value;
} parameters[] = {
    {"appendonly", "no"},
    {"databases", "1"},
    {"save", ""},
};

int
hello_config(const struct resp_command *command, struct resp_session *session,
    struct buf *out)
{
	bool found[COUNT(parameters)] = {false};
	size_t pairs = 0;

	if (!resp_word_is(&command->words[1], "GET"))
		return hello_unknown(out, command);
	for (size_t i = 0; i < COUNT(parameters); i++) {
		for (size_t k = 2; k < command->count; k++) {
			const struct resp_word *word = &command->words[k];

			found[i] |= resp_word_is(word, "*") ||
				    resp_word_is(word, parameters[i].name);
		}
		pairs += found[i];
	}
	if (resp_write_map(out, pairs, session->version) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(parameters); i++)
		if (found[i] && write_pair(out, parameters[i].name,
				    parameters[i].value) == -1)
			return -1;
	return 0;
}

/* ECHO text, and PING text. */
int
hello_echo(const struct resp_command *command, struct resp_session *session,
    struct buf *out)
{
	(void)session;
	return resp_write_bulk(
	    out, command->words[1].bytes, command->words[1].len);
}

int
hello_reset(const struct resp_command *command, struct resp_session *session,
    struct buf *out)
{
	(void)command;
	session->version = 2;
	return resp_write_status(out, "RESET");
}

int
hello_quit(const struct resp_command *command, struct resp_session *session,
    struct buf *out)
{
	(void)command;
	(void)session;
	return resp_write_status(out, "OK");
}
