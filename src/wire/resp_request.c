#include "wire/resp_request.h"

#include "base/log.h"
#include "base/num.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "wire/line.h"
#include "wire/throttle.h"

#include <stdio.h>
#include <string.h>

const char resp_help[] = LINE_HELP
    "CL.THROTTLE key max_burst count period [quantity]  as redis-cell does\n"
    "END\n";

static hello_answer answer_command;

/* Of commands that bear one name, each form has a row of its own. */
struct row {
	const char *name;
	size_t least, most; /* words, the name among them */
	enum verb verb;	    /* what it asks, if it is not answered by: */
	hello_answer *answer;
};

static const struct row rows[] = {
    {"consume", 2, 3, VERB_CONSUME, NULL},
    {"cl.throttle", 1, RESP_WORDS_MAX, VERB_THROTTLE, NULL},
    {"peek", 2, 3, VERB_PEEK, NULL},
    {"reset", 2, 2, VERB_RESET, NULL},
    {"reset", 1, 1, 0, hello_reset},
    {"ping", 1, 1, VERB_PING, NULL},
    {"ping", 2, 2, 0, hello_echo},
    {"explain", 2, 2, VERB_EXPLAIN, NULL},
    {"limits", 1, 1, VERB_LIMITS, NULL},
    {"stats", 1, 1, VERB_STATS, NULL},
    {"help", 1, 1, VERB_HELP, NULL},
    {"quit", 1, RESP_WORDS_MAX, 0, hello_quit},
    {"hello", 1, RESP_WORDS_MAX, 0, hello_hello},
    {"auth", 2, 3, 0, hello_auth},
    {"echo", 2, 2, 0, hello_echo},
    {"select", 2, 2, 0, hello_select},
    {"client", 2, RESP_WORDS_MAX, 0, hello_client},
    {"info", 1, RESP_WORDS_MAX, 0, hello_info},
    {"command", 1, RESP_WORDS_MAX, 0, answer_command},
    {"config", 3, RESP_WORDS_MAX, 0, hello_config},
};

static bool
has_key(const struct row *row)
{
	return !row->answer &&
	       (row->verb <= VERB_EXPLAIN || row->verb == VERB_THROTTLE);
}

/* The first row of that name, or NULL. */
static const struct row *
find_name(const struct resp_word *name)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (resp_word_is(name, rows[i].name))
			return &rows[i];
	return NULL;
}

/* The row after it if that bears the same name, or NULL. */
static const struct row *
next_form(const struct row *row)
{
	const struct row *next = row + 1;

	return next < rows + COUNT(rows) && strcmp(row->name, next->name) == 0
		   ? next
		   : NULL;
}

/* That a command of this name has so many words at the least, but not always,
 * is told by a negative number. */
static int64_t
arity(const struct row *row)
{
	size_t least = row->least, most = row->most;
	const struct row *form = next_form(row);

	if (form && form->least < least)
		least = form->least;
	if (form && form->most > most)
		most = form->most;
	return least == most ? (int64_t)least : -(int64_t)least;
}

/* Name, arity, flags, and where the keys are. */
static int
describe(struct buf *out, const struct row *row)
{
	bool writes =
	    has_key(row) && row->verb != VERB_PEEK && row->verb != VERB_EXPLAIN;

	if (resp_write_array(out, 6) == -1 ||
	    resp_write_text(out, row->name) == -1 ||
	    resp_write_int(out, arity(row)) == -1 ||
	    resp_write_array(out, 2) == -1 ||
	    resp_write_status(out, writes ? "write" : "readonly") == -1 ||
	    resp_write_status(out, "fast") == -1)
		return -1;
	for (int i = 0; i < 3; i++)
		if (resp_write_int(out, has_key(row)) == -1)
			return -1;
	return 0;
}

typedef int write_row(struct buf *out, const struct row *row);

static int
write_name(struct buf *out, const struct row *row)
{
	return resp_write_text(out, row->name);
}

static bool
is_first_form(size_t i)
{
	return i == 0 || next_form(&rows[i - 1]) == NULL;
}

static size_t
count_names(void)
{
	size_t count = 0;

	for (size_t i = 0; i < COUNT(rows); i++)
		count += is_first_form(i);
	return count;
}

