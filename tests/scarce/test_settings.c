/*
 * What is read at the start and on a reload, and what is written of it: all of
 * it, or nothing.
 */
#include "scarce.h"
#include "suites.h"

#include "base/attr.h"
#include "config/config.h"
#include "config/rights.h"
#include "limit/override.h"
#include "limit/rules_losses.h"
#include "limit/rules_text.h"
#include "limit/turnstile.h"
#include "upstream/freshness.h"
#include "upstream/response_value.h"

#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1700000000000000)

static const char settings[] =
    "[store]\ntype = redis\nstate_dir = /nowhere\n"
    "[limits]\nsource = redis\n"
    "[redis]\ntopology = sentinel\nhosts = one:1 two:2\nmaster_name = "
    "main\nusername = gate\n"
    "password = secret\n"
    "[control]\nusername = watcher\npassword = other\n"
    "[http]\nlisten = 127.0.0.1:8080\ntrusted_proxies = 10.0.0.0/8\n"
    "[master]\nhost = other\nport = 7\n"
    "[slave:one]\nhost = one\n[slave:two]\nunix_socket_path = /two\n"
    "[upstream:up]\nurl = http://192.0.2.1:80/a\ncache = memory\n"
    "limit_key = api up:1\nheader.x-a = 1\n"
    "[upstream:other]\nurl = https://up.example\ncache = redis\n";

static void
check_same(const struct buf *text, char **first)
{
	if (scarce_fails())
		ck_assert_str_eq(buf_data(text), *first);
	else
		*first = strdup(buf_data(text));
}

/* The bytes are a text from here on. */
static void
end_text(struct buf *text)
{
	ck_assert_int_eq(buf_add(text, "", 1), 0);
}

static bool
settings_are_read(const void *arg)
{
	struct reasons reasons = {0};
	struct config *config;
	bool read = false;

	(void)arg;
	scarce_begin();
	config = config_new();
	if (config) {
		read = config_read(config, "dripgate.ini", settings,
			   strlen(settings), &reasons) == 0 &&
		       config_open_upstreams(config, &reasons) == 0;
		scarce_end();
		ck_assert_int_eq(read, reasons.count == 0);
		ck_assert_msg(
		    read || scarce_fails(), "%s", reasons_first(&reasons));
	}
	config_free(config);
	return read;
}

START_TEST(settings_are_read_or_a_reason_is_given)
{
	scarce_each(settings_are_read, NULL);
}
END_TEST

static struct config *config;

static void
set_up_config(void)
{
	struct reasons reasons;

	config = config_new();
	ck_assert_ptr_nonnull(config);
	ck_assert_msg(config_read(config, "dripgate.ini", settings,
			  strlen(settings), &reasons) == 0,
	    "%s", reasons_first(&reasons));
}

static void
tear_down_config(void)
{
	config_free(config);
}

static bool
settings_are_dumped(const void *arg)
{
	static char *first;
	struct buf text = {0};
	bool dumped;

	scarce_begin();
	dumped = config_dump(config, arg != NULL, &text) == 0;
	scarce_end();
	end_text(&text);
	if (dumped)
		check_same(&text, &first);
	buf_free(&text);
	return dumped;
}

START_TEST(settings_are_dumped_whole)
{
	scarce_each(settings_are_dumped, _i ? "sources" : NULL);
}
END_TEST

static bool
rights_are_found(const void *arg)
{
	static char *first;
	struct rights rights;
	struct buf text = {0};
	bool found;

	(void)arg;
	scarce_begin();
	found = rights_open(&rights, config) == 0;
	scarce_end();
	for (size_t i = 0; found && i < rights.count; i++)
		for (size_t k = 0; k < rights.users[i].count; k++)
			ck_assert_int_eq(
			    buf_printf(&text, "%s %s\n", rights.users[i].server,
				rights.users[i].rights[k]),
			    0);
	end_text(&text);
	if (found)
		check_same(&text, &first);
	buf_free(&text);
	rights_close(&rights);
	return found;
}

