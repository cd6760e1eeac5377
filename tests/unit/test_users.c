#include "suites.h"

#include "base/attr.h"
#include "protocol/login.h"
#include "protocol/login_tries.h"

#include <stdio.h>
#include <string.h>

extern const struct protocol line_protocol;

static struct session_common common;
static struct session session;
static struct reasons reasons;

/* A secret's text with few rounds. */
static const char *
secret_text(const char *secret)
{
	static char text[SECRET_HASH_TEXT_SIZE];
	struct secret_hash hash;

	ck_assert_int_eq(secret_hash_make(&hash, secret, strlen(secret)), 0);
	secret_hash_write(&hash, text);
	return text;
}

static struct users *
read_users(const char *text, unsigned generation)
{
	struct users *users;

	reasons_clear(&reasons);
	users = users_read("users", text, strlen(text), &reasons);
	ck_assert_msg(users != NULL, "%s", reasons_first(&reasons));
	users->generation = generation;
	return users;
}

static void
use(struct users *users)
{
	users_unref(common.users);
	common.users = users;
}

static void
tear_down(void)
{
	session_end(&session);
	session_common_clear(&common);
}

static void
begin(const uid_t *uid, const char *cert)
{
	session_end(&session);
	session_start(&session, &common, 1, OFFER_ANY);
	session.protocol = &line_protocol;
	login_introduce(&session, uid, cert);
}

static enum protocol_error
log_in(const char *name, const char *secret)
{
	struct request_word words[] = {
	    {name, name ? strlen(name) : 0}, {secret, strlen(secret)}};

	return login_with_secret(&session, name ? words : NULL, words + 1);
}

static enum protocol_error
with_header(const char *value)
{
	return login_with_header(&session, value, strlen(value));
}

static enum protocol_error
ask(enum verb verb, const char *key)
{
	struct request request;

	request_init(&request, verb);
	request.key = key;
	request.key_len = key ? strlen(key) : 0;
	return login_check(&session, &request);
}

START_TEST(each_mistake_is_reported_with_its_line)
{
	static const char text[] =
	    "# fine\n"
	    "a\n"
	    "b! nopass verbs=all keys=*\n"
	    "c nopass verbs=consme keys=[\n"
	    "d nopass verbs=consume\n"
	    "e secret=1 verbs=stats uid=x hm=1\n"
	    "f nopass uid=1 uid=2 verbs=stats\n"
	    "f cert uid=1 verbs=stats\n"
	    "g nopass=1 verbs= keys=a,,b\n"
	    "h cert= verbs=stats\n"
	    "i cert=x verbs=stats\n"
	    "j cert=x verbs=stats\n"
	    "k nopass "
	    "secret=pbkdf2-sha256:1:7de706ca650f6efbe2bcb730c6f0349b:"
	    "3a9c2b3bb4eff5f66102f1b0885f08f795b4be48d1b429d91787ad9ddca08b6e "
	    "verbs=stats\n";
	static const char *const expected[] = {
	    "users:2: a needs a way to log in: secret=, nopass, cert= or uid=",
	    "users:2: a needs verbs=",
	    "users:3: a name is 1 to 64 of A-Z a-z 0-9 _ and -",
	    "users:4: verbs: there is no consme; see HELP, or all, decide, "
	    "read, metrics",
	    "users:4: keys: the pattern \"[\" has a [ without a ]",
	    "users:5: d needs keys=, as keys=login:*",
	    "users:6: secret is what \"dripgate hash\" prints, with 1 to 20000 "
	    "rounds",
	    "users:6: uid=x: not a number of a user",
	    "users:6: unknown word; they are secret, nopass, cert, uid, verbs, "
	    "keys",
	    "users:7: uid is there twice",
	    "users:8: f is there twice",
	    "users:8: cert needs =VALUE",
	    "users:8: uid=1: another user has it already",
	    "users:9: nopass has no value",
	    "users:9: verbs needs at least one",
	    "users:9: keys: the pattern \"\" is empty",
	    "users:10: cert is a name of 1 to 64 characters",
	    "users:12: cert=x: another user has it already",
	    "users:13: k has secret and nopass",
	};

	reasons_clear(&reasons);
	ck_assert_ptr_null(users_read("users", text, strlen(text), &reasons));
	for (size_t i = 0; i < COUNT(expected); i++)
		ck_assert_str_eq(reasons.lines[i], expected[i]);
	ck_assert_uint_eq(reasons.count, COUNT(expected));
}
END_TEST

