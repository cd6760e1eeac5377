/*
 * watch: shows the requests a second under each limit of one dripgated.  It
 * tries a daemon that is away again every second.  The heart is watch_loop().
 */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/gate_client.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/rates.h"
#include "cli/table.h"
#include "cli/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_US INT64_C(1000000)

/* Lines above the table, and the smallest screen that can show it. */
#define HEAD_LINES     2
#define SCREEN_COLUMNS 40
#define SCREEN_ROWS    6

/* The other screen of a terminal, without a cursor, and back. */
#define SCREEN_ENTER "\033[?1049h\033[?25l"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define SCREEN_CLEAR "\033[H\033[2J"

struct watch {
	const struct tool *tool;
	struct gate_address address;
	struct gate_client client;
	struct rates before, now;
	bool is_screen;
	bool has_said_so; /* it was printed that the daemon is away */
	int64_t shown;    /* tables */
	char reason[400]; /* why there was no response */
};

static int
watch_fail(struct watch *watch, const char *why)
{
	int error = errno;

	gate_client_close(&watch->client);
	errno = error;
	snprintf(watch->reason, sizeof(watch->reason), "%s: %s",
	    watch->address.text, why);
	return -1;
}

static int
watch_connect_again(struct watch *watch)
{
	if (watch->client.fd != -1)
		return 0;
	return gate_client_open(&watch->client, &watch->address,
	    tool_timeout_us(watch->tool), watch->reason, sizeof(watch->reason));
}

/* Fill in ${now}.  Return 0, or -1 with the reason and errno (EINTR: the user
 * interrupted), disconnected. */
static int
watch_get_limits(struct watch *watch)
{
	const char *line;

	rates_free(&watch->now);
	if (watch_connect_again(watch) == -1)
		return -1;
	if (gate_client_send(&watch->client, "LIMITS") == -1)
		return watch_fail(watch, gate_client_why(&watch->client));
	while ((line = gate_client_line(&watch->client)) &&
	       strcmp(line, "END") != 0) {
		if (strncmp(line, "ERR ", 4) == 0)
			return watch_fail(watch, line + 4);
		if (rates_add(&watch->now, line) == -1)
			return watch_fail(watch, "out of memory");
	}
	if (!line)
		return watch_fail(watch, gate_client_why(&watch->client));
	watch->now.at_us = clock_us();
	return 0;
}

/* The size of the terminal; 0 where it is not known, or there is none. */
static struct winsize
watch_terminal_size(void)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1)
		size = (struct winsize){0};
	return size;
}

/* Whether tables are shown on a screen, one in place of the other.  On a small
 * one they are shown one after the other. */
static bool
watch_fits_screen(const struct tool *tool)
{
	struct winsize size = watch_terminal_size();

	return tool->is_terminal && !tool->json &&
	       (size.ws_col == 0 || size.ws_col >= SCREEN_COLUMNS) &&
	       (size.ws_row == 0 || size.ws_row >= SCREEN_ROWS);
}

static struct table_room
watch_room(const struct watch *watch)
{
	struct winsize size = watch_terminal_size();
	struct table_room room = {.width = size.ws_col};

	if (watch->is_screen && size.ws_row > HEAD_LINES + 1)
		room.lines = size.ws_row - HEAD_LINES - 1U;
	return room;
}

static void
watch_show_head(const struct watch *watch, const char *what)
{
	size_t width = watch_terminal_size().ws_col;
	char head[400];

	if (!watch->is_screen)
		return;
	snprintf(head, sizeof(head), "dripgated at %s: %s", watch->address.text,
	    what);
	if (width > 0 && width < strlen(head))
		head[width] = '\0';
	fputs(SCREEN_CLEAR, stdout);
	text_line("%s", head);
	putchar('\n');
}

static void
watch_add_row(struct table *table, const struct rate_row *row)
{
	table_add(table, "%s", row->name);
	for (int i = 0; i < RATES; i++)
		table_add(table, "%.1f", row->per_second[i]);
}

