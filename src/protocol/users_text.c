/*
 * Reads the file of users.  Invariant: a mistake costs the whole file, and each
 * mistake is reported with its line.  The heart: the table words[], and
 * users_text_line().
 */
#include "protocol/users.h"

#include "base/file.h"
#include "base/num.h"
#include "limit/glob.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(VERB_COUNT <= 64, "a user has a bit for each verb");

struct users_text {
	const char *name; /* of the file */
	unsigned line;
	struct users *users;
	struct reasons *reasons;
	struct user *user; /* whose line it is */
};

static void PRINTF_LIKE(2, 3)
    users_text_fail(struct users_text *text, const char *format, ...)
{
	char reason[REASON_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	reasons_add(text->reasons, "%s:%u: %s", text->name, text->line, reason);
}

/*
 * Verbs.
 */

static bool
users_text_is_any(enum verb verb)
{
	(void)verb;
	return true;
}

static bool
users_text_decides(enum verb verb)
{
	return verb == VERB_CONSUME || verb == VERB_PEEK ||
	       verb == VERB_MCONSUME || verb == VERB_MPEEK ||
	       verb == VERB_CHARGE || verb == VERB_TAKE || verb == VERB_WAIT ||
	       verb == VERB_CHECK || verb == VERB_THROTTLE;
}

static bool
users_text_reads(enum verb verb)
{
	return verb_rows[verb].op == OP_PEEK;
}

static bool
users_text_is_metrics(enum verb verb)
{
	return verb == VERB_METRICS || verb == VERB_OPENMETRICS;
}

static const struct {
	const char *name;
	bool (*has)(enum verb verb);
} groups[] = {
    {"all", users_text_is_any},
    {"decide", users_text_decides},
    {"read", users_text_reads},
    {"metrics", users_text_is_metrics},
};

/* The verbs that a word names; 0: none. */
static uint64_t
users_text_verbs(const char *word)
{
	enum verb verb = verb_find(word, strlen(word), UINT_MAX);
	uint64_t verbs = 0;

	for (size_t i = 0; i < COUNT(groups); i++)
		for (unsigned v = 0; v < VERB_COUNT; v++)
			if (strcmp(groups[i].name, word) == 0 &&
			    groups[i].has((enum verb)v))
				verbs |= UINT64_C(1) << v;
	if (verbs == 0 && verb != VERB_COUNT)
		verbs = UINT64_C(1) << verb;
	return verbs;
}

/*
 * Words.  Each call takes the value of one.
 */

static void
users_text_secret(struct users_text *text, char *value)
{
	struct user *user = text->user;

	if (secret_hash_read(&user->secret, value) == -1)
		users_text_fail(text,
		    "secret is what \"dripgate hash\" prints, with 1 to %d "
		    "rounds",
		    SECRET_HASH_ROUNDS_MAX);
	else if (user->secret.rounds > text->users->rounds)
		text->users->rounds = user->secret.rounds;
	user->has_secret = true;
}

static void
users_text_nopass(struct users_text *text, char *value)
{
	(void)value;
	text->user->nopass = true;
}

static void
users_text_cert(struct users_text *text, char *value)
{
	if (!*value || strlen(value) > USER_CERT_MAX)
		users_text_fail(text, "cert is a name of 1 to %d characters",
		    USER_CERT_MAX);
	else if (users_find_cert(text->users, value))
		users_text_fail(
		    text, "cert=%s: another user has it already", value);
	else
		strcpy(text->user->cert, value);
}

static void
users_text_uid(struct users_text *text, char *value)
{
	int64_t uid;

	if (num_read_int(value, strlen(value), 0, UINT32_MAX - 1, &uid) == -1)
		users_text_fail(text, "uid=%s: not a number of a user", value);
	else if (users_find_uid(text->users, (uid_t)uid))
		users_text_fail(
		    text, "uid=%s: another user has it already", value);
	else {
		text->user->has_uid = true;
		text->user->uid = (uid_t)uid;
	}
}

static void
users_text_set_verbs(struct users_text *text, char *value)
{
	char *rest, *word = strtok_r(value, ",", &rest);

	for (; word; word = strtok_r(NULL, ",", &rest)) {
		uint64_t verbs = users_text_verbs(word);

		if (verbs == 0)
			users_text_fail(text,
			    "verbs: there is no %s; see HELP, or all, decide, "
			    "read, metrics",
			    word);
		text->user->verbs |= verbs;
	}
	if (text->user->verbs == 0 && *value == '\0')
		users_text_fail(text, "verbs needs at least one");
}

static void
users_text_keys(struct users_text *text, char *value)
{
	struct user *user = text->user;
	size_t len = strlen(value);
	const char *fault;

	user->keys = strdup(value);
	if (!user->keys) {
		users_text_fail(text, "out of memory");
		return;
	}
	user->key_count = 1;
	for (size_t i = 0; i < len; i++)
		if (user->keys[i] == ',') {
			user->keys[i] = '\0';
			user->key_count++;
		}
	value = user->keys;
	for (size_t i = 0; i < user->key_count; i++) {
		fault = *value ? glob_fault(value) : "is empty";
		if (fault)
			users_text_fail(
			    text, "keys: the pattern \"%s\" %s", value, fault);
		value += strlen(value) + 1;
	}
}

enum users_word {
	WORD_SECRET,
	WORD_NOPASS,
	WORD_CERT,
	WORD_UID,
	WORD_VERBS,
	WORD_KEYS,
};

/* Those that say how to log in. */
#define WAYS                                                                   \
	(1u << WORD_SECRET | 1u << WORD_NOPASS | 1u << WORD_CERT |             \
	    1u << WORD_UID)

static const struct {
	const char *name;
	bool has_value;
	void (*take)(struct users_text *text, char *value);
} words[] = {
    [WORD_SECRET] = {"secret", true, users_text_secret},
    [WORD_NOPASS] = {"nopass", false, users_text_nopass},
    [WORD_CERT] = {"cert", true, users_text_cert},
    [WORD_UID] = {"uid", true, users_text_uid},
    [WORD_VERBS] = {"verbs", true, users_text_set_verbs},
    [WORD_KEYS] = {"keys", true, users_text_keys},
};

/* Take a word, the first time in its line.  ${given} has a bit for each row. */
static void
users_text_word(struct users_text *text, char *word, unsigned *given)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < COUNT(words); i++) {
		if (strcmp(words[i].name, word) != 0)
			continue;
		if (words[i].has_value != (value != NULL))
			users_text_fail(text, "%s %s", word,
			    value ? "has no value" : "needs =VALUE");
		else if (*given & 1u << i)
			users_text_fail(text, "%s is there twice", word);
		else
			words[i].take(text, value);
		*given |= 1u << i;
		return;
	}
	users_text_fail(text,
	    "unknown word; they are secret, nopass, cert, uid, verbs, keys");
}