START_TEST(hash_is_read_back_and_fits_its_secret_only)
{
	struct secret_hash hash, again;
	char text[SECRET_HASH_TEXT_SIZE];

	ck_assert_int_eq(secret_hash_make(&hash, "sesame", 6), 0);
	secret_hash_write(&hash, text);
	ck_assert_int_eq(secret_hash_read(&again, text), 0);
	ck_assert(secret_hash_is(&again, "sesame", 6, hash.rounds));
	ck_assert(secret_hash_is(&again, "sesame", 6, hash.rounds + 5));
	ck_assert(!secret_hash_is(&again, "sesam", 5, hash.rounds));
	ck_assert(!secret_hash_is(&again, "", 0, hash.rounds));
	text[strlen(text) - 1] = '\0';
	ck_assert_int_eq(secret_hash_read(&again, text), -1);
	ck_assert_int_eq(secret_hash_read(&again, "pbkdf2-sha256:1:"), -1);
	ck_assert_int_eq(secret_hash_read(&again, "pbkdf2-sha256"), -1);
	ck_assert_int_eq(secret_hash_read(&again, ""), -1);
}
END_TEST

/* A known answer, from Python's hashlib. */
#define SALT "7de706ca650f6efbe2bcb730c6f0349b"
#define DIGEST                                                                 \
	"3a9c2b3bb4eff5f66102f1b0885f08f795b4be48d1b429d91787ad9ddca08b6e"

static const struct {
	const char *text;
	bool is_hash;
} hashes[] = {
    {"pbkdf2-sha256:1:" SALT ":" DIGEST, true},
    {"pbkdf2-sha256:20000:" SALT ":" DIGEST, true},
    {"", false},
    {"pbkdf2-sha256:", false},
    {"pbkdf2-sha256:1", false},
    {"pbkdf2-sha256:1:", false},
    {"pbkdf2-sha256:0:" SALT ":" DIGEST, false},
    {"pbkdf2-sha256:20001:" SALT ":" DIGEST, false},
    {"pbkdf2-sha256:x:" SALT ":" DIGEST, false},
    {"pbkdf2-sha256::" SALT ":" DIGEST, false},
    {"pbkdf2-sha512:1:" SALT ":" DIGEST, false},
    {"pbkdf2-sha256:1:" SALT ":" DIGEST "0", false},
    {"pbkdf2-sha256:1:" SALT "0" DIGEST, false},
    {"pbkdf2-sha256:1:g" DIGEST ":" SALT, false},
    {"pbkdf2-sha256:1:gde706ca650f6efbe2bcb730c6f0349b:" DIGEST, false},
    {"pbkdf2-sha256:1:7ge706ca650f6efbe2bcb730c6f0349b:" DIGEST, false},
    {"pbkdf2-sha256:1:" SALT ":"
     "3a9c2b3bb4eff5f66102f1b0885f08f795b4be48d1b429d91787ad9ddca08b6x",
	false},
};

START_TEST(text_of_a_hash_is_whole_and_right)
{
	struct secret_hash hash;

	ck_assert_int_eq(
	    secret_hash_read(&hash, hashes[_i].text), hashes[_i].is_hash - 1);
}
END_TEST

START_TEST(hash_is_that_of_rfc_8018)
{
	struct secret_hash hash;

	ck_assert_int_eq(
	    secret_hash_read(&hash,
		"pbkdf2-sha256:1000:000102030405060708090a0b0c0d0e0f:"
		"4efb2bbb6d2eb58ea8deaed54417ae2fd87fd50a8a8568709363da60d45606"
		"06"),
	    0);
	ck_assert(secret_hash_is(&hash, "secret", 6, 1000));
}
END_TEST

