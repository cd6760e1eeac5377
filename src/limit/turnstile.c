/*
 * Job: reads a limit of Turnstile, and writes it as lines of ours.
 * Invariant: what is written is one word each, whatever the member has.
 * The heart: turnstile_fields[] and turnstile_write_route().
 */
#include "limit/turnstile.h"

#include "base/choice.h"
#include "base/log.h"
#include "base/msgpack.h"
#include "limit/rules_text.h"
#include "limit/turnstile_uri.h"
#include "limit/word.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum turnstile_field {
	TURNSTILE_LIMIT_CLASS,
	TURNSTILE_UUID,
	TURNSTILE_URI,
	TURNSTILE_VALUE,
	TURNSTILE_UNIT,
	TURNSTILE_VERBS,
	TURNSTILE_REQUIREMENTS,
	TURNSTILE_QUERIES,
	TURNSTILE_USE,
	TURNSTILE_CONTINUE_SCAN,
	TURNSTILE_FIELD_COUNT,
};

static const struct {
	const char *name;
	enum msgpack_type type;
	bool is_optional;
} turnstile_fields[] = {
    [TURNSTILE_LIMIT_CLASS] = {"limit_class", MSGPACK_TEXT, false},
    [TURNSTILE_UUID] = {"uuid", MSGPACK_TEXT, false},
    [TURNSTILE_URI] = {"uri", MSGPACK_TEXT, false},
    [TURNSTILE_VALUE] = {"value", MSGPACK_INT, false},
    [TURNSTILE_UNIT] = {"unit", MSGPACK_TEXT, false},
    [TURNSTILE_VERBS] = {"verbs", MSGPACK_LIST, true},
    [TURNSTILE_REQUIREMENTS] = {"requirements", MSGPACK_MAP, true},
    [TURNSTILE_QUERIES] = {"queries", MSGPACK_LIST, true},
    [TURNSTILE_USE] = {"use", MSGPACK_LIST, true},
    [TURNSTILE_CONTINUE_SCAN] = {"continue_scan", MSGPACK_BOOL, true},
};

/* What msgpack calls its types, for people. */
static const char *const turnstile_types[] = {
    [MSGPACK_NIL] = "nothing",
    [MSGPACK_BOOL] = "true or false",
    [MSGPACK_INT] = "a whole number",
    [MSGPACK_FLOAT] = "a number",
    [MSGPACK_TEXT] = "a text",
    [MSGPACK_LIST] = "a list of texts",
    [MSGPACK_MAP] = "a map of texts",
};

/* A limit that was read.  A list or map is a place: its values follow. */
struct turnstile {
	struct msgpack_value values[TURNSTILE_FIELD_COUNT];
	struct msgpack places[TURNSTILE_FIELD_COUNT];
	bool has[TURNSTILE_FIELD_COUNT];
	struct turnstile_uri uri;
};

bool
turnstile_is_member(const char *bytes, size_t len)
{
	unsigned char first = len > 0 ? (unsigned char)*bytes : 0;

	return (first & 0xF0) == 0x80 || first == 0xDE || first == 0xDF;
}

/*
 * Reading.
 */

static int
turnstile_find(const struct msgpack_value *name)
{
	for (int i = 0; i < TURNSTILE_FIELD_COUNT; i++)
		if (strlen(turnstile_fields[i].name) == name->count &&
		    memcmp(turnstile_fields[i].name, name->bytes,
			name->count) == 0)
			return i;
	return -1;
}

static int
turnstile_fail_torn(struct limit_error *error)
{
	return word_fail(error, "is no MessagePack of Turnstile");
}

static int
turnstile_fail_field(struct limit_error *error, const char *why,
    const struct msgpack_value *name)
{
	char shown[60];

	log_escape(shown, sizeof(shown), name->bytes,
	    name->count < 20 ? name->count : 20);
	return word_fail(error, "%s '%s'", why, shown);
}

/* Find each field.  What is in a field is not looked at, since another class
 * may have others of that name.  Return the first field that is not known, or
 * NULL with ${status} -1 and ${error} set, or 0. */
static int
turnstile_split(struct turnstile *limit, struct msgpack from,
    struct msgpack_value *unknown, struct limit_error *error)
{
	struct msgpack_value map, name;

