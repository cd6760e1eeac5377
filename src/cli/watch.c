/*
 * Job: shows the requests a second under each limit, of one dripgated or of
 * several together.
 * Invariant: one that is away is tried again every second; the others are shown
 * meanwhile.
 * The heart: watch_loop().
 */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/gate_client.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/rates.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_US INT64_C(1000000)

/* Lines above the table, and the smallest screen that can show it. */
#define HEAD_LINES     2
#define SCREEN_COLUMNS 40
#define SCREEN_ROWS    6

/* So many daemons may be watched. */
#define NODES_MAX 64

/* Of several daemons, none is waited for longer than this. */
#define PATIENCE_US INT64_C(1000000)

struct watch_node {
	struct gate_address address;
	struct gate_client client;
	struct rates before, now;
	bool is_away;
	bool has_said_so; /* it was printed */
	char reason[400]; /* why there was no response */
};

struct watch {
	const struct tool *tool;
	struct watch_node *nodes;
	size_t count;
	size_t away;
	struct rates rates; /* of all of them */
	bool is_screen;
	int64_t shown; /* tables, the one being shown included */
};

/* ${why} may be in what the client read. */
static int
watch_fail(struct watch_node *node, const char *why)
{
	int error = errno;

	snprintf(node->reason, sizeof(node->reason), "%s: %s",
	    node->address.text, why);
	gate_client_close(&node->client);
	errno = error;
	return -1;
}

static int
watch_connect_again(const struct watch *watch, struct watch_node *node)
{
	int64_t timeout_us = tool_timeout_us(watch->tool);

	if (node->client.fd != -1)
		return 0;
	if (watch->count > 1 && timeout_us > PATIENCE_US)
		timeout_us = PATIENCE_US;
	return gate_client_open(&node->client, &node->address, timeout_us,
	    node->reason, sizeof(node->reason));
}

/* Fill in ${now}.  Return 0, or -1 with the reason and errno (EINTR: the user
 * interrupted), disconnected. */
static int
watch_get_limits(const struct watch *watch, struct watch_node *node)
{
	const char *line;

	rates_free(&node->now);
	if (watch_connect_again(watch, node) == -1)
		return -1;
	if (gate_client_send(&node->client, "LIMITS") == -1)
		return watch_fail(node, gate_client_why(&node->client));
	while ((line = gate_client_line(&node->client)) &&
	       strcmp(line, "END") != 0) {
		if (strncmp(line, "ERR ", 4) == 0)
			return watch_fail(node, line + 4);
		if (rates_add(&node->now, line) == -1)
			return watch_fail(node, "out of memory");
	}
	if (!line)
		return watch_fail(node, gate_client_why(&node->client));
	node->now.at_us = clock_us();
	return 0;
}

/* Fill in ${rates}, of those that are there.  Return 0, or -1: the error was
 * printed, or the user interrupted. */