START_TEST(user_may_what_its_line_says)
{
	char text[600];

	snprintf(text, sizeof(text),
	    "web secret=%s verbs=decide keys=login:*,ip:?\n"
	    "default nopass verbs=peek keys=public\n"
	    "prom cert=p verbs=metrics\nop uid=7 verbs=all keys=*\n",
	    secret_text("s"));
	use(read_users(text, 1));
	begin(NULL, "");
	ck_assert_int_eq(ask(VERB_PEEK, "public"), ERROR_NONE);
	ck_assert_int_eq(ask(VERB_PEEK, "login:1"), ERROR_NOPERM);
	ck_assert_int_eq(ask(VERB_CONSUME, "public"), ERROR_NOPERM);
	ck_assert_int_eq(ask(VERB_PING, NULL), ERROR_NONE);

	ck_assert_int_eq(log_in("web", "x"), ERROR_WRONGPASS);
	ck_assert_uint_gt(session.login.pause, 0);
	ck_assert_int_eq(ask(VERB_PEEK, "public"), ERROR_NONE);
	ck_assert_int_eq(log_in("nobody", "s"), ERROR_WRONGPASS);
	ck_assert_int_eq(log_in("op", ""), ERROR_WRONGPASS);
	ck_assert_int_eq(log_in("web", "s"), ERROR_NONE);
	ck_assert_int_eq(ask(VERB_CONSUME, "login:1"), ERROR_NONE);
	ck_assert_int_eq(ask(VERB_CONSUME, "ip:1"), ERROR_NONE);
	ck_assert_int_eq(ask(VERB_CONSUME, "ip:12"), ERROR_NOPERM);
	ck_assert_int_eq(ask(VERB_RESET, "login:1"), ERROR_NOPERM);
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NOPERM);

	begin(&(uid_t){7}, "");
	ck_assert_int_eq(ask(VERB_RESET, "any"), ERROR_NONE);
	ck_assert_int_eq(ask(VERB_TOP, NULL), ERROR_NONE);
	begin(&(uid_t){7}, "p");
	ck_assert_int_eq(ask(VERB_OPENMETRICS, NULL), ERROR_NONE);
	ck_assert_int_eq(ask(VERB_LIMITS, NULL), ERROR_NOPERM);
}
END_TEST

START_TEST(who_reads_changes_nothing)
{
	static const enum verb reads[] = {VERB_PEEK, VERB_MPEEK, VERB_EXPLAIN,
	    VERB_TTL, VERB_GET, VERB_LIMITS, VERB_STATS, VERB_STATUS, VERB_TOP,
	    VERB_MONITOR, VERB_CACHE, VERB_EVENTS, VERB_METRICS};
	static const enum verb changes[] = {VERB_CONSUME, VERB_MCONSUME,
	    VERB_CHARGE, VERB_TAKE, VERB_WAIT, VERB_HOLD, VERB_RELEASE,
	    VERB_RESET, VERB_DEL, VERB_THROTTLE, VERB_CHECK, VERB_UPSTREAM,
	    VERB_FORGET};

	use(read_users("default nopass verbs=read keys=*\n", 1));
	begin(NULL, "");
	for (size_t i = 0; i < COUNT(reads); i++)
		ck_assert_int_eq(ask(reads[i], "a"), ERROR_NONE);
	for (size_t i = 0; i < COUNT(changes); i++)
		ck_assert_int_eq(ask(changes[i], "a"), ERROR_NOPERM);
}
END_TEST

