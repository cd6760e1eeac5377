#include "limit/algorithm.h"
#include "suites.h"

#include "base/attr.h"

#include <stdio.h>
#include <string.h>

/* Words of a limit, "word=value" each, ended by NULL. */
#define WORDS_MAX 12

struct words {
	const char *words[WORDS_MAX];
};

/* Set ${words} and finish the limit.  Return it, or NULL with ${error}. */
static struct limit *
build(const char *name, const struct words *words, struct limit_error *error)
{
	struct limit *limit = limit_new(name, error);

	if (!limit)
		return NULL;
	for (size_t i = 0; words->words[i]; i++) {
		const char *equals = strchr(words->words[i], '=');
		char word[50];

		snprintf(word, sizeof(word), "%.*s",
		    (int)(equals - words->words[i]), words->words[i]);
		if (limit_set(limit, word, equals + 1, error) < 0)
			goto fail;
	}
	if (limit_finish(limit, error) == 0)
		return limit;
fail:
	limit_free(limit);
	return NULL;
}

static struct limit *
built(const char *name, const struct words *words)
{
	struct limit_error error;
	struct limit *limit = build(name, words, &error);

	ck_assert_msg(limit, "%s", error.reason);
	return limit;
}

START_TEST(leaky_bucket_is_the_default)
{
	struct limit *limit = built("login",
	    &(struct words){{"match=login:*", "capacity=5", "recharge=60s"}});

	ck_assert_str_eq(limit->name, "login");
	ck_assert_str_eq(limit->match, "login:*");
	ck_assert_ptr_eq(limit->algorithm, &algorithm_leaky_bucket);
	ck_assert_int_eq(limit->capacity, 5);
	ck_assert_int_eq(limit->recharge_us, 60000000);
	ck_assert_int_eq(limit->block_us, 0);
	ck_assert_int_eq(limit->on_error, ON_ERROR_MEMORY);
	ck_assert(!limit->shadow);
	ck_assert(limit->deny_cache);
	ck_assert_int_eq(limit->max_buckets, 0);
	ck_assert_int_eq(limit->id_memory_us, 60000000);
	ck_assert_int_eq(limit_life_us(limit), 300000000);
	limit_free(limit);
}
END_TEST

static struct decision
decided(const struct limit *limit, enum op op, int64_t amount)
{
	struct decision decision;

	ck_assert(!decide(limit, op, amount, 1, NULL, &decision));
	return decision;
}

START_TEST(limit_with_an_action_asks_no_bucket)
{
	struct limit *allows =
	    built("a", &(struct words){{"match=a", "action=ALLOW"}});
	struct limit *denies = built(
	    "b", &(struct words){{"match=b", "action=deny", "shadow=yes"}});
	struct buf out = {0};

	ck_assert_int_eq(allows->capacity, LIMIT_CAPACITY_MAX);
	ck_assert_int_eq(denies->capacity, 0);
	ck_assert(denies->shadow);
	ck_assert(decided(allows, OP_CONSUME, LIMIT_AMOUNT_MAX).allowed);
	ck_assert_int_eq(decided(allows, OP_TAKE, 7).taken, 7);
	ck_assert(!decided(denies, OP_CONSUME, 1).allowed);
	ck_assert(!decided(denies, OP_PEEK, 0).allowed);
	ck_assert_int_eq(decided(denies, OP_TAKE, 7).taken, 0);
	ck_assert_int_eq(decided(denies, OP_CONSUME, 1).retry_us, RETRY_NEVER);
	ck_assert(decided(denies, OP_CONSUME, -1).allowed);
	ck_assert_int_eq(denies->algorithm->describe(denies, &out), 0);
	ck_assert_int_eq(buf_len(&out), 11);
	ck_assert_mem_eq(buf_data(&out), "action=deny", 11);
	buf_free(&out);
	limit_free(allows);
	limit_free(denies);
}
END_TEST

START_TEST(every_word_is_taken)
{
	struct limit *limit = built("api",
	    &(struct words){
		{"algorithm=leaky_bucket", "match=api:*", "capacity=10",
		    "rate=10/s", "block=5m", "on_error=deny", "shadow=yes",
		    "deny_cache=no", "max_buckets=1000", "id_memory=1h"}});

	ck_assert_int_eq(limit->recharge_us, 100000);
	ck_assert_int_eq(limit->block_us, 300000000);
	ck_assert_int_eq(limit->on_error, ON_ERROR_DENY);
	ck_assert(limit->shadow);
	ck_assert(!limit->deny_cache);
	ck_assert_int_eq(limit->max_buckets, 1000);
	ck_assert_int_eq(limit->id_memory_us, INT64_C(3600000000));
	ck_assert_int_eq(limit_life_us(limit), 301000000);
	limit_free(limit);
}
END_TEST