START_TEST(rights_are_all_or_none)
{
	scarce_each(rights_are_found, NULL);
}
END_TEST

/*
 * Limits.
 */

static const char limits[] =
    "[login]\nmatch = login:*\ncapacity = 5\nrecharge = 1h\nblock = 1m\n"
    "[mail]\nmatch = mail:*:*\nalgorithm = fixed_window\ncapacity = 3\n"
    "window = 365d\nalso = total:$1,all\nshadow = yes\n"
    "[total]\nmatch = total:*\nalgorithm = sliding_window\ncapacity = 9\n"
    "window = 1m\n"
    "[all]\nmatch = all\ncapacity = 9\nrate = 1/m\non_error = deny\n"
    "[odd]\nmatch = ~^odd:[0-9]+$\ncapacity = 2\nrate = 30000/s\n"
    "[jobs]\nmatch = jobs:*\nalgorithm = concurrent\ncapacity = 9\n"
    "lease = 1m\n"
    "[route:api]\nmethod = GET,POST\nhost = *.example\n"
    "path = /v1/{name}/*\nquery.plan = free\nheader.x-a = *\n"
    "keys = login:$path.name,mail:$query.plan:1\ncontinue = yes\n"
    "[route:all]\npath = ~^/all/(?<what>[a-z]+)$\nkeys = login:$path.what\n"
    "amount = $header.x-cost\namount_max = 3\n";

static struct rules *
read_limits(const char *text)
{
	struct reasons reasons = {0};
	struct rules *rules =
	    rules_from_ini("limits.ini", text, strlen(text), &reasons);
	const bool counted = scarce_fails();

	ck_assert_msg(rules || counted, "%s", reasons_first(&reasons));
	ck_assert(rules || reasons.count > 0);
	return rules;
}

static bool
limits_are_read(const void *arg)
{
	static char first[100];
	struct rules *rules;

	scarce_begin();
	rules = read_limits(arg);
	scarce_end();
	if (!rules)
		return false;
	ck_assert_uint_eq(rules_count(rules), 6);
	ck_assert_uint_eq(rules_routes(rules)->count, 2);
	if (!scarce_fails())
		strcpy(first, rules_digest(rules));
	ck_assert_str_eq(rules_digest(rules), first);
	rules_unref(rules);
	return true;
}

START_TEST(limits_are_all_or_none)
{
	scarce_each(limits_are_read, limits);
}
END_TEST

static bool
limits_are_written(const void *arg)
{
	static char *first;
	struct rules *rules;
	struct buf text = {0};
	bool written = true;

	scarce_end();
	rules = rules_from_ini(
	    "limits.ini", limits, strlen(limits), &(struct reasons){0});
	ck_assert_ptr_nonnull(rules);
	scarce_begin();
	for (size_t i = 0; written && i < rules_count(rules); i++)
		written = (arg ? rules_write_line : rules_write_section)(
			      &text, rules_at(rules, i)) == 0;
	scarce_end();
	end_text(&text);
	if (written)
		check_same(&text, &first);
	buf_free(&text);
	rules_unref(rules);
	return written;
}

START_TEST(limits_are_written_whole)
{
	scarce_each(limits_are_written, _i ? "lines" : NULL);
}
END_TEST

/* A member of a set of Turnstile. */
#define BYTES(text) text, sizeof(text) - 1
#define OWN         "\xablimit_class\xb6turnstile.limits:Limit\xa4uuid\xa2u1"
#define URI         "\xa3uri\xa8/a/{x}/b"
#define VALUE       "\xa5value\x0a\xa4unit\xa6minute"

