#include "config/url.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

/* The URL as "tls user password host port path db", or with hosts and master
 * instead of host and port. */
static const struct {
	const char *text, *read;
} good[] = {
    {"redis://h", "0 [] [] [h] 6379 [] -1"},
    {"redis://h/", "0 [] [] [h] 6379 [] -1"},
    {"REDIS://h:1/0", "0 [] [] [h] 1 [] 0"},
    {"rediss://cache.example:65535/15", "1 [] [] [cache.example] 65535 [] 15"},
    {"redis://h?db=7", "0 [] [] [h] 6379 [] 7"},
    {"redis://h/?db=7", "0 [] [] [h] 6379 [] 7"},
    {"redis://[::1]", "0 [] [] [::1] 6379 [] -1"},
    {"redis://[fe80::1%25eth0]:2/1", "0 [] [] [fe80::1%eth0] 2 [] 1"},
    {"redis://10.0.0.1:2", "0 [] [] [10.0.0.1] 2 [] -1"},
    {"redis://:p@h", "0 [] [p] [h] 6379 [] -1"},
    {"redis://u@h", "0 [u] [] [h] 6379 [] -1"},
    {"redis://u:@h", "0 [u] [] [h] 6379 [] -1"},
    {"redis://u:a:b@h", "0 [u] [a:b] [h] 6379 [] -1"},
    {"redis://a%3ab:%40%2f%3F%23%25%3A@h:1", "0 [a:b] [@/?#%:] [h] 1 [] -1"},
    {"redis://u:!\"$&'()*+,-.;<=>[]^_`{|}~ \\@h",
	"0 [u] [!\"$&'()*+,-.;<=>[]^_`{|}~ \\] [h] 6379 [] -1"},
    {"redis://u:\xc3\xa4%C3%A4@h", "0 [u] [\xc3\xa4\xc3\xa4] [h] 6379 [] -1"},
    {"unix:///run/redis.sock", "0 [] [] [] 6379 [/run/redis.sock] -1"},
    {"unix://u:p@/a%3Fb@c?db=2", NULL},
    {"unix:///a%3Fb@c?db=2", "0 [] [] [] 6379 [/a?b@c] 2"},
    {"unix://u:p@/a?db=2", "0 [u] [p] [] 6379 [/a] 2"},
    {"redis+sentinel://a", "0 [] [] [a:26379] [] [] -1"},
    {"redis+sentinel://a/", "0 [] [] [a:26379] [] [] -1"},
    {"Redis+Sentinel://a:1/main", "0 [] [] [a:1] [main] [] -1"},
    {"redis+sentinel://a:1,b,[::1],[fe80::1%25e]:2/main/3",
	"0 [] [] [a:1 b:26379 [::1]:26379 [fe80::1%e]:2] [main] [] 3"},
    {"redis+sentinel://a:1,a:2/main?db=4", "0 [] [] [a:1 a:2] [main] [] 4"},
    {"redis+sentinel://a?db=4", "0 [] [] [a:26379] [] [] 4"},
    {"redis+sentinel://a/m%2Fn%3f %40x/0", "0 [] [] [a:26379] [m/n? @x] [] 0"},
    {"rediss+sentinel://u:a%2Cb@a,b/7", "1 [u] [a,b] [a:26379 b:26379] [7] "
					"[] -1"},
};

static void
describe(const struct url *url, char *to, size_t size)
{
	int len = snprintf(
	    to, size, "%d [%s] [%s] ", url->tls, url->user, url->password);

	if (*url->hosts)
		len += snprintf(to + len, size - (size_t)len, "[%s] [%s]",
		    url->hosts, url->master);
	else
		len += snprintf(to + len, size - (size_t)len, "[%s] %d",
		    url->host, (int)url->port);
	snprintf(
	    to + len, size - (size_t)len, " [%s] %d", url->path, (int)url->db);
}

START_TEST(url_is_read)
{
	struct url url;
	const char *reason = url_read(&url, good[_i].text);
	char read[50000];

	if (!good[_i].read) {
		ck_assert_ptr_nonnull(reason);
		return;
	}
	ck_assert_ptr_null(reason);
	describe(&url, read, sizeof(read));
	ck_assert_str_eq(read, good[_i].read);
}
END_TEST

#define SCHEMES  "begins with none of redis://"
#define ESCAPES  "@ is written %40, / %2F, ? %3F and # %23"
#define PORT     "its port is not from 1 to 65535"
#define DATABASE "what follows its host is not /DB"
#define TOO_LONG "is too long"