START_TEST(yes_and_no_have_their_usual_synonyms)
{
	struct limit *limit =
	    built("api", &(struct words){{"match=api:*", "capacity=10",
			     "rate=10/s", "shadow=true", "deny_cache=off"}});

	ck_assert(limit->shadow);
	ck_assert(!limit->deny_cache);
	limit_free(limit);
}
END_TEST

START_TEST(values_that_are_words_are_read_in_any_case)
{
	struct limit *limit = built(
	    "mail", &(struct words){{"match=mail:*", "algorithm=Fixed_Window",
			"capacity=100", "window=1d", "on_error=Allow",
			"shadow=YES", "deny_cache=No"}});

	ck_assert_ptr_eq(limit->algorithm, &algorithm_fixed_window);
	ck_assert_int_eq(limit->on_error, ON_ERROR_ALLOW);
	ck_assert(limit->shadow);
	ck_assert(!limit->deny_cache);
	limit_free(limit);
}
END_TEST

START_TEST(fixed_window_has_a_window)
{
	struct limit *limit = built("mail",
	    &(struct words){{"match=mail:*", "algorithm=fixed_window",
		"capacity=100", "window=1d", "on_error=allow", "shadow=no"}});

	ck_assert_ptr_eq(limit->algorithm, &algorithm_fixed_window);
	ck_assert_int_eq(limit->window_us, INT64_C(86400000000));
	ck_assert_int_eq(limit->on_error, ON_ERROR_ALLOW);
	ck_assert_int_eq(limit_life_us(limit), INT64_C(86400000000));
	limit_free(limit);
}
END_TEST

static const struct {
	const char *match;
	enum match_kind kind;
	const char *literal; /* NULL: a regular expression */
} patterns[] = {
    {"login", MATCH_EXACT, "login"},
    {"login:42]", MATCH_EXACT, "login:42]"},
    {"a\\*b", MATCH_EXACT, "a*b"},
    {"a\\*", MATCH_EXACT, "a*"},
    {"a\\\\", MATCH_EXACT, "a\\"},
    {"\\a\\~", MATCH_EXACT, "a~"},
    {"\\~a", MATCH_EXACT, "~a"},
    {"a~", MATCH_EXACT, "a~"},
    {"login:*", MATCH_PREFIX, "login:"},
    {"*", MATCH_PREFIX, ""},
    {"a\\**", MATCH_PREFIX, "a*"},
    {"a\\\\*", MATCH_PREFIX, "a\\"},
    {"a\\[*", MATCH_PREFIX, "a["},
    {"a**", MATCH_GLOB, "a"},
    {"a*b", MATCH_GLOB, "a"},
    {"*a", MATCH_GLOB, ""},
    {"a?", MATCH_GLOB, "a"},
    {"a?*", MATCH_GLOB, "a"},
    {"a[bc]*", MATCH_GLOB, "a"},
    {"[]]", MATCH_GLOB, ""},
    {"[!]]", MATCH_GLOB, ""},
    {"[\\]]", MATCH_GLOB, ""},
    {"~^a$", MATCH_REGEX, NULL},
    {"~", MATCH_REGEX, NULL},
};

START_TEST(pattern_is_of_the_cheapest_kind)
{
	struct limit_error error;
	struct limit *limit = limit_new("x", &error);

	ck_assert_int_eq(
	    limit_set(limit, "match", patterns[_i].match, &error), 0);
	ck_assert_int_eq(limit->kind, patterns[_i].kind);
	ck_assert_pstr_eq(limit->literal, patterns[_i].literal);
	ck_assert((limit->regex != NULL) == (limit->kind == MATCH_REGEX));
	if (limit->literal)
		ck_assert_uint_eq(limit->literal_len, strlen(limit->literal));
	limit_free(limit);
}
END_TEST