static const struct rules_line members[] = {
    {BYTES("\x86" OWN URI VALUE "\xa3use\x92\xa1y\xa1x")},
    {BYTES("\x89" OWN URI VALUE "\xa3use\x90\xa5verbs\x92\xa3get\xa4POST"
	   "\xa7queries\x91\xa1q\xad"
	   "continue_scan\xc2")},
    {BYTES("\x86" OWN URI VALUE "\xacrequirements\x82\xa1y\xa1z\xa1x\xa7"
	   "[ \\d]\\ ")},
    {BYTES("\x85" OWN "\xa3uri\xb7/:a.:(b) \\:x{.ext}/*(r)" VALUE)},
};

static bool
member_is_written(const void *arg)
{
	const struct rules_line *member = arg;
	static char *first;
	struct limit_error error;
	struct buf text = {0};
	bool written;

	scarce_begin();
	written = turnstile_write(&text, member->bytes, member->len, &error) ==
		  TURNSTILE_LINES;
	scarce_end();
	if (written) {
		end_text(&text);
		check_same(&text, &first);
	} else {
		ck_assert_msg(scarce_fails(), "%s", error.reason);
		ck_assert_str_eq(error.reason, "out of memory");
	}
	buf_free(&text);
	return written;
}

START_TEST(member_of_a_foreign_set_is_read_whole)
{
	scarce_each(member_is_written, &members[_i]);
}
END_TEST

static void
count_loss(const char *text, void *arg)
{
	ck_assert_ptr_nonnull(strstr(text, "login"));
	++*(size_t *)arg;
}

static bool
losses_are_found(const void *arg)
{
	static const char fewer[] = "[mail]\nmatch = mail:*:*\ncapacity = 9\n"
				    "rate = 9/s\n";
	static const char more[] =
	    "[login]\nmatch = login:*\ncapacity = 5\nrecharge = 1h\n"
	    "[mail]\nmatch = mail:*:*\ncapacity = 9\nrate = 9/s\n";
	struct rules *old, *new;
	size_t count = 0;
	int found;

	(void)arg;
	old = rules_from_ini("old", more, strlen(more), &(struct reasons){0});
	new = rules_from_ini("new", fewer, strlen(fewer), &(struct reasons){0});
	ck_assert(old && new);
	scarce_begin();
	found = rules_losses(old, new, count_loss, &count);
	scarce_end();
	ck_assert(found == -1 || (found == 1 && count == 1));
	rules_unref(old);
	rules_unref(new);
	return found != -1;
}

START_TEST(losses_are_all_found)
{
	scarce_each(losses_are_found, NULL);
}
END_TEST

static bool
override_applies(const void *arg)
{
	static const char value[] = "x10 1700000001 me@host\na day";
	struct limit_error error = {0};
	const struct key key = key_make("login:1", 7);
	struct rules_scratch *scratch = rules_scratch_new();
	struct rules *rules, *overrides, *both = NULL;
	struct limit *limit;
	int64_t capacity = 0;

	(void)arg;
	rules = rules_from_ini(
	    "limits", limits, strlen(limits), &(struct reasons){0});
	ck_assert_ptr_nonnull(rules);
	ck_assert_ptr_nonnull(scratch);
	scarce_begin();
	overrides = rules_new();
	limit = override_read(
	    "login:*", 7, value, strlen(value), NOW + 1000000, &error);
	ck_assert_msg(limit || scarce_fails(), "%s", error.reason);
	if (overrides && limit && rules_add(overrides, limit) == 0) {
		limit = NULL;
		if (rules_finish(overrides) == 0)
			both = rules_override(rules, overrides);
	}
	if (both)
		capacity = rules_match(both, &key, scratch)->capacity;
	scarce_end();
	if (both)
		ck_assert_uint_eq(rules_override_count(both), 1);
	if (both && capacity != 50) {
		ck_assert(scarce_fails());
		ck_assert_int_eq(capacity, 5); /* as if there were none */
	}
	limit_free(limit);
	rules_unref(overrides);
	rules_unref(both);
	rules_unref(rules);
	rules_scratch_free(scratch);
	return capacity == 50;
}

