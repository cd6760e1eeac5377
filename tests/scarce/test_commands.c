/*
 * Commands of dripgate that need no server.
 */
#include "scarce.h"
#include "suites.h"

#include "base/attr.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_main(int argc, char **argv); /* main() of src/cli/main.c */

#define WORDS_MAX 14
#define SAID_MAX  65536

static const struct {
	const char *name, *text;
} files[] = {
    {"gate.ini", "[limits]\nfile = limits.ini\n[listen]\nunix = none.sock\n"},
    {"redis.ini",
	"[store]\ntype = redis\n[limits]\nsource = redis\n[redis]\nusername = "
	"gate\npassword = secret\n[master]\nhost = other\n[slave:one]\n"
	"host = one\n"
	"[upstream:up]\nurl = http://up.example/a\ncache = redis\n"},
    {"limits.ini",
	"[login]\nmatch = login:*\ncapacity = 5\nrecharge = 1h\n"
	"\n[mail]\nmatch = mail:*:*\nalgorithm = fixed_window\ncapacity = 3\n"
	"window = 365d\nalso = total:$1,all\n"
	"\n[total]\nmatch = total:*\ncapacity = 9\nrate = 1/m\n"
	"\n[all]\nmatch = all\ncapacity = 9\nrate = 1/m\nshadow = yes\n"
	"\n[odd]\nmatch = ~^odd:[0-9]+$\ncapacity = 2\nrate = 30000/s\n"
	"block = 5m\n"
	"\n[jobs]\nmatch = jobs:*\nalgorithm = concurrent\ncapacity = 2\n"
	"lease = 1m\n"
	"\n[route:api]\nhost = *.example\npath = /v1/{name}/*\nquery.plan = "
	"free\nkeys = login:$path.name\ncontinue = yes\n"
	"\n[route:user]\npath = /v1/*\nkeys = mail:$header.x-user:1\n"
	"amount = $header.x-cost\namount_max = 3\n"
	"\n[route:all]\npath = ~^/all/(?<what>[a-z]+)$\n"
	"keys = login:$path.what\n"},
    {"tighter.ini", "[login]\nmatch = login:*\ncapacity = 2\nrate = 1/h\n"
		    "[jobs]\nmatch = jobs:*\ncapacity = 9\nrate = 1/h\n"},
    {"envoy.yaml",
	"domain: api\ndescriptors:\n"
	"  - key: user\n"
	"    rate_limit: &limit {unit: minute, requests_per_unit: 2}\n"
	"    descriptors: [{key: path, rate_limit: *limit}]\n"
	"  - {key: user, value: guest}\n"
	"  - {key: user, value: b*, share_threshold: true, "
	"rate_limit: {<<: *limit}}\n"},
    {"demand", "dripgate recording 1\n1000000 1 login:1\n2000000 1 mail:1:2\n"
	       "3000000 1 jobs:1\n4000000 1 login:1\n5000000 1 login:1\n"
	       "6000000 1 login:2\n7000000 1 nothing\n8000000 1 mail:1:2\n"},
    {"keys", "login:1\nnothing\nodd:3\n"},
};

static char folder[] = "/tmp/dripgate-scarce-XXXXXX";

static void
set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	for (size_t i = 0; i < COUNT(files); i++) {
		FILE *file = fopen(files[i].name, "w");

		ck_assert_ptr_nonnull(file);
		ck_assert_int_ge(fputs(files[i].text, file), 0);
		ck_assert_int_eq(fclose(file), 0);
	}
}

static void
tear_down(void)
{
	static const char *const made[] = {"out", "err", "chart.svg"};

	for (size_t i = 0; i < COUNT(files); i++)
		unlink(files[i].name);
	for (size_t i = 0; i < COUNT(made); i++)
		unlink(made[i]);
	ck_assert_int_eq(rmdir(folder), 0);
}

struct run {
	int status;
	char out[SAID_MAX], err[SAID_MAX];
};

static void
redirect(int fd, const char *path, int flags)
{
	int file = open(path, flags | O_CLOEXEC, 0600);

	ck_assert_int_ne(file, -1);
	ck_assert_int_eq(dup2(file, fd), fd);
	close(file);
}

static void
read_said(const char *path, char *to)
{
	FILE *file = fopen(path, "r");
	size_t len;

	ck_assert_ptr_nonnull(file);
	len = fread(to, 1, SAID_MAX - 1, file);
	to[len] = '\0';
	fclose(file);
}

/* The command, with what it writes in files in place of this process's. */
static void
run_words(struct run *run, const char *const *words)
{
	char *argv[WORDS_MAX + 1] = {NULL};
	int argc = 0, out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);

	for (; words[argc]; argc++)
		argv[argc] = strdup(words[argc]);
	optind = 1; /* of getopt_long() */
	fflush(stdout);
	redirect(STDIN_FILENO, "keys", O_RDONLY);
	rewind(stdin);
	redirect(STDOUT_FILENO, "out", O_WRONLY | O_CREAT | O_TRUNC);
	redirect(STDERR_FILENO, "err", O_WRONLY | O_CREAT | O_TRUNC);
	scarce_begin();
	run->status = cli_main(argc, argv);
	scarce_end();
	fflush(stdout);
	clearerr(stdout);
	ck_assert_int_eq(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
	ck_assert_int_eq(dup2(err, STDERR_FILENO), STDERR_FILENO);
	close(out);
	close(err);
	while (argc > 0)
		free(argv[--argc]);
	read_said("out", run->out);
	read_said("err", run->err);
}