static const struct {
	struct words words;
	const char *reason;
} refused[] = {
    {{{"capacity=5", "recharge=1s"}}, "match is missing"},
    {{{"match=a", "recharge=1s"}}, "capacity is missing"},
    {{{"match=a", "capacity=5"}}, "recharge (or rate) is missing"},
    {{{"match=a", "capacity=5", "recharge=1s", "rate=1/s"}},
	"recharge and rate exclude each other"},
    {{{"match=a", "capacity=5", "recharge=1s", "window=1s"}},
	"window does not go with algorithm = leaky_bucket"},
    {{{"match=a", "capacity=5", "algorithm=fixed_window"}},
	"window is missing"},
    {{{"match=a", "capacity=5", "window=1s", "recharge=1s",
	 "algorithm=fixed_window"}},
	"recharge does not go with algorithm = fixed_window"},
    {{{"match=a", "capacity=5", "window=1s", "rate=1/s",
	 "algorithm=fixed_window"}},
	"rate does not go with algorithm = fixed_window"},
    {{{"match=a", "capacity=5", "window=1s", "block=0",
	 "algorithm=fixed_window"}},
	"block does not go with algorithm = fixed_window"},
    {{{"match=a", "capacity=5", "match=b"}}, "match is given twice"},
    {{{"capcity=5"}}, "unknown word 'capcity', did you mean 'capacity'?"},
    {{{"zzz=5"}}, "unknown word 'zzz'"},
    {{{"=5"}}, "unknown word ''"},
    {{{"\x1B[1m=5"}}, "unknown word '\\x1b[1m'"},
    {{{"capacity=0"}},
	"capacity must be a whole number from 1 to 1000000000: to let nothing "
	"in, write action = deny"},
    {{{"action=perhaps"}}, "action must be allow or deny"},
    {{{"match=a", "action=deny", "capacity=5"}},
	"capacity does not go with action = deny"},
    {{{"match=a", "rate=1/s", "action=allow"}},
	"rate does not go with action = allow"},
    {{{"match=a", "action=deny", "also=b"}},
	"also does not go with action = deny"},
    {{{"match=a", "action=allow", "algorithm=fixed_window"}},
	"algorithm does not go with action = allow"},
    {{{"action=allow"}}, "match is missing"},
    {{{"capacity=-1"}}, "capacity must be a whole number from 1 to 1000000000"},
    {{{"capacity=1000000001"}},
	"capacity must be a whole number from 1 to 1000000000"},
    {{{"capacity=0x5"}},
	"capacity must be a whole number from 1 to 1000000000"},
    {{{"capacity=1.5"}},
	"capacity must be a whole number from 1 to 1000000000"},
    {{{"capacity="}}, "capacity must be a whole number from 1 to 1000000000"},
    {{{"recharge=60"}},
	"recharge must be a number and a unit (us ms s m h d), as in 60s"},
    {{{"recharge=nan"}},
	"recharge must be a number and a unit (us ms s m h d), as in 60s"},
    {{{"recharge=0"}}, "recharge must be from 1us to 52124d"},
    {{{"recharge=4503599627370496us"}}, "recharge must be from 1us to 52124d"},
    {{{"block=4503599627370496us"}}, "block must be from 0us to 52124d"},
    {{{"window=0s"}}, "window must be from 1us to 52124d"},
    {{{"window=4503599627370496us"}}, "window must be from 1us to 52124d"},
    {{{"rate=0/s"}}, "rate must be above 0, at most 1000000/s"},
    {{{"rate=2/us"}}, "rate must be above 0, at most 1000000/s"},
    {{{"rate=60"}},
	"rate must be a whole number, / and a unit (us ms s m h d), "
	"as in 60/h or 10/15m"},
    {{{"algorithm=token_bucket"}},
	"algorithm must be leaky_bucket, fixed_window, sliding_window or "
	"concurrent"},
    {{{"debt=-1"}}, "debt must be a whole number from 0 to 1000000000"},
    {{{"block=5m x3"}}, "block is a time, or one as in 5m x3 max 1d"},
    {{{"block=5m x3 max 1d 2"}}, "block is a time, or one as in 5m x3 max 1d"},
    {{{"block=5m 3 max 1d"}},
	"block is a time, or one with x2 to x1000 and max, as in 5m x3 "
	"max 1d"},
    {{{"block=5m x1 max 1d"}},
	"block is a time, or one with x2 to x1000 and max, as in 5m x3 "
	"max 1d"},
    {{{"block=5m x3 most 1d"}},
	"block is a time, or one with x2 to x1000 and max, as in 5m x3 "
	"max 1d"},
    {{{"block=5m x3 max 0s"}}, "block: max must be from 1us to 52124d"},
    {{{"block=0s x3 max 1d"}}, "block must be from 1us to 52124d"},
    {{{"match=a", "capacity=1", "recharge=1s", "block=5m,x3,max,1m"}},
	"block: max is less than the first one"},
    {{{"match=a", "capacity=1", "recharge=1s", "block=5m x3 max 800d",
	 "block_memory=15d"}},
	"block: max and block_memory together must stay below 814d"},
    {{{"match=a", "capacity=1", "recharge=408d", "block=5m x3 max 1d"}},
	"recharge must stay below 407d where the block grows"},
    {{{"match=a", "capacity=1", "recharge=1s", "block=5m", "block_memory=1d"}},
	"block_memory is for a block that grows, as in 5m x3 max 1d"},
    {{{"match=a", "capacity=1", "recharge=30000d", "queue=30000d"}},
	"capacity times recharge, and queue, must stay below 2^52us (52124d)"},
    {{{"match=a", "capacity=1", "rate=30000/s", "queue=60d"}},
	"capacity times recharge, and queue, must stay below 2^52us (52124d)"},
    {{{"match=a", "algorithm=fixed_window", "capacity=1", "window=1s",
	 "queue=1s"}},
	"queue does not go with algorithm = fixed_window"},
    {{{"match=a", "capacity=1", "recharge=400d", "debt=1000"}},
	"capacity and debt times recharge must stay below 2^52us (52124d)"},
    {{{"retry_jitter=10"}}, "retry_jitter must be from 0% to 100%"},
    {{{"retry_jitter=%"}}, "retry_jitter must be from 0% to 100%"},
    {{{"retry_jitter=101%"}}, "retry_jitter must be from 0% to 100%"},
    {{{"retry_jitter=1.5%"}}, "retry_jitter must be from 0% to 100%"},
    {{{"on_error=maybe"}}, "on_error must be memory, allow or deny"},
    {{{"shadow=maybe"}}, "shadow must be yes or no"},
    {{{"deny_cache=2"}}, "deny_cache must be yes or no"},
    {{{"max_buckets=0"}},
	"max_buckets must be a whole number from 1 to 1000000000"},
    {{{"max_buckets=1000000001"}},
	"max_buckets must be a whole number from 1 to 1000000000"},
    {{{"id_memory=999ms"}}, "id_memory must be from 1s to 1d"},
    {{{"id_memory=86401s"}}, "id_memory must be from 1s to 1d"},
    {{{"id_memory=1"}}, "id_memory must be a number and a unit (us ms s m "
			"h d), as in 60s"},
    {{{"match="}}, "match is empty"},
    {{{"match=a\\"}}, "match ends in a lone backslash"},
    {{{"match=a*\\"}}, "match ends in a lone backslash"},
    {{{"match=a[b"}}, "match has a [ without a ]"},
    {{{"match=a[]"}}, "match has a [ without a ]"},
    {{{"match=a[!]"}}, "match has a [ without a ]"},
    {{{"match=a[b\\]"}}, "match has a [ without a ]"},
    {{{"match=a[b\\"}}, "match has a [ without a ]"},
    {{{"match=~a("}}, "match, at byte 3: missing closing parenthesis"},
    {{{"match=~\\C"}},
	"match, at byte 3: using \\C is disabled by the application"},
};