/* The line as a whole. */
static void
users_text_check(struct users_text *text, unsigned given)
{
	const struct user *user = text->user;
	bool needs_key = false;

	for (unsigned v = 0; v < VERB_COUNT; v++)
		needs_key |=
		    user_may_ask(user, (enum verb)v) &&
		    (verb_has_key(&verb_rows[v]) ||
			verb_has_keys(&verb_rows[v]) || v == VERB_CHECK);
	if (!(given & WAYS))
		users_text_fail(text,
		    "%s needs a way to log in: secret=, nopass, cert= or uid=",
		    user->name);
	if (user->has_secret && user->nopass)
		users_text_fail(text, "%s has secret and nopass", user->name);
	if (!(given & 1u << WORD_VERBS))
		users_text_fail(text, "%s needs verbs=", user->name);
	if (needs_key && !(given & 1u << WORD_KEYS))
		users_text_fail(
		    text, "%s needs keys=, as keys=login:*", user->name);
}

static bool
users_text_name_is_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return len <= USER_NAME_MAX && name[len] == '\0';
}

static void
users_text_line(struct users_text *text, char *line)
{
	static const char blanks[] = " \t\r";
	char *rest, *word = strtok_r(line, blanks, &rest);
	struct user *items;
	unsigned given = 0;

	if (!word || *word == '#')
		return;
	if (!users_text_name_is_valid(word)) {
		users_text_fail(text,
		    "a name is 1 to %d of A-Z a-z 0-9 _ and -", USER_NAME_MAX);
		return;
	}
	if (users_find(text->users, word, strlen(word)))
		users_text_fail(text, "%s is there twice", word);
	items = reallocarray(
	    text->users->items, text->users->count + 1, sizeof(*items));
	if (!items) {
		users_text_fail(text, "out of memory");
		return;
	}
	text->users->items = items;
	text->user = &items[text->users->count++];
	*text->user = (struct user){.line = text->line};
	strcpy(text->user->name, word);
	while ((word = strtok_r(NULL, blanks, &rest)))
		users_text_word(text, word, &given);
	users_text_check(text, given);
}

struct users *
users_read(
    const char *name, const char *text, size_t len, struct reasons *reasons)
{
	size_t before = reasons->count;
	char *copy = strndup(text, len), *line = copy, *next;
	struct users_text reading = {.name = name,
	    .reasons = reasons,
	    .users = calloc(1, sizeof(struct users))};

	if (!copy || !reading.users) {
		reasons_add(reasons, "%s: out of memory", name);
		free(copy);
		free(reading.users);
		return NULL;
	}
	reading.users->refs = 1;
	reading.users->rounds = SECRET_HASH_ROUNDS;
	if (strlen(copy) != len)
		reasons_add(reasons, "%s: has a NUL byte", name);
	for (; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		reading.line++;
		users_text_line(&reading, line);
	}
	free(copy);
	if (reasons->count == before)
		return reading.users;
	users_unref(reading.users);
	return NULL;
}

struct users *
users_read_file(const char *path, struct reasons *reasons)
{
	size_t len;
	char *text = file_read(path, &len);
	struct users *users;

	if (!text) {
		reasons_add(reasons, "%s: %s", path, file_error(errno));
		return NULL;
	}
	users = users_read(path, text, len, reasons);
	free(text);
	return users;
}