static int
write_all(struct buf *out, write_row *write)
{
	if (resp_write_array(out, count_names()) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (is_first_form(i) && write(out, &rows[i]) == -1)
			return -1;
	return 0;
}

/* COMMAND INFO name ... */
static int
describe_some(struct buf *out, const struct resp_command *command, int version)
{
	if (command->count == 2)
		return write_all(out, describe);
	if (resp_write_array(out, command->count - 2) == -1)
		return -1;
	for (size_t i = 2; i < command->count; i++) {
		const struct row *row = find_name(&command->words[i]);

		if ((row ? describe(out, row)
			 : resp_write_null(out, version)) == -1)
			return -1;
	}
	return 0;
}

/* There are no docs for COMMAND DOCS: redis-cli does without. */
static int
answer_command(const struct resp_command *command, struct resp_session *session,
    struct buf *out)
{
	const struct resp_word *word = &command->words[1];

	if (command->count == 1)
		return write_all(out, describe);
	if (resp_word_is(word, "COUNT"))
		return resp_write_int(out, (int64_t)count_names());
	if (resp_word_is(word, "LIST"))
		return write_all(out, write_name);
	if (resp_word_is(word, "INFO"))
		return describe_some(out, command, session->version);
	if (resp_word_is(word, "DOCS"))
		return resp_write_map(out, 0, session->version);
	return hello_unknown(out, command);
}

static enum resp_demand
wrong(struct buf *out, const char *text)
{
	return resp_write_error(out, text) == -1 ? RESP_FAILED : RESP_WRONG;
}

static enum resp_demand
wrong_name(struct buf *out, const struct resp_word *name)
{
	char shown[128], text[160];

	snprintf(text, sizeof(text), "ERR unknown command '%s'",
	    log_escape(shown, sizeof(shown), name->bytes, name->len));
	return wrong(out, text);
}

static enum resp_demand
wrong_count(struct buf *out, const struct row *row)
{
	char text[80];

	snprintf(text, sizeof(text),
	    "ERR wrong number of arguments for '%s' command", row->name);
	return wrong(out, text);
}

static enum resp_demand
read_request(const struct row *row, const struct resp_command *command,
    struct request *request, struct buf *out)
{
	const struct resp_word *words = command->words;

	*request = (struct request){.verb = row->verb, .amount = 1};
	if (!has_key(row))
		return RESP_ASKS;
	if (!key_is_valid(words[1].bytes, words[1].len))
		return wrong(out, line_error_text(LINE_ERR_BADKEY));
	request->key = words[1].bytes;
	request->key_len = words[1].len;
	if (command->count == 3 &&
	    num_read_int(words[2].bytes, words[2].len, -LIMIT_AMOUNT_MAX,
		LIMIT_AMOUNT_MAX, &request->amount) == -1)
		return wrong(out, line_error_text(LINE_ERR_BADAMOUNT));
	return RESP_ASKS;
}

static enum resp_demand
read_throttle(const struct resp_command *command, struct request *request,
    struct buf *out)
{
	char why[THROTTLE_WHY_MAX];

	if (throttle_read(command, request, why) == 0)
		return RESP_ASKS;
	return wrong(out, why);
}

static enum resp_demand
answer(const struct row *row, const struct resp_command *command,
    struct resp_session *session, struct buf *out)
{
	size_t before = buf_len(out);

	if (row->answer(command, session, out) == -1)
		return RESP_FAILED;
	if (row->answer == hello_quit)
		return RESP_QUITS;
	return buf_head(out)[before] == '-' ? RESP_WRONG : RESP_ANSWERED;
}

enum resp_demand
resp_request_read(const struct resp_command *command,
    struct resp_session *session, struct request *request, struct buf *out)
{
	const struct row *named = find_name(&command->words[0]);
	const struct row *row = named;

	while (
	    row && (command->count < row->least || command->count > row->most))
		row = next_form(row);
	if (!named)
		return wrong_name(out, &command->words[0]);
	if (!row)
		return wrong_count(out, named);
	if (row->answer)
		return answer(row, command, session, out);
	if (row->verb == VERB_THROTTLE)
		return read_throttle(command, request, out);
	return read_request(row, command, request, out);
}