static int
watch_show_table(const struct watch *watch)
{
	struct table table = {.columns = RATES + 1};
	char what[40];
	int status;

	snprintf(what, sizeof(what), "%zu limits", watch->now.count);
	watch_show_head(watch, what);
	if (!watch->is_screen && watch->shown > 0)
		putchar('\n');
	table_add(&table, "LIMIT");
	for (int i = 0; i < RATES; i++)
		table_add(&table, "%s", rate_heading((enum rate_count)i));
	for (size_t i = 0; i < watch->now.count; i++)
		watch_add_row(&table, &watch->now.rows[i]);
	status = table_print(&table, watch->tool, watch_room(watch), stdout);
	table_free(&table);
	return status;
}

static int
watch_write_rates(const struct watch *watch)
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

/* Show the rates since ${before}, which becomes ${now}. */
static int
watch_show_rates(struct watch *watch)
{
	rates_finish(&watch->now, &watch->before);
	if ((watch->tool->json ? watch_write_rates(watch)
			       : watch_show_table(watch)) == -1)
		return -1;
	rates_free(&watch->before);
	watch->before = watch->now;
	watch->now = (struct rates){0};
	watch->has_said_so = false;
	watch->shown++;
	return 0;
}

/* Report that the daemon is away, and go on: it may come back. */
static void
watch_show_absence(struct watch *watch)
{
	if (watch->is_screen)
		watch_show_head(watch, watch->reason);
	else if (!watch->has_said_so)
		tool_error("%s; trying again", watch->reason);
	watch->has_said_so = true;
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
		if (watch_get_limits(watch) == -1) {
			if (errno != EINTR)
				watch_show_absence(watch);
		} else if (watch_show_rates(watch) == -1) {
			return STATUS_ERROR;
		}
		if (fflush(stdout) == EOF)
			return STATUS_ERROR;
		if (watch->tool->count && watch->shown == watch->tool->count)
			break;
	}
	return STATUS_FINE;
}

/* Ignore errors: if the terminal is gone, the next table fails. */
static void
watch_write_now(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) == -1)
		return;
}

/* ^Z: restore the shell's screen until the shell continues this process. */
static void
watch_on_stop(int number)
{
	int error = errno;

	(void)number;
	watch_write_now(SCREEN_LEAVE);
	raise(SIGSTOP);
	watch_write_now(SCREEN_ENTER);
	errno = error;
}

static void
watch_enter_screen(void)
{
	const struct sigaction stop = {
	    .sa_handler = watch_on_stop, .sa_flags = SA_RESTART};

	sigaction(SIGTSTP, &stop, NULL);
	fputs(SCREEN_ENTER, stdout);
}

static int
watch_on_screen(struct watch *watch)
{
	int status;

	interrupt_catch();
	if (watch->is_screen)
		watch_enter_screen();
	status = watch_loop(watch);
	if (watch->is_screen)
		fputs(SCREEN_LEAVE, stdout);
	return status;
}

/* The first response says whether there is anything to watch. */
static int
watch_check_first(const struct watch *watch)
{
	if (watch->before.count > 0 && !watch->before.has_counts)
		return tool_error("%s: this dripgated does not count by "
				  "limit; it is older than this dripgate",
		    watch->address.text);
	return STATUS_FINE;
}

int
watch_show(struct tool *tool)
{
	struct watch watch = {
	    .tool = tool,
	    .client.fd = -1,
	    .is_screen = watch_fits_screen(tool),
	};
	int status;

	if (tool_find_gate(tool, &watch.address) == -1)
		return STATUS_ERROR;
	if (watch_get_limits(&watch) == -1) {
		rates_free(&watch.now);
		return tool_error(
		    "%s; is dripgated running there?", watch.reason);
	}
	watch.before = watch.now;
	watch.now = (struct rates){0};
	status = watch_check_first(&watch);
	if (status == STATUS_FINE)
		status = watch_on_screen(&watch);
	gate_client_close(&watch.client);
	rates_free(&watch.before);
	rates_free(&watch.now);
	return status;
}