	if (msgpack_next(&from, &map) == -1)
		return turnstile_fail_torn(error);
	for (size_t i = 0; i < map.count; i++) {
		struct msgpack place;
		int field;

		if (msgpack_next(&from, &name) == -1 ||
		    name.type != MSGPACK_TEXT)
			return turnstile_fail_torn(error);
		place = from;
		if (msgpack_skip(&from) == -1)
			return turnstile_fail_torn(error);
		field = turnstile_find(&name);
		if (field == -1) {
			*unknown = name;
			continue;
		}
		if (limit->has[field])
			return turnstile_fail_field(
			    error, "has twice the field", &name);
		limit->has[field] = true;
		/* It was passed over, so it has a head. */
		if (msgpack_next(&place, &limit->values[field]) == -1)
			return turnstile_fail_torn(error);
		limit->places[field] = place;
	}
	return from.at == from.end ? 0 : turnstile_fail_torn(error);
}

/* The texts of a list, or of a map, whose names come before them. */
static struct route_text
turnstile_next(struct msgpack *place)
{
	struct msgpack_value value;

	if (msgpack_next(place, &value) == -1 || value.type != MSGPACK_TEXT)
		return (struct route_text){0};
	return (struct route_text){value.bytes, value.count};
}

static int
turnstile_check_type(struct turnstile *limit, enum turnstile_field field,
    struct limit_error *error)
{
	const struct msgpack_value *value = &limit->values[field];
	enum msgpack_type type = turnstile_fields[field].type;
	struct msgpack place = limit->places[field];
	size_t texts = value->count * (type == MSGPACK_MAP ? 2 : 1);
	bool is_fine = value->type == type;

	if (type != MSGPACK_LIST && type != MSGPACK_MAP)
		texts = 0;
	for (size_t i = 0; is_fine && i < texts; i++)
		is_fine = turnstile_next(&place).bytes != NULL;
	return is_fine
		   ? 0
		   : word_fail(error, "%s must be %s",
			 turnstile_fields[field].name, turnstile_types[type]);
}

/* Its unit, which Turnstile keeps as a text, may be a number, too. */
static void
turnstile_take_unit(struct turnstile *limit, char text[24])
{
	struct msgpack_value *unit = &limit->values[TURNSTILE_UNIT];

	if (unit->type != MSGPACK_INT)
		return;
	*unit = (struct msgpack_value){.type = MSGPACK_TEXT,
	    .bytes = text,
	    .count =
		(size_t)snprintf(text, 24, "%lld", (long long)unit->number)};
}

static int
turnstile_check(struct turnstile *limit, struct limit_error *error)
{
	for (int i = 0; i < TURNSTILE_FIELD_COUNT; i++) {
		if (!limit->has[i] && !turnstile_fields[i].is_optional)
			return word_fail(
			    error, "%s is missing", turnstile_fields[i].name);
		if (limit->has[i] && turnstile_check_type(limit,
					 (enum turnstile_field)i, error) == -1)
			return -1;
	}
	return 0;
}

static struct route_text
turnstile_text(const struct turnstile *limit, enum turnstile_field field)
{
	return (struct route_text){
	    limit->values[field].bytes, limit->values[field].count};
}

/* The uri, with the requirements that it does not have itself. */
static int
turnstile_read_uri(struct turnstile *limit, struct limit_error *error)
{
	struct route_text text = turnstile_text(limit, TURNSTILE_URI);
	struct msgpack place = limit->places[TURNSTILE_REQUIREMENTS];

	if (turnstile_uri_read(&limit->uri, &text, error) == -1)
		return -1;
	for (size_t i = 0; i < limit->values[TURNSTILE_REQUIREMENTS].count;
	     i++) {
		struct route_text name = turnstile_next(&place),
				  regex = turnstile_next(&place);
		struct turnstile_piece *piece =
		    turnstile_uri_find(&limit->uri, &name);

		if (piece && !piece->regex.bytes && regex.len > 0)
			piece->regex = regex;
	}
	return 0;
}

/*
 * Writing.
 */

/* Append a text to a word.  It may have nothing that ends a word or an item of
 * a list. */
