#include "suites.h"

#include "base/attr.h"
#include "protocol/verbs.h"

#include <ctype.h>
#include <string.h>

#define ALL                                                                    \
	(VERBS_DRIPGATE | VERBS_REDIS_CELL | VERBS_REDIS | VERBS_HTTP |        \
	    VERBS_LINE)

START_TEST(each_verb_is_found_by_its_name_in_any_case)
{
	const struct verb_row *row = &verb_rows[_i];
	char name[32];
	size_t len = strlen(row->name);

	ck_assert_uint_lt(len, sizeof(name));
	for (size_t i = 0; i < len; i++)
		name[i] = (char)(i % 2 ? toupper(row->name[i]) : row->name[i]);
	ck_assert_int_eq(verb_find(name, len, ALL), _i);
	ck_assert_int_eq(verb_find(name, len, row->family), _i);
	ck_assert_int_eq(
	    verb_find(name, len, ALL & ~(unsigned)row->family), VERB_COUNT);
	ck_assert_int_eq(verb_find(name, len - 1, ALL), VERB_COUNT);
	ck_assert_int_eq(verb_find(name, 0, ALL), VERB_COUNT);
}
END_TEST

/* What HELP shows of the arguments says how many there are. */
START_TEST(usage_shows_each_argument)
{
	const struct verb_shape *shape = verb_rows[_i].shape;
	size_t all = 0, optional = 0, described = 0;

	for (const char *c = shape->usage; *c; c++) {
		all += *c == ' ';
		optional += *c == '[';
	}
	while (verb_argument(shape, described) != ARGUMENT_NONE)
		described++;
	if (shape->most == ARGUMENTS_ANY)
		return; /* counted elsewhere */
	if (!strstr(shape->usage, "..."))
		ck_assert_uint_eq(all, shape->most);
	ck_assert_uint_eq(described, shape->most);
	if (!strstr(shape->usage, "..."))
		ck_assert_uint_eq(all - optional, shape->fewest);
}
END_TEST

static void
write_help(struct buf *out, unsigned families)
{
	size_t count = verbs_help_count(families);

	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(verbs_help_row(out, families, i), 0);
}

START_TEST(help_is_one_line_a_verb)
{
	static const char ours[] =
	    "CONSUME key [amount] [id=ID]  may amount drops (1) go in? -N "
	    "gives back\n"
	    "PEEK key [amount]     the same question; nothing changes\n"
	    "MCONSUME key amount [key amount ...] [id=ID]  may all of them go "
	    "in? else "
	    "none does\n"
	    "MPEEK key amount [key amount ...]  the same question; nothing "
	    "changes\n"
	    "CHARGE key amount [id=ID]  amount drops go in, up to the debt of "
	    "the "
	    "limit\n"
	    "TAKE key amount [id=ID]  as many of amount drops go in as fit\n"
	    "WAIT key [amount] [seconds]  amount drops go in when they fit; "
	    "the response waits\n"
	    "HOLD key id [amount]  amount drops (1) go in until released, or "
	    "renews them\n"
	    "RELEASE key id        what is held under the id comes out\n"
	    "RESET key             empty the bucket, end its block\n"
	    "EXPLAIN key           which limit applies, and why\n"
	    "LIMITS                the limits in force\n"
	    "STATS                 counters\n"
	    "STATUS                how the daemon, its limits and its Redis "
	    "are\n"
	    "TOP [n]               the n (10) keys denied most, and allowed "
	    "most\n"
	    "MONITOR [glob] [denied|allowed]  decisions as they are made, "
	    "until you send anything\n"
	    "CACHE                 what is stored of each upstream\n"
	    "FORGET upstream:glob  forget what is stored of the paths that "
	    "match\n"
	    "PING                  PONG\n"
	    "READY                 READY and what decides: redis, memory or "
	    "fallback\n"
	    "HELP                  this\n"
	    "QUIT                  close the connection\n";
	static const char cell[] = "CL.THROTTLE key max_burst count period "
				   "[quantity]  as redis-cell does\n";
	static const char http[] =
	    "METRICS               counters, for Prometheus\n"
	    "OPENMETRICS           the same, as OpenMetrics\n"
	    "EVENTS                what the status page shows, each second\n"
	    "CHECK                 may this request go ahead? its route says "
	    "under which keys\n"
	    "UPSTREAM              pass this request on to an upstream, within "
	    "its limits\n";
	static const char line[] = "AUTH [name] secret    log in\n";
	static const char redis[] =
	    "DEL key               1 if the key had a bucket, of CL.THROTTLE "
	    "too; forgets it\n"
	    "EXISTS key            1 if the key has a bucket\n"
	    "TTL key               seconds until its bucket is empty; -2: it "
	    "has none\n"
	    "PTTL key              the same in ms\n"
	    "GET key               what is stored of upstream:path; nil: "
	    "nothing\n";
	struct buf out = {0};

	write_help(&out, VERBS_DRIPGATE);
	write_help(&out, ALL);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_uint_eq(buf_len(&out), 2 * strlen(ours) + strlen(cell) +
					     strlen(line) + strlen(redis) +
					     strlen(http) + 1);
	ck_assert_ptr_nonnull(strstr(buf_data(&out), line));
	ck_assert_mem_eq(buf_data(&out), ours, strlen(ours));
	ck_assert_mem_eq(
	    buf_data(&out) + strlen(ours), "CONSUME", strlen("CONSUME"));
	ck_assert_ptr_nonnull(strstr(buf_data(&out), cell));
	ck_assert_ptr_nonnull(strstr(buf_data(&out), redis));
	ck_assert_ptr_nonnull(strstr(buf_data(&out), http));
	buf_free(&out);
}
END_TEST

Suite *
verbs_suite(void)
{
	Suite *suite = suite_create("verbs");
	TCase *tcase = tcase_create("verbs");

	tcase_add_loop_test(
	    tcase, each_verb_is_found_by_its_name_in_any_case, 0, VERB_COUNT);
	tcase_add_loop_test(tcase, usage_shows_each_argument, 0, VERB_COUNT);
	tcase_add_test(tcase, help_is_one_line_a_verb);
	suite_add_tcase(suite, tcase);
	return suite;
}