struct command_case {
	int status;
	const char *words[WORDS_MAX];
};

/* It prints what it does with memory enough, or a message: nothing half. */
static bool
command_runs(const void *arg)
{
	const struct command_case *command = arg;
	static struct run first, run;

	run_words(&run, command->words);
	if (!scarce_fails()) {
		ck_assert_msg(run.status == command->status, "status %d: %s",
		    run.status, run.err);
		first = run;
	}
	if (run.status == command->status && !*run.err) {
		ck_assert_str_eq(run.out, first.out);
		return true;
	}
	ck_assert_msg(*run.err || strcmp(run.err, first.err) == 0,
	    "status %d, and no message", run.status);
	return run.status == command->status && strcmp(run.out, first.out) == 0;
}

/* Recorded demand of so many keys that all tables have to grow. */
static void
write_crowd(void)
{
	FILE *file = fopen("crowd", "w");

	ck_assert_ptr_nonnull(file);
	fputs("dripgate recording 1\n", file);
	for (int i = 1; i <= 3000; i++)
		fprintf(
		    file, "%d000 1 login:%d\n%d001 2 login:%d\n", i, i, i, i);
	ck_assert_int_eq(fclose(file), 0);
}

#define GATE "dripgate", "-c", "gate.ini"

static const struct command_case commands[] = {
    {0, {GATE, "limits", "check", "limits.ini"}},
    {1, {GATE, "limits", "test", "limits.ini"}},
    {0, {GATE, "limits", "import-envoy", "envoy.yaml"}},
    {0, {GATE, "limits", "import-envoy", "envoy.yaml", "--json"}},
    {0, {GATE, "limits", "import-envoy", "envoy.yaml", "--leaky"}},
    {0, {GATE, "route", "GET", "/v1/7%20/x?plan=free", "-H", "Host: a.example",
	    "-H", "X-User: u", "-H", "X-Cost: 2"}},
    {0, {GATE, "route", "get", "all/of", "--json"}},
    {1, {GATE, "what-if", "tighter.ini", "--against", "limits.ini", "--demand",
	    "demand"}},
    {1, {GATE, "what-if", "tighter.ini", "--against", "limits.ini", "--demand",
	    "demand", "--json"}},
    {0, {GATE, "what-if", "limits.ini", "--against", "limits.ini", "--demand",
	    "demand", "--chart", "chart.svg"}},
    {0, {"dripgate", "-c", "redis.ini", "acl"}},
};

START_TEST(command_prints_all_or_says_why_not)
{
	scarce_each(command_runs, &commands[_i]);
}
END_TEST

/* Too long to be run for each of its calls. */
START_TEST(demand_of_many_keys_is_replayed)
{
	static const char *const words[] = {GATE, "what-if", "tighter.ini",
	    "--against", "limits.ini", "--demand", "crowd", NULL};
	static struct run run;

	write_crowd();
	run_words(&run, words);
	unlink("crowd");
	ck_assert_int_eq(run.status, 1);
	ck_assert_str_eq(run.err, "");
	ck_assert_msg(
	    strstr(run.out, "and 2990 more keys") != NULL, "%s", run.out);
}
END_TEST

static const struct {
	const char *said;
	const char *words[WORDS_MAX];
} wrong[] = {
    {"what-if needs --demand", {GATE, "what-if", "limits.ini"}},
    {"nothing.ini", {GATE, "what-if", "nothing.ini", "--demand", "demand"}},
    {"nothing", {GATE, "what-if", "limits.ini", "--against", "limits.ini",
		    "--demand", "nothing"}},
    {"nowhere/chart", {GATE, "what-if", "limits.ini", "--against", "limits.ini",
			  "--demand", "demand", "--chart", "nowhere/chart"}},
    {"comes before the first [section]",
	{GATE, "what-if", "keys", "--demand", "demand"}},
    {"keys:1", {GATE, "what-if", "limits.ini", "--against", "limits.ini",
		   "--demand", "keys"}},
    {"GET /a b", {GATE, "route", "GET", "/a b"}},
    {"GET / : ", {GATE, "route", "GET", "/ "}},
    {"a request starts with METHOD", {GATE, "route", "G T", "/"}},
    {"a header is NAME: VALUE", {GATE, "route", "GET", "/", "-H", "nothing"}},
    {"an argument is missing", {GATE, "route", "GET"}},
    {"none.sock", {GATE, "peek", "login:1"}},
    {"none.sock", {GATE, "status"}},
    {"none.sock", {GATE, "top"}},
    {"none.sock", {GATE, "tail"}},
    {"none.sock", {GATE, "why", "login:1"}},
    {"none.sock", {GATE, "cache", "stats"}},
};

START_TEST(what_is_wrong_is_said)
{
	static struct run run;

	run_words(&run, wrong[_i].words);
	ck_assert_int_eq(run.status, 2);
	ck_assert_msg(strstr(run.err, wrong[_i].said) != NULL, "%s", run.err);
}
END_TEST

Suite *
commands_suite(void)
{
	Suite *suite = suite_create("commands");
	TCase *tcase = tcase_create("commands");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(
	    tcase, command_prints_all_or_says_why_not, 0, COUNT(commands));
	tcase_add_test(tcase, demand_of_many_keys_is_replayed);
	tcase_add_loop_test(tcase, what_is_wrong_is_said, 0, COUNT(wrong));
	suite_add_tcase(suite, tcase);
	return suite;
}