static int
turnstile_put(struct buf *out, enum turnstile_field field,
    const struct route_text *text, struct limit_error *error)
{
	bool is_fine = text->len > 0;

	for (size_t i = 0; i < text->len; i++)
		is_fine = is_fine && isgraph((unsigned char)text->bytes[i]) &&
			  !strchr(",=$", text->bytes[i]);
	if (!is_fine)
		return word_fail(error,
		    "%s has a text that is empty, or with a blank, a comma, = "
		    "or $",
		    turnstile_fields[field].name);
	return buf_add(out, text->bytes, text->len);
}

static int
turnstile_write_verbs(
    struct buf *out, const struct turnstile *limit, struct limit_error *error)
{
	struct msgpack place = limit->places[TURNSTILE_VERBS];

	for (size_t i = 0; i < limit->values[TURNSTILE_VERBS].count; i++) {
		struct route_text verb = turnstile_next(&place);
		size_t start;

		if (buf_printf(out, i > 0 ? "," : " method=") == -1)
			return -1;
		start = buf_len(out);
		if (turnstile_put(out, TURNSTILE_VERBS, &verb, error) == -1)
			return -1;
		for (size_t k = start; k < buf_len(out); k++)
			buf_data(out)[k] =
			    (char)toupper((unsigned char)buf_data(out)[k]);
	}
	return 0;
}

static int
turnstile_write_queries(
    struct buf *out, const struct turnstile *limit, struct limit_error *error)
{
	struct msgpack place = limit->places[TURNSTILE_QUERIES];

	for (size_t i = 0; i < limit->values[TURNSTILE_QUERIES].count; i++) {
		struct route_text query = turnstile_next(&place);

		if (buf_printf(out, " query.") == -1 ||
		    turnstile_put(out, TURNSTILE_QUERIES, &query, error) ==
			-1 ||
		    buf_printf(out, "=*") == -1)
			return -1;
	}
	return 0;
}

/* The key: its uuid, and what the names in ${use} matched.  A name that the uri
 * does not have is in no key of Turnstile's, either.  Return how many names
 * there are, or -1. */
static int
turnstile_write_key(
    struct buf *out, struct turnstile *limit, struct limit_error *error)
{
	struct route_text uuid = turnstile_text(limit, TURNSTILE_UUID);
	struct msgpack place = limit->places[TURNSTILE_USE];
	int count = 0;

	if (buf_printf(out, " keys=") == -1 ||
	    turnstile_put(out, TURNSTILE_UUID, &uuid, error) == -1)
		return -1;
	for (size_t i = 0; i < limit->values[TURNSTILE_USE].count; i++) {
		struct route_text name = turnstile_next(&place);
		const struct turnstile_piece *piece =
		    turnstile_uri_find(&limit->uri, &name);

		if (!piece)
			continue;
		if (piece->kind == TURNSTILE_PIECE_EXTENSION)
			return word_fail(error,
			    "use has a name that need not be in the path, as "
			    "{.%.*s}",
			    (int)(name.len < 40 ? name.len : 40), name.bytes);
		if (buf_printf(out, ":$path.%.*s", (int)name.len, name.bytes) ==
		    -1)
			return -1;
		count++;
	}
	return count;
}

/* "route:UUID method=GET path=/users/{id} keys=UUID:$path.id continue=yes".
 * Return as turnstile_write_key(). */
static int
turnstile_write_route(
    struct buf *out, struct turnstile *limit, struct limit_error *error)
{
	struct route_text uuid = turnstile_text(limit, TURNSTILE_UUID);
	bool stops = limit->has[TURNSTILE_CONTINUE_SCAN] &&
		     limit->values[TURNSTILE_CONTINUE_SCAN].number == 0;
	int count;

	if (buf_printf(out, ROUTE_SIGN) == -1 ||
	    turnstile_put(out, TURNSTILE_UUID, &uuid, error) == -1 ||
	    turnstile_write_verbs(out, limit, error) == -1 ||
	    buf_printf(out, " path=") == -1 ||
	    turnstile_uri_write(out, &limit->uri) == -1 ||
	    turnstile_write_queries(out, limit, error) == -1)
		return -1;
	count = turnstile_write_key(out, limit, error);
	if (buf_printf(out, "%s\n", stops ? "" : " continue=yes") == -1)
		return -1;
	return count;
}

