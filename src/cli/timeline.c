#include "cli/timeline.h"

#include <inttypes.h>
#include <string.h>

/* The first slots are of a millisecond each. */
#define SLOT_MIN_US 1000

#define WIDTH  (3 * TIMELINE_SLOTS)
#define HEIGHT 240
#define MARGIN 40

static const struct {
	const char *class, *text;
} timeline_lines[TIMELINE_LINES] = {
    [TIMELINE_ALL] = {"all", "requests"},
    [TIMELINE_BEFORE] = {"before", "denied by the limits in force"},
    [TIMELINE_AFTER] = {"after", "denied by these"},
};

/* Have each slot be of twice the time. */
static void
timeline_widen(struct timeline *timeline)
{
	timeline->slot_us *= 2;
	for (size_t i = 0; i < TIMELINE_SLOTS; i++)
		for (size_t line = 0; line < TIMELINE_LINES; line++)
			timeline->slots[i][line] =
			    2 * i < TIMELINE_SLOTS
				? timeline->slots[2 * i][line] +
				      timeline->slots[2 * i + 1][line]
				: 0;
}

void
timeline_add(struct timeline *timeline, enum timeline_line line, int64_t at_us)
{
	if (timeline->slot_us == 0) {
		timeline->start_us = at_us;
		timeline->slot_us = SLOT_MIN_US;
	}
	while (
	    (at_us - timeline->start_us) / timeline->slot_us >= TIMELINE_SLOTS)
		timeline_widen(timeline);
	timeline
	    ->slots[(at_us - timeline->start_us) / timeline->slot_us][line]++;
}

static uint64_t
timeline_most(const struct timeline *timeline)
{
	uint64_t most = 1;

	for (size_t i = 0; i < TIMELINE_SLOTS; i++)
		if (timeline->slots[i][TIMELINE_ALL] > most)
			most = timeline->slots[i][TIMELINE_ALL];
	return most;
}

void
timeline_draw(const struct timeline *timeline, FILE *to)
{
	uint64_t most = timeline_most(timeline);

	fprintf(to,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
	    "role=\"img\" aria-label=\"requests and denials over time\">\n"
	    "<style>text{font:12px sans-serif;fill:currentColor}"
	    "polyline{fill:none;stroke:currentColor;stroke-width:1.5}"
	    ".all{color:#8c959f}.before{color:#0969da}.after{color:#d1242f}"
	    "</style>\n"
	    "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
	    WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN);
	for (size_t line = 0; line < TIMELINE_LINES; line++) {
		const char *class = timeline_lines[line].class;

		fprintf(to,
		    "<text class=\"%s\" x=\"%zu\" "
		    "y=\"20\">%s</text>\n<polyline class=\"%s\" points=\"",
		    class, MARGIN + line * 220, timeline_lines[line].text,
		    class);
		for (size_t i = 0; i < TIMELINE_SLOTS; i++)
			fprintf(to, "%zu,%.1f ", MARGIN + 3 * i,
			    MARGIN + HEIGHT -
				(double)timeline->slots[i][line] * HEIGHT /
				    (double)most);
		fprintf(to, "\"/>\n");
	}
	fprintf(to,
	    "<text x=\"%d\" y=\"%d\">%.1f seconds, at most %.1f requests a "
	    "second</text>\n</svg>\n",
	    MARGIN, HEIGHT + MARGIN + 20,
	    (double)timeline->slot_us * TIMELINE_SLOTS / 1e6,
	    timeline->slot_us ? (double)most * 1e6 / (double)timeline->slot_us
			      : 0.0);
}