static const struct {
	const char *text, *reason;
} bad[] = {
    {"", SCHEMES},
    {"h:6379", SCHEMES},
    {"redis:h", SCHEMES},
    {"http://h", SCHEMES},
    {"tcp://h:1", SCHEMES},
    {"redis-sentinel://a:1,b:2/0?sentinelMasterId=main",
	"write redis+sentinel://HOST,HOST/MASTER"},
    {"rediss-sentinel://a", "write redis+sentinel://HOST,HOST/MASTER"},
    {"redis+sentinels://a", SCHEMES},
    {"redis+sentinel://", "names no host"},
    {"redis+sentinel:///main", "names no host"},
    {"redis+sentinel://u:p@/main", "names no host"},
    {"redis+sentinel://,a/main", "names no host"},
    {"redis+sentinel://a,/main", "names no host"},
    {"redis+sentinel://a,,b/main", "names no host"},
    {"redis+sentinel://a:0,b/main", PORT},
    {"redis+sentinel://a,b:x/main", PORT},
    {"redis+sentinel://a b/main", "no name and no address"},
    {"redis+sentinel://a;b/main", "no name and no address"},
    {"redis+sentinel://main@a,b@c/", ESCAPES},
    {"redis+sentinel://a,b,A:26379/main", "a host twice"},
    {"redis+sentinel://a//3", "names no master before its database"},
    {"redis+sentinel://a/main/x", DATABASE},
    {"redis+sentinel://a/main/1/2", DATABASE},
    {"redis+sentinel://a/main/1?db=2", "names the database twice"},
    {"redis+sentinel://a/main?sentinelMasterId=b",
	"a parameter that is not db"},
    {"redis+sentinel://a/ma%0Ain", "a control character"},
    {"redis+sentinel://a/ma%in", "a % in it is written %25"},
    {"redis://", "names no host"},
    {"redis://:p@", "names no host"},
    {"redis://:1", "names no host"},
    {"redis:///1", "names no host"},
    {"redis://h:", PORT},
    {"redis://h:0", PORT},
    {"redis://h:65536", PORT},
    {"redis://h:+1", PORT},
    {"redis://::1", "is in brackets, as in [::1]:6379"},
    {"redis://::1:6379", "is in brackets, as in [::1]:6379"},
    {"redis://2001:db8::5:1/2", "is in brackets, as in [::1]:6379"},
    {"redis+sentinel://a,::1:26379/main", "is in brackets, as in [::1]:6379"},
    {"redis://[::1", "no name and no address"},
    {"redis://[h]", "no name and no address"},
    {"redis://a,b", "no name and no address"},
    {"redis://h/x", DATABASE},
    {"redis://h/-1", DATABASE},
    {"redis://h/1000001", DATABASE},
    {"redis://h/1/2", DATABASE},
    {"redis://h/1?db=1", "names the database twice"},
    {"redis://h?db=", "its db is not a whole number"},
    {"redis://h?db=1&x=2", "its db is not a whole number"},
    {"redis://h?timeout=1", "a parameter that is not db"},
    {"redis://h#x", "it has a #"},
    {"redis://u:p@ss@h", ESCAPES},
    {"redis://u:p/ss@h", ESCAPES},
    {"redis://u:p?ss@h", ESCAPES},
    {"redis://u:p#ss@h", ESCAPES},
    {"redis://u:100%@h", "a % in it is written %25"},
    {"redis://u:%4@h", "a % in it is written %25"},
    {"redis://u:%g0@h", "a % in it is written %25"},
    {"redis://u:a%00b@h", "a control character"},
    {"redis://u:a%0Ab@h", "a control character"},
    {"unix://run/redis.sock", "its path begins with /"},
    {"unix://", "its path begins with /"},
    {"unix:///", "its path begins with /"},
    {"unix:///a?b=1", "a parameter that is not db"},
};

START_TEST(what_is_none_is_explained)
{
	struct url url;
	const char *reason = url_read(&url, bad[_i].text);

	ck_assert_ptr_nonnull(reason);
	ck_assert_msg(strstr(reason, bad[_i].reason), "%s", reason);
}
END_TEST

/* "START, ${count} letters, END" */
static const char *
read_long(const char *start, int count, const char *end)
{
	static struct url url;
	char text[9000], letters[5000];

	memset(letters, 'a', sizeof(letters));
	snprintf(text, sizeof(text), "%s%.*s%s", start, count, letters, end);
	return url_read(&url, text);
}

START_TEST(each_part_has_room_or_is_refused)
{
	static const struct {
		const char *start, *end;
		int most;
	} parts[] = {
	    {"redis://:", "@h", PASSWORD_MAX},
	    {"redis://", "@h", URL_USER_MAX},
	    {"redis://", "", HOST_MAX},
	    {"unix:///", "", URL_PATH_MAX - 1},
	    {"redis+sentinel://b,", "", HOST_MAX},
	    {"redis+sentinel://b/", "/1", URL_MASTER_MAX},
	};

	for (size_t i = 0; i < COUNT(parts); i++) {
		ck_assert_ptr_null(
		    read_long(parts[i].start, parts[i].most, parts[i].end));
		ck_assert_ptr_nonnull(
		    read_long(parts[i].start, parts[i].most + 1, parts[i].end));
	}
	ck_assert_ptr_nonnull(
	    strstr(read_long("redis://:", PASSWORD_MAX + 1, "@h"), TOO_LONG));
}
END_TEST

/* "a0,a1,a2..." */
static const char *
read_hosts(int count, const char *name)
{
	static struct url url;
	static char text[200000];
	int len = snprintf(text, sizeof(text), "redis+sentinel://");

	for (int i = 0; i < count; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    "%s%s%d", i > 0 ? "," : "", name, i);
	return url_read(&url, text);
}

START_TEST(there_may_be_1000_sentinels_within_their_room)
{
	char name[101];

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_ptr_null(read_hosts(1000, "a"));
	ck_assert_ptr_nonnull(
	    strstr(read_hosts(1001, "a"), "or more than 1000"));
	ck_assert_ptr_nonnull(
	    strstr(read_hosts(1000, name), "names too many hosts"));
}
END_TEST

Suite *
url_suite(void)
{
	Suite *suite = suite_create("url");
	TCase *tcase = tcase_create("url");

	tcase_add_loop_test(tcase, url_is_read, 0, COUNT(good));
	tcase_add_loop_test(tcase, what_is_none_is_explained, 0, COUNT(bad));
	tcase_add_test(tcase, each_part_has_room_or_is_refused);
	tcase_add_test(tcase, there_may_be_1000_sentinels_within_their_room);
	suite_add_tcase(suite, tcase);
	return suite;
}