START_TEST(override_applies_or_not)
{
	scarce_each(override_applies, NULL);
}
END_TEST

/*
 * Responses that are stored.
 */

static struct part
part_of(const char *text)
{
	return (struct part){text, strlen(text)};
}

static struct headers
headers_of(const char *text)
{
	return (struct headers){text, strlen(text)};
}

static bool
response_is_kept(const void *arg)
{
	static const struct freshness freshness = {
	    .received_us = NOW - 10, .kept_until_us = NOW + 30};
	const struct response_reading reading = {
	    .selecting = part_of("lang:de\n"), .most = 100000, .now_us = NOW};
	const struct part body = part_of(arg);
	struct stored_response *response, *again = NULL;
	struct buf value = {0};

	scarce_begin();
	response = response_new(200, &freshness, headers_of("A: 1\r\n"),
	    part_of("lang:de\n"), body);
	if (response && response_value_write(&value, response, 0) == 0)
		again = response_value_read(
		    (struct part){buf_data(&value), buf_len(&value)}, &reading);
	scarce_end();
	if (again) {
		ck_assert_uint_eq(again->body.len, body.len);
		ck_assert_mem_eq(again->body.bytes, body.bytes, body.len);
	}
	response_unref(response);
	response_unref(again);
	buf_free(&value);
	return again != NULL;
}

START_TEST(stored_response_is_whole)
{
	char *body = malloc(5001);

	ck_assert_ptr_nonnull(body);
	memset(body, 'a', 5000);
	body[_i ? 5000 : 5] = '\0';
	scarce_each(response_is_kept, body);
	free(body);
}
END_TEST

static bool
request_is_selected(const void *arg)
{
	const struct headers response = headers_of("Vary: Accept, X-A\r\n");
	const struct headers request =
	    headers_of("accept: a\r\nx-a: 1\r\nAccept: b\r\n");
	struct buf text = {0}, names = {0}, again = {0};
	bool done;

	(void)arg;
	scarce_begin();
	done =
	    vary_select(&text, response, request) == 0 &&
	    vary_names(
		&names, (struct part){buf_data(&text), buf_len(&text)}) == 0 &&
	    vary_select_names(&again,
		(struct part){buf_data(&names), buf_len(&names)}, request) == 0;
	scarce_end();
	if (done) {
		ck_assert_uint_eq(buf_len(&again), buf_len(&text));
		ck_assert_mem_eq(
		    buf_data(&again), buf_data(&text), buf_len(&text));
		ck_assert(vary_matches(
		    (struct part){buf_data(&text), buf_len(&text)}, request));
	}
	buf_free(&text);
	buf_free(&names);
	buf_free(&again);
	return done;
}

START_TEST(what_selects_a_response_is_whole)
{
	scarce_each(request_is_selected, NULL);
}
END_TEST

Suite *
settings_suite(void)
{
	Suite *suite = suite_create("settings");
	TCase *tcase = tcase_create("settings");
	TCase *config_case = tcase_create("config");

	tcase_add_test(tcase, settings_are_read_or_a_reason_is_given);
	tcase_add_test(tcase, limits_are_all_or_none);
	tcase_add_loop_test(tcase, limits_are_written_whole, 0, 2);
	tcase_add_loop_test(
	    tcase, member_of_a_foreign_set_is_read_whole, 0, COUNT(members));
	tcase_add_test(tcase, losses_are_all_found);
	tcase_add_test(tcase, override_applies_or_not);
	tcase_add_loop_test(tcase, stored_response_is_whole, 0, 2);
	tcase_add_test(tcase, what_selects_a_response_is_whole);
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(config_case, set_up_config, tear_down_config);
	tcase_add_loop_test(config_case, settings_are_dumped_whole, 0, 2);
	tcase_add_test(config_case, rights_are_all_or_none);
	suite_add_tcase(suite, config_case);
	return suite;
}