START_TEST(what_is_wrong_is_said)
{
	struct limit_error error;

	ck_assert_ptr_null(build("x", &refused[_i].words, &error));
	ck_assert_str_eq(error.reason, refused[_i].reason);
}
END_TEST

START_TEST(regex_that_is_not_utf8_is_refused)
{
	struct limit_error error;

	ck_assert_ptr_null(
	    build("x", &(struct words){{"match=~\xFF"}}, &error));
}
END_TEST

static const struct {
	const char *words; /* recharge or rate */
	const char *written;
} recharges[] = {
    {"rate=1000/s", "1ms"},
    {"rate=3/s", "333334us"}, /* within a thousandth, so no finer */
    {"rate=999/s", "1002us"},
    {"rate=1001/s", "999.001us"},
    {"rate=30000/s", "33.334us"},
    {"rate=100000/s", "10us"},
    {"rate=120000/s", "8.334us"},
    {"rate=600000/s", "1.667us"},
    {"rate=999999/s", "1.001us"},
    {"rate=1000000/s", "1us"},
    {"recharge=33.334us", "33.334us"},
    {"recharge=0.0333ms", "33.300us"},
    {"recharge=1000.5us", "1001us"},
};

static void
keep_recharge(const char *word, const char *value, void *arg)
{
	char *written = arg;

	if (strcmp(word, "recharge") == 0)
		snprintf(written, 30, "%s", value);
}

START_TEST(rate_in_force_is_within_a_thousandth)
{
	struct limit *limit = built("x",
	    &(struct words){{"match=a", "capacity=5", recharges[_i].words}});
	char written[30] = "";

	limit_each_word(limit, keep_recharge, written);
	ck_assert_str_eq(written, recharges[_i].written);
	limit_free(limit);
}
END_TEST