START_TEST(all_keys_of_a_route_are_checked)
{
	struct routed_request routed = {.routed = ROUTED_KEYS,
	    .count = 2,
	    .keys = {{.len = 1, .bytes = "a"}, {.len = 1, .bytes = "b"}}};
	struct request request;

	use(read_users("default nopass verbs=check keys=a\n", 1));
	begin(NULL, "");
	request_init(&request, VERB_CHECK);
	request.routed = &routed;
	ck_assert_int_eq(login_check(&session, &request), ERROR_NOPERM);
	routed.count = 1;
	ck_assert_int_eq(login_check(&session, &request), ERROR_NONE);
}
END_TEST

START_TEST(default_user_with_a_secret_must_log_in)
{
	char text[400];

	snprintf(text, sizeof(text), "default secret=%s verbs=stats\n",
	    secret_text("a"));
	use(read_users(text, 1));
	begin(NULL, "");
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NOAUTH);
	ck_assert_int_eq(log_in(NULL, "a"), ERROR_NONE);
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NONE);
}
END_TEST

START_TEST(header_counts_for_its_request_only)
{
	char text[400];

	snprintf(text, sizeof(text), "web secret=%s verbs=stats\n",
	    secret_text("a.b"));
	use(read_users(text, 1));
	begin(NULL, "");
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NOAUTH);
	/* web:a.b */
	ck_assert_int_eq(with_header("Basic d2ViOmEuYg=="), ERROR_NONE);
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NONE);
	ck_assert_int_eq(with_header("basic  d2ViOmEuYg"), ERROR_NONE);
	ck_assert_int_eq(with_header("Bearer web.a.b"), ERROR_NONE);
	ck_assert_int_eq(with_header("Bearer web.a.b"), ERROR_NONE);
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NONE);
	login_forget(&session);
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NOAUTH);
	ck_assert_int_eq(with_header("Bearer web.a.c"), ERROR_WRONGPASS);
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NOAUTH);
	ck_assert_int_eq(with_header("Bearer a.b"), ERROR_WRONGPASS);
	ck_assert_int_eq(with_header("Basic *"), ERROR_WRONGPASS);
	ck_assert_int_eq(with_header("Digest x"), ERROR_WRONGPASS);
	ck_assert_int_eq(with_header(""), ERROR_WRONGPASS);
}
END_TEST

/*
 * Wrong secrets, by place.
 */

START_TEST(place_may_send_ten_wrong_secrets_and_then_one_a_second)
{
	struct login_tries *tries = login_tries_new();
	int64_t now_us = INT64_C(1800000000000000);

	for (int i = 0; i < LOGIN_TRIES_MAX; i++) {
		ck_assert(login_tries_may(tries, "a", now_us));
		login_tries_note(tries, "a", now_us);
	}
	ck_assert(!login_tries_may(tries, "a", now_us));
	ck_assert(login_tries_may(tries, "b", now_us));
	ck_assert(!login_tries_may(tries, "a", now_us + LOGIN_TRY_US - 1000));
	now_us += LOGIN_TRY_US;
	ck_assert(login_tries_may(tries, "a", now_us));
	login_tries_note(tries, "a", now_us);
	ck_assert(!login_tries_may(tries, "a", now_us));
	ck_assert(login_tries_may(
	    tries, "a", now_us + LOGIN_TRIES_MAX * LOGIN_TRY_US));
	login_tries_free(tries);
}
END_TEST

/* A hundred thousand others with one each; it has more. */
START_TEST(place_with_many_is_remembered_among_many_places)
{
	struct login_tries *tries = login_tries_new();
	char place[20];

	for (int i = 0; i < LOGIN_TRIES_MAX; i++)
		login_tries_note(tries, "a", 5000000);
	for (int i = 0; i < 100000; i++) {
		snprintf(place, sizeof(place), "%d", i);
		login_tries_note(tries, place, 5000000);
	}
	ck_assert(!login_tries_may(tries, "a", 5000000));
	ck_assert(login_tries_may(tries, "b", 5000000));
	login_tries_free(tries);
	login_tries_free(NULL);
}
END_TEST

