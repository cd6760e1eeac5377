#include "limit/rules_write.h"

#include "base/ini.h"

#include <stdio.h>

struct writing {
	struct buf *out;
	int status;
};

/* " word=value" */
static void
rules_write_write_word(const char *word, const char *value, void *arg)
{
	struct writing *writing = arg;

	if (buf_printf(writing->out, " %s=%s", word, value) == -1)
		writing->status = -1;
}

int
rules_write_line(struct buf *out, const struct limit *limit)
{
	struct writing writing = {out, 0};

	if (buf_printf(out, "%s", limit->name) == -1)
		return -1;
	limit_each_word(limit, rules_write_write_word, &writing);
	return writing.status;
}

/* "word = value", a line */
static void
rules_write_write_pair(const char *word, const char *value, void *arg)
{
	struct writing *writing = arg;

	if (buf_printf(writing->out, "%s = ", word) == -1 ||
	    ini_write_value(writing->out, value) == -1 ||
	    buf_add(writing->out, "\n", 1) == -1)
		writing->status = -1;
}

int
rules_write_section(struct buf *out, const struct limit *limit)
{
	struct writing writing = {out, 0};

	if (buf_printf(out, "[%s]\n", limit->name) == -1)
		return -1;
	limit_each_word(limit, rules_write_write_pair, &writing);
	return writing.status;
}

/* Append a line's end, if ${status} says that the line was written. */
static int
rules_write_add_end(struct buf *lines, int status)
{
	return status == -1 ? -1 : buf_add(lines, "\n", 1);
}

int
rules_write_digest(struct rules *rules)
{
	static const struct siphash_seed seed = {0, 0};
	const struct routes *routes = rules_routes(rules);
	struct buf lines = {0};
	struct hash128 hash;
	char text[RULES_DIGEST_MAX + 1];
	int status = 0;

	for (size_t i = 0; status == 0 && i < rules_count(rules); i++)
		status = rules_write_add_end(
		    &lines, rules_write_line(&lines, rules_at(rules, i)));
	for (size_t i = 0; status == 0 && i < routes->count; i++)
		status = rules_write_add_end(
		    &lines, route_write_line(&lines, routes->items[i]));
	hash = siphash128(&seed, buf_len(&lines) > 0 ? buf_data(&lines) : "",
	    buf_len(&lines));
	buf_free(&lines);
	snprintf(text, sizeof(text), "%016llx%016llx",
	    (unsigned long long)hash.lo, (unsigned long long)hash.hi);
	rules_set_digest(rules, text);
	return status;
}
