/*
 * watch: the limits of one dripgated, and what happens under each a second.
 */
#include "base/clock.h"
#include "tool/commands.h"
#include "tool/gate_client.h"
#include "tool/interrupt.h"
#include "tool/json.h"
#include "tool/rates.h"
#include "tool/table.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_US INT64_C(1000000)

/* Of a terminal: lines above the table. */
#define HEAD_LINES 2

/* The other screen of a terminal, without a cursor, and back. */
#define SCREEN_ENTER "\033[?1049h\033[?25l"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define SCREEN_CLEAR "\033[H\033[2J"

struct watch {
	const struct tool *tool;
	const char *address;
	struct gate_client client;
	struct rates before, now;
	bool is_terminal;
	bool has_complained; /* of the daemon that is away now */
	int64_t shown;       /* tables */
	char reason[400];    /* why there was no answer */
};

static int
fail(struct watch *watch, const char *why)
{
	int error = errno;

	gate_client_close(&watch->client);
	errno = error;
	snprintf(watch->reason, sizeof(watch->reason), "%s: %s", watch->address,
	    why);
	return -1;
}

static int
connect_again(struct watch *watch)
{
	if (watch->client.fd != -1)
		return 0;
	return gate_client_open(&watch->client, watch->address, watch->reason,
	    sizeof(watch->reason));
}

/* Fill in ${now}.  Return 0, or -1 with the reason and errno (EINTR: the user
 * had enough), disconnected. */
static int
ask_limits(struct watch *watch)
{
	const char *line;

	rates_free(&watch->now);
	if (connect_again(watch) == -1)
		return -1;
	if (gate_client_send(&watch->client, "LIMITS") == -1)
		return fail(watch, gate_client_why());
	while ((line = gate_client_line(&watch->client)) &&
	       strcmp(line, "END") != 0) {
		if (strncmp(line, "ERR ", 4) == 0)
			return fail(watch, line + 4);
		if (rates_add(&watch->now, line) == -1)
			return fail(watch, "out of memory");
	}
	if (!line)
		return fail(watch, gate_client_why());
	watch->now.at_us = clock_us();
	return 0;
}

/* Rows of the terminal that the table may take; 0: all. */
static size_t
room(const struct watch *watch)
{
	struct winsize size;

	if (!watch->is_terminal ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1 ||
	    size.ws_row <= HEAD_LINES + 1)
		return 0;
	return size.ws_row - HEAD_LINES - 1U;
}

static void
show_head(const struct watch *watch, const char *what)
{
	if (!watch->is_terminal)
		return;
	printf(SCREEN_CLEAR "dripgated at %s: %s\n\n", watch->address, what);
}

static void
add_row(struct table *table, const struct rate_row *row)
{
	table_add(table, "%s", row->name);
	for (int i = 0; i < RATES; i++)
		table_add(table, "%.1f", row->per_second[i]);
}

static int
show_table(const struct watch *watch)
{
	struct table table = {.columns = RATES + 1};
	char what[40];
	int status;

	snprintf(what, sizeof(what), "%zu limits", watch->now.count);
	show_head(watch, what);
	if (!watch->is_terminal && watch->shown > 0)
		putchar('\n');
	table_add(&table, "LIMIT");
	for (int i = 0; i < RATES; i++)
		table_add(&table, "%s", rate_heading((enum rate_count)i));
	for (size_t i = 0; i < watch->now.count; i++)
		add_row(&table, &watch->now.rows[i]);
	status = table_print(&table, watch->tool, room(watch), stdout);
	table_free(&table);
	return status;
}

static int
write_rates(const struct watch *watch)
{
	struct json json = {.to = stdout};
	char number[40];

	json_open(&json, NULL, '{');
	json_open(&json, "limits", '[');
	for (size_t i = 0; i < watch->now.count; i++) {
		const struct rate_row *row = &watch->now.rows[i];

		json_open(&json, NULL, '{');
		json_text(&json, "name", row->name);
		for (int k = 0; k < RATES; k++) {
			snprintf(
			    number, sizeof(number), "%.3f", row->per_second[k]);
			json_raw(&json, rate_name((enum rate_count)k), number);
		}
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
	return 0;
}

/* Show what there was since ${before}, which ${now} becomes. */
static int
show_rates(struct watch *watch)
{
	rates_finish(&watch->now, &watch->before);
	if ((watch->tool->json ? write_rates(watch) : show_table(watch)) == -1)
		return -1;
	rates_free(&watch->before);
	watch->before = watch->now;
	watch->now = (struct rates){0};
	watch->has_complained = false;
	watch->shown++;
	return 0;
}

/* It may come back. */
static void
show_absence(struct watch *watch)
{
	if (watch->is_terminal)
		show_head(watch, watch->reason);
	else if (!watch->has_complained)
		tool_complain("%s; trying again", watch->reason);
	watch->has_complained = true;
}

/* One second after the other.  Return the exit status. */
static int
watch_loop(struct watch *watch)
{
	int64_t next_us = watch->before.at_us + TICK_US;

	while (interrupt_wait(-1, next_us) != WAIT_INTERRUPTED) {
		if (clock_us() < next_us)
			continue;
		next_us = clock_us() + TICK_US;
		if (ask_limits(watch) == -1) {
			if (errno != EINTR)
				show_absence(watch);
		} else if (show_rates(watch) == -1) {
			return STATUS_ERROR;
		}
		if (fflush(stdout) == EOF)
			return STATUS_ERROR;
		if (watch->tool->count && watch->shown == watch->tool->count)
			break;
	}
	return STATUS_FINE;
}

/* A terminal that is gone shows at the next table. */
static void
write_now(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) == -1)
		return;
}

/* ^Z: the shell gets its screen back, until it lets us go on. */
static void
on_stop(int number)
{
	int error = errno;

	(void)number;
	write_now(SCREEN_LEAVE);
	raise(SIGSTOP);
	write_now(SCREEN_ENTER);
	errno = error;
}

static void
enter_screen(void)
{
	const struct sigaction stop = {
	    .sa_handler = on_stop, .sa_flags = SA_RESTART};

	sigaction(SIGTSTP, &stop, NULL);
	fputs(SCREEN_ENTER, stdout);
}

static int
watch_on_screen(struct watch *watch)
{
	int status;

	interrupt_catch();
	if (watch->is_terminal)
		enter_screen();
	status = watch_loop(watch);
	if (watch->is_terminal)
		fputs(SCREEN_LEAVE, stdout);
	return status;
}

/* The first answer says whether there is anything to watch. */
static int
check_first(const struct watch *watch)
{
	if (watch->before.count > 0 && !watch->before.has_counts)
		return tool_complain("%s: this dripgated does not count by "
				     "limit; it is older than this dripgate",
		    watch->address);
	return STATUS_FINE;
}

int
watch_show(struct tool *tool)
{
	struct watch watch = {
	    .tool = tool,
	    .client.fd = -1,
	    .is_terminal = isatty(STDOUT_FILENO) && !tool->json,
	};
	int status;

	watch.address = tool_address(tool);
	if (!watch.address)
		return STATUS_ERROR;
	if (ask_limits(&watch) == -1)
		return tool_complain(
		    "%s; is dripgated running there?", watch.reason);
	watch.before = watch.now;
	watch.now = (struct rates){0};
	status = check_first(&watch);
	if (status == STATUS_FINE)
		status = watch_on_screen(&watch);
	gate_client_close(&watch.client);
	rates_free(&watch.before);
	rates_free(&watch.now);
	return status;
}