static int
watch_get_rates(struct watch *watch)
{
	rates_free(&watch->rates);
	watch->away = 0;
	for (size_t i = 0; i < watch->count; i++) {
		struct watch_node *node = &watch->nodes[i];

		node->is_away = watch_get_limits(watch, node) == -1;
		if (node->is_away && errno == EINTR)
			return -1;
		watch->away += node->is_away;
		if (node->is_away)
			continue;
		rates_finish(&node->now, &node->before);
		/* The first response is there to be compared with. */
		if (node->before.at_us > 0 &&
		    rates_sum(&watch->rates, &node->now) == -1) {
			tool_error("out of memory");
			return -1;
		}
		rates_free(&node->before);
		node->before = node->now;
		node->now = (struct rates){0};
		node->has_said_so = false;
	}
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

/* "2 of 3 dripgated", or the one. */
static void
watch_write_head(const struct watch *watch, char *head, size_t size)
{
	const struct watch_node *node = watch->nodes;
	int len;

	if (watch->count == 1 && node->is_away) {
		snprintf(head, size, "dripgated at %s", node->reason);
		return;
	}
	if (watch->count == 1) {
		snprintf(head, size, "dripgated at %s: %zu limits",
		    node->address.text, watch->rates.count);
		return;
	}
	len = snprintf(head, size, "%zu of %zu dripgated: %zu limits",
	    watch->count - watch->away, watch->count, watch->rates.count);
	for (size_t i = 0; i < watch->count && (size_t)len < size; i++)
		if (watch->nodes[i].is_away)
			len += snprintf(head + len, size - (size_t)len, "; %s",
			    watch->nodes[i].reason);
}

static void
watch_show_head(const struct watch *watch)
{
	size_t width = watch_terminal_size().ws_col;
	char head[1000];

	if (!watch->is_screen)
		return;
	watch_write_head(watch, head, sizeof(head));
	if (width > 0 && width < strlen(head))
		head[width] = '\0';
	screen_clear();
	text_line("%s", head);
	putchar('\n');
}

/* Denials are to be seen at once. */
static void
watch_add_row(struct table *table, const struct rate_row *row)
{
	table_add(table, "%s", row->name);
	for (int i = 0; i < RATES; i++) {
		table_add(table, "%.1f", row->per_second[i]);
		if (i == RATE_denied && row->per_second[i] > 0)
			table_colour(table, COLOUR_RED);
	}
}

/* The sums stand above the limits, of which not all may have room. */
static int
watch_show_table(const struct watch *watch)
{
	struct table table = {.columns = RATES + 1};
	struct rate_row total = rates_total(&watch->rates);
	int status;

	watch_show_head(watch);
	if (!watch->is_screen && watch->shown > 1)
		putchar('\n');
	table_add(&table, "LIMIT");
	for (int i = 0; i < RATES; i++)
		table_add(&table, "%s", rate_heading((enum rate_count)i));
	if (watch->rates.count > 1)
		watch_add_row(&table, &total);
	for (size_t i = 0; i < watch->rates.count; i++)
		watch_add_row(&table, &watch->rates.rows[i]);
	status = table_print(&table, watch->tool, watch_room(watch), stdout);
	table_free(&table);
	return status;
}

static void
watch_write_row(struct json *json, const char *name, const struct rate_row *row)
{
	char number[40];

	json_open(json, name, '{');
	if (!name)
		json_text(json, "name", row->name);
	for (int i = 0; i < RATES; i++) {
		snprintf(number, sizeof(number), "%.3f", row->per_second[i]);
		json_raw(json, rate_name((enum rate_count)i), number);
	}
	json_close(json, '}');
}

static int
watch_write_rates(const struct watch *watch)
{
	struct rate_row total = rates_total(&watch->rates);
	struct json json = {.to = stdout};

	json_open(&json, NULL, '{');
	json_int(&json, "daemons", (int64_t)(watch->count - watch->away));
	watch_write_row(&json, "total", &total);
	json_open(&json, "limits", '[');
	for (size_t i = 0; i < watch->rates.count; i++)
		watch_write_row(&json, NULL, &watch->rates.rows[i]);
	json_close(&json, ']');
	json_close(&json, '}');
	json_end(&json);
	return 0;
}

/* Report that daemons are away, and go on: they may come back. */
static void
watch_say_who_is_away(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		struct watch_node *node = &watch->nodes[i];

		if (!node->is_away || node->has_said_so)
			continue;
		if (!watch->is_screen)
			tool_error("%s; trying again", node->reason);
		node->has_said_so = true;
	}
}

/* Return 0, or -1: the error was printed. */
static int
watch_show_rates(struct watch *watch)
{
	watch_say_who_is_away(watch);
	if (watch->away == watch->count) {
		watch_show_head(watch);
		return 0;
	}
	watch->shown++;
	return watch->tool->json ? watch_write_rates(watch)
				 : watch_show_table(watch);
}

/* Wait until it is time, or the user interrupts or presses q.  Return whether
 * it is time. */