/* "s" of "second", or "37s" of "37".  Return 0, or -1. */
static int
turnstile_read_unit(
    const struct turnstile *limit, char unit[24], struct limit_error *error)
{
	static const struct choice names[] = {{"second", 's'}, {"seconds", 's'},
	    {"secs", 's'}, {"sec", 's'}, {"s", 's'}, {"minute", 'm'},
	    {"minutes", 'm'}, {"mins", 'm'}, {"min", 'm'}, {"m", 'm'},
	    {"hour", 'h'}, {"hours", 'h'}, {"hrs", 'h'}, {"hr", 'h'},
	    {"h", 'h'}, {"day", 'd'}, {"days", 'd'}, {"d", 'd'}, {NULL, 0}};
	struct route_text text = turnstile_text(limit, TURNSTILE_UNIT);
	char word[20];
	int letter;

	snprintf(word, sizeof(word), "%.*s",
	    (int)(text.len < sizeof(word) ? text.len : sizeof(word)),
	    text.bytes);
	if (choice_read(names, word, &letter) == 0)
		snprintf(unit, 24, "%c", letter);
	else if (text.len > 0 && text.len < sizeof(word) &&
		 num_count_digits(text.bytes, text.len) == text.len)
		snprintf(unit, 24, "%ss", word);
	else
		return word_fail(error,
		    "unit must be second, minute, hour, day or a number of "
		    "seconds");
	return 0;
}

/* "UUID match=UUID:* capacity=10 rate=10/m" */
static int
turnstile_write_limit(struct buf *out, const struct turnstile *limit,
    bool has_names, struct limit_error *error)
{
	struct route_text uuid = turnstile_text(limit, TURNSTILE_UUID);
	long long value = limit->values[TURNSTILE_VALUE].number;
	char unit[24];

	if (turnstile_read_unit(limit, unit, error) == -1)
		return -1;
	return buf_printf(out, "%.*s match=%.*s%s capacity=%lld rate=%lld/%s\n",
	    (int)uuid.len, uuid.bytes, (int)uuid.len, uuid.bytes,
	    has_names ? ":*" : "", value, value, unit);
}

static int
turnstile_write_lines(
    struct buf *out, struct turnstile *limit, struct limit_error *error)
{
	int names;

	word_fail(error, "out of memory"); /* unless something else is said */
	if (turnstile_read_uri(limit, error) == -1)
		return -1;
	names = turnstile_write_route(out, limit, error);
	return names == -1
		   ? -1
		   : turnstile_write_limit(out, limit, names > 0, error);
}

static bool
turnstile_is_own(const struct turnstile *limit)
{
	struct route_text class = turnstile_text(limit, TURNSTILE_LIMIT_CLASS);

	return class.len == strlen(TURNSTILE_CLASS) &&
	       memcmp(class.bytes, TURNSTILE_CLASS, class.len) == 0;
}

static enum turnstile_result
turnstile_leave(const struct turnstile *limit, struct limit_error *error)
{
	const struct msgpack_value *class =
	    &limit->values[TURNSTILE_LIMIT_CLASS];

	turnstile_fail_field(
	    error, "is left out, since its limit_class is", class);
	return TURNSTILE_LEFT;
}

enum turnstile_result
turnstile_write(
    struct buf *out, const char *bytes, size_t len, struct limit_error *error)
{
	const struct msgpack from = {
	    (const unsigned char *)bytes, (const unsigned char *)bytes + len};
	struct msgpack_value unknown = {0};
	struct turnstile limit = {0};
	char unit[24];

	if (len > RULES_LINE_MAX) {
		word_fail(error, "is longer than %d bytes", RULES_LINE_MAX);
		return TURNSTILE_WRONG;
	}
	if (turnstile_split(&limit, from, &unknown, error) == -1)
		return TURNSTILE_WRONG;
	if (limit.values[TURNSTILE_LIMIT_CLASS].type == MSGPACK_TEXT &&
	    limit.has[TURNSTILE_LIMIT_CLASS] && !turnstile_is_own(&limit))
		return turnstile_leave(&limit, error);
	turnstile_take_unit(&limit, unit);
	if (unknown.bytes) {
		turnstile_fail_field(error, "has an unknown field", &unknown);
		return TURNSTILE_WRONG;
	}
	if (turnstile_check(&limit, error) == -1 ||
	    turnstile_write_lines(out, &limit, error) == -1)
		return TURNSTILE_WRONG;
	return TURNSTILE_LINES;
}