START_TEST(secret_is_not_looked_at_after_many_wrong_ones)
{
	char text[400];

	snprintf(text, sizeof(text), "web secret=%s verbs=stats\n",
	    secret_text("s"));
	use(read_users(text, 1));
	common.tries = login_tries_new();
	for (int i = 0; i < LOGIN_TRIES_MAX; i++) {
		begin(NULL, "");
		ck_assert_int_eq(log_in("web", "x"), ERROR_WRONGPASS);
	}
	begin(NULL, "");
	ck_assert_int_eq(log_in("web", "s"), ERROR_SLOWDOWN);
	ck_assert_uint_gt(session.login.pause, 0);
	ck_assert_int_eq(with_header("Bearer web.s"), ERROR_SLOWDOWN);
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NOAUTH);
	begin(&(uid_t){7}, "");
	session.peer.kind = ADDRESS_UNIX;
	ck_assert_int_eq(log_in("web", "s"), ERROR_NONE);
	login_tries_free(common.tries);
	common.tries = NULL;
}
END_TEST

START_TEST(client_stays_logged_in_while_its_secret_is_the_same)
{
	char text[400], other[400];

	snprintf(text, sizeof(text), "web secret=%s verbs=stats\n",
	    secret_text("s"));
	use(read_users(text, 1));
	begin(NULL, "");
	ck_assert_int_eq(log_in("web", "s"), ERROR_NONE);
	strcat(strcpy(other, text), "# the same\n");
	use(read_users(other, 2));
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NONE);
	*strstr(other, "stats") = '\0';
	use(read_users(strcat(other, "limits\n"), 3));
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NOPERM);
	ck_assert_int_eq(ask(VERB_LIMITS, NULL), ERROR_NONE);
	/* A worker that still has the old ones. */
	use(read_users(text, 2));
	ck_assert_int_eq(ask(VERB_LIMITS, NULL), ERROR_NONE);
	snprintf(text, sizeof(text), "web secret=%s verbs=all keys=*\n",
	    secret_text("s"));
	use(read_users(text, 4));
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NOAUTH);
}
END_TEST

START_TEST(certificate_and_uid_count_anew_after_a_reload)
{
	use(read_users("a uid=7 verbs=stats\n", 1));
	begin(&(uid_t){7}, "c");
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NONE);
	use(read_users("a uid=8 verbs=stats\n", 2));
	ck_assert_int_eq(ask(VERB_STATS, NULL), ERROR_NOAUTH);
	use(read_users("b cert=c verbs=limits\n", 3));
	ck_assert_int_eq(ask(VERB_LIMITS, NULL), ERROR_NONE);
}
END_TEST

Suite *
users_suite(void)
{
	Suite *suite = suite_create("users");
	TCase *tcase = tcase_create("users");

	tcase_add_checked_fixture(tcase, NULL, tear_down);
	tcase_add_test(tcase, each_mistake_is_reported_with_its_line);
	tcase_add_test(tcase, hash_is_read_back_and_fits_its_secret_only);
	tcase_add_test(tcase, hash_is_that_of_rfc_8018);
	tcase_add_loop_test(
	    tcase, text_of_a_hash_is_whole_and_right, 0, COUNT(hashes));
	tcase_add_test(tcase, user_may_what_its_line_says);
	tcase_add_test(tcase, who_reads_changes_nothing);
	tcase_add_test(tcase, all_keys_of_a_route_are_checked);
	tcase_add_test(tcase, default_user_with_a_secret_must_log_in);
	tcase_add_test(tcase, header_counts_for_its_request_only);
	tcase_add_test(
	    tcase, place_may_send_ten_wrong_secrets_and_then_one_a_second);
	tcase_add_test(tcase, place_with_many_is_remembered_among_many_places);
	tcase_add_test(tcase, secret_is_not_looked_at_after_many_wrong_ones);
	tcase_add_test(
	    tcase, client_stays_logged_in_while_its_secret_is_the_same);
	tcase_add_test(tcase, certificate_and_uid_count_anew_after_a_reload);
	suite_add_tcase(suite, tcase);
	return suite;
}