static bool
watch_wait(struct watch *watch, int64_t until_us)
{
	int keys = watch->is_screen && isatty(STDIN_FILENO) ? STDIN_FILENO : -1;
	enum wait_result result;
	char key;

	while ((result = interrupt_wait(keys, until_us)) == WAIT_READY) {
		if (read(keys, &key, 1) != 1)
			keys = -1;
		else if (key == 'q' || key == 'Q')
			return false;
	}
	return result == WAIT_TIMEOUT;
}

/* One second after the other.  Return the exit status. */
static int
watch_loop(struct watch *watch)
{
	const struct tool *tool = watch->tool;
	int64_t next_us = clock_us() + TICK_US;

	while (watch_wait(watch, next_us)) {
		next_us = clock_us() + TICK_US;
		if (watch_get_rates(watch) == -1)
			return errno == EINTR ? STATUS_FINE : STATUS_ERROR;
		if (watch_show_rates(watch) == -1 || fflush(stdout) == EOF)
			return STATUS_ERROR;
		if (tool->count && watch->shown == tool->count)
			break;
	}
	return STATUS_FINE;
}

static int
watch_on_screen(struct watch *watch)
{
	int status;

	interrupt_catch();
	if (watch->is_screen)
		screen_enter();
	status = watch_loop(watch);
	if (watch->is_screen)
		screen_leave();
	return status;
}

/*
 * The daemons.
 */

/* The first responses say whether there is anything to watch. */
static int
watch_check_first(struct watch *watch)
{
	if (watch_get_rates(watch) == -1)
		return STATUS_ERROR;
	if (watch->away == watch->count)
		return tool_error(
		    "%s; is dripgated running there?", watch->nodes[0].reason);
	for (size_t i = 0; i < watch->count; i++) {
		const struct watch_node *node = &watch->nodes[i];

		if (node->before.count > 0 && !node->before.has_counts)
			return tool_error("%s: this dripgated does not count "
					  "by limit; it is older than this "
					  "dripgate",
			    node->address.text);
	}
	return STATUS_FINE;
}

static int
watch_add_node(struct watch *watch, struct tool *tool)
{
	struct watch_node *node = &watch->nodes[watch->count];

	if (watch->count == NODES_MAX)
		return tool_error("--nodes: more than %d", NODES_MAX);
	node->client.fd = -1;
	watch->count++;
	return tool_find_gate(tool, &node->address) == -1 ? STATUS_ERROR
							  : STATUS_FINE;
}

/* Add those of a list, which is cut into its words. */
static int
watch_add_nodes(struct watch *watch, struct tool *tool, char *list)
{
	int status = STATUS_FINE;
	char *rest, *word = strtok_r(list, ", ", &rest);

	if (!word)
		return tool_error("--nodes: no address");
	for (; word && status == STATUS_FINE;
	     word = strtok_r(NULL, ", ", &rest)) {
		tool->socket = word;
		status = watch_add_node(watch, tool);
	}
	return status;
}

static void
watch_free(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		gate_client_close(&watch->nodes[i].client);
		rates_free(&watch->nodes[i].before);
		rates_free(&watch->nodes[i].now);
	}
	rates_free(&watch->rates);
	free(watch->nodes);
}

int
watch_show(struct tool *tool)
{
	struct watch watch = {.tool = tool,
	    .is_screen = watch_fits_screen(tool),
	    .nodes = calloc(NODES_MAX, sizeof(*watch.nodes))};
	char *list = tool->nodes ? strdup(tool->nodes) : NULL;
	int status;

	if (!watch.nodes || (tool->nodes && !list))
		status = tool_error("out of memory");
	else if (tool->nodes && tool->socket)
		status = tool_error("--nodes or --socket, not both");
	else if (list)
		status = watch_add_nodes(&watch, tool, list);
	else
		status = watch_add_node(&watch, tool);
	if (status == STATUS_FINE)
		status = watch_check_first(&watch);
	if (status == STATUS_FINE)
		status = watch_on_screen(&watch);
	watch_free(&watch);
	free(list);
	return status;
}