START_TEST(capacity_times_recharge_stays_below_2_52)
{
	struct limit_error error;

	/* 2^52 - 1 = 3 * 5 * 300239975158033 */
	limit_free(built("x", &(struct words){{"match=a", "capacity=15",
				  "recharge=300239975158033us"}}));
	ck_assert_ptr_null(build("x",
	    &(struct words){
		{"match=a", "capacity=16", "recharge=281474976710656us"}},
	    &error));
	ck_assert_str_eq(error.reason,
	    "capacity times recharge must stay below 2^52us (52124d)");
	ck_assert_ptr_null(build("x",
	    &(struct words){{"match=a", "capacity=1000000000",
		"recharge=4503599627370495us"}},
	    &error));
}
END_TEST

static const char *const names[] = {"a", "A-z_0",
    "0123456789012345678901234567890123456789012345678901234567890123"};

static const char *const bad_names[] = {"", " ", "a b", "a.b", "a:b", "a/b",
    "caf\xC3\xA9",
    "01234567890123456789012345678901234567890123456789012345678901234"};

START_TEST(names_are_plain)
{
	struct limit_error error;
	struct limit *limit = limit_new(names[_i], &error);

	ck_assert_str_eq(limit->name, names[_i]);
	limit_free(limit);
}
END_TEST

START_TEST(other_names_are_refused)
{
	struct limit_error error;

	ck_assert_ptr_null(limit_new(bad_names[_i], &error));
	ck_assert_str_eq(
	    error.reason, "a limit's name is 1 to 64 of A-Z a-z 0-9 _ -");
}
END_TEST

START_TEST(id_is_of_name_and_algorithm_alone)
{
	struct limit *a = built(
	    "x", &(struct words){{"match=a", "capacity=5", "recharge=1s"}});
	struct limit *b = built(
	    "x", &(struct words){{"match=b*", "capacity=6", "recharge=2s"}});
	struct limit *c = built(
	    "y", &(struct words){{"match=a", "capacity=5", "recharge=1s"}});
	struct limit *d =
	    built("x", &(struct words){{"match=a", "capacity=5",
			   "algorithm=fixed_window", "window=1s"}});

	ck_assert_mem_eq(&a->id, &b->id, sizeof(a->id));
	ck_assert_mem_ne(&a->id, &c->id, sizeof(a->id));
	ck_assert_mem_ne(&a->id, &d->id, sizeof(a->id));
	limit_free(a);
	limit_free(b);
	limit_free(c);
	limit_free(d);
}
END_TEST

START_TEST(values_have_names)
{
	ck_assert_str_eq(algorithm_leaky_bucket.name, "leaky_bucket");
	ck_assert_str_eq(algorithm_fixed_window.name, "fixed_window");
	ck_assert_str_eq(on_error_name(ON_ERROR_MEMORY), "memory");
	ck_assert_str_eq(on_error_name(ON_ERROR_ALLOW), "allow");
	ck_assert_str_eq(on_error_name(ON_ERROR_DENY), "deny");
	limit_free(NULL);
}
END_TEST

Suite *
limit_suite(void)
{
	Suite *suite = suite_create("limit");
	TCase *tcase = tcase_create("limit");

	tcase_add_test(tcase, leaky_bucket_is_the_default);
	tcase_add_test(tcase, limit_with_an_action_asks_no_bucket);
	tcase_add_test(tcase, every_word_is_taken);
	tcase_add_test(tcase, yes_and_no_have_their_usual_synonyms);
	tcase_add_test(tcase, values_that_are_words_are_read_in_any_case);
	tcase_add_test(tcase, fixed_window_has_a_window);
	tcase_add_loop_test(
	    tcase, pattern_is_of_the_cheapest_kind, 0, COUNT(patterns));
	tcase_add_loop_test(tcase, what_is_wrong_is_said, 0, COUNT(refused));
	tcase_add_test(tcase, regex_that_is_not_utf8_is_refused);
	tcase_add_loop_test(
	    tcase, rate_in_force_is_within_a_thousandth, 0, COUNT(recharges));
	tcase_add_test(tcase, capacity_times_recharge_stays_below_2_52);
	tcase_add_loop_test(tcase, names_are_plain, 0, COUNT(names));
	tcase_add_loop_test(
	    tcase, other_names_are_refused, 0, COUNT(bad_names));
	tcase_add_test(tcase, id_is_of_name_and_algorithm_alone);
	tcase_add_test(tcase, values_have_names);
	suite_add_tcase(suite, tcase);
	return suite;
}
