/*
 * Walks along pattern and text together; on a mismatch it goes back to the last
 * *, which then takes one character more.  It need not go back to an earlier *:
 * the part between the two was found at the first possible place.  By segments
 * a * ends before the next /, and there is none to go back to behind that.  The
 * heart: glob_try() and glob_step().
 */
#include "limit/glob.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* Larger than any character: bytes that are not UTF-8 count from here. */
#define NOT_UTF8 UINT32_C(0x110000)

/* How many bytes the character has whose first byte is ${first}. */
static size_t
glob_width(unsigned char first)
{
	if (first < 0xC2 || first > 0xF4)
		return 1;
	return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* Whether ${c} is written in so many bytes and no fewer, and no surrogate. */
static bool
glob_is_character(uint32_t c, size_t width)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	return c >= least[width] && c < NOT_UTF8 && (c < 0xD800 || c > 0xDFFF);
}

/* Take the next character, which does not start with ASCII, off the text. */
static uint32_t
glob_take_wide(const char **at, const char *end)
{
	const unsigned char *s = (const unsigned char *)*at;
	size_t width = glob_width(s[0]);
	uint32_t c = s[0] & 0x7FU >> width;

	if (width > (size_t)(end - *at))
		width = 1;
	for (size_t i = 1; i < width; i++) {
		if ((s[i] & 0xC0) != 0x80)
			width = 1;
		c = c << 6 | (s[i] & 0x3F);
	}
	if (width == 1 || !glob_is_character(c, width)) {
		*at += 1;
		return NOT_UTF8 + s[0];
	}
	*at += width;
	return c;
}

static inline uint32_t
glob_take(const char **at, const char *end)
{
	if ((unsigned char)**at < 0x80)
		return (unsigned char)*(*at)++;
	return glob_take_wide(at, end);
}

/* Take one off the pattern, which ends with a NUL. */
static uint32_t
glob_take_pattern(const char **at)
{
	return glob_take(at, *at + strnlen(*at, 4));
}

/*
 * [...]
 */

static const struct glob_class {
	const char *name;
	int (*has)(int c);
} classes[] = {
    {"alnum", isalnum},
    {"alpha", isalpha},
    {"blank", isblank},
    {"cntrl", iscntrl},
    {"digit", isdigit},
    {"graph", isgraph},
    {"lower", islower},
    {"print", isprint},
    {"punct", ispunct},
    {"space", isspace},
    {"upper", isupper},
    {"xdigit", isxdigit},
};

/* The class "[:NAME:]" that starts at ${*at}, which moves behind it; or NULL.
 */
static const struct glob_class *
glob_take_class(const char **at)
{
	if (strncmp(*at, "[:", 2) != 0)
		return NULL;
	for (size_t i = 0; i < COUNT(classes); i++) {
		size_t len = strlen(classes[i].name);
		const char *name = *at + 2;

		if (strncmp(name, classes[i].name, len) == 0 &&
		    strncmp(name + len, ":]", 2) == 0) {
			*at = name + len + 2;
			return &classes[i];
		}
	}
	return NULL;
}

/* One end of a range, or a character alone; 0 at the end of the pattern. */
static uint32_t
glob_take_member(const char **at)
{
	if (**at == '\\')
		++*at;
	return **at ? glob_take_pattern(at) : 0;
}

/* Whether the brackets at ${*at} contain ${c}.  Move ${*at} behind them, or set
 * it to NULL if there is no closing one. */
static bool
glob_bracket_has(const char **at, uint32_t c)
{
	const char *p = *at, *first;
	bool is_not = *p == '!' || *p == '^';
	bool has = false;

	p += is_not;
	for (first = p; *p != ']' || p == first;) {
		const struct glob_class *class = glob_take_class(&p);
		uint32_t low, high;

		if (class) {
			has |= c < 0x80 && class->has((int)c);
			continue;
		}
		low = high = glob_take_member(&p);
		if (low && p[0] == '-' && p[1] != ']' && p[1] != '\0') {
			p++;
			high = glob_take_member(&p);
		}
		if (low == 0 || high == 0) {
			*at = NULL;
			return false;
		}
		has |= low <= c && c <= high;
	}
	*at = p + 1;
	return has != is_not;
}

/*
 * Patterns.
 */

const char *
glob_fault(const char *pattern)
{
	const char *p = pattern;

	while (*p != '\0') {
		if (*p == '\\') {
			if (*++p == '\0')
				return "ends in a lone backslash";
			p++;
		} else if (*p++ == '[') {
			glob_bracket_has(&p, 0);
			if (!p)
				return "has a [ without a ]";
		}
	}
	return NULL;
}

const char *
glob_literal(const char *pattern, char *literal)
{
	const char *p = pattern;

	for (; *p != '\0' && !strchr("*?[", *p); p++) {
		if (*p == '\\')
			p++;
		*literal++ = *p;
	}
	*literal = '\0';
	return p;
}

/* Take one character off the text. */
static uint32_t
glob_take_text(const char **at, const char *end, bool by_segments)
{
	uint32_t c = glob_take(at, end);

	if (by_segments && c == '%' && end - *at >= 2 &&
	    isxdigit((unsigned char)(*at)[0]) &&
	    isxdigit((unsigned char)(*at)[1]))
		*at += 2;
	return c;
}

/* Match one element of the pattern at ${*pattern}, and move both on.  False:
 * the text has another character. */
static bool
glob_step(
    const char **pattern, const char **text, const char *end, bool by_segments)
{
	const char *p = *pattern;

	if (by_segments && **text == '/' && (*p == '?' || *p == '['))
		return false;
	switch (*p) {
	case '?':
		glob_take_text(text, end, by_segments);
		*pattern = p + 1;
		return true;
	case '[':
		++*pattern;
		return glob_bracket_has(
		    pattern, glob_take_text(text, end, by_segments));
	case '\\':
		p++;
		break;
	}
	/* A character of more bytes is compared byte by byte. */
	*pattern = p + 1;
	return *p == *(*text)++;
}

/* The first place, at ${text} or later, where ${pattern}, the rest behind a *,
 * may begin to match.  Its first byte begins a character, and occurs nowhere
 * inside one; but in %XX it may. */
static const char *
glob_find(
    const char *pattern, const char *text, const char *end, bool by_segments)
{
	if (by_segments || text == end ||
	    strchr("*?[\\", *pattern)) /* or its end */
		return text;
	text = memchr(text, *pattern, (size_t)(end - text));
	return text ? text : end;
}

/* Where a * that begins at ${text} ends at the latest. */
static const char *
glob_find_stop(const char *text, const char *end, bool by_segments)
{
	const char *slash =
	    by_segments ? memchr(text, '/', (size_t)(end - text)) : NULL;

	return slash ? slash : end;
}

/* What is noted of each *, if that is wanted. */
struct glob_stars {
	struct glob_part *of;
	unsigned count, most;
};

/* The next * begins at ${text}. */
static void
glob_begin_star(struct glob_stars *stars, const char *text)
{
	if (stars->count < stars->most)
		stars->of[stars->count] = (struct glob_part){text, 0};
	stars->count++;
}

/* The last one ends at ${text}, as it seems. */
static void
glob_end_star(struct glob_stars *stars, const char *text)
{
	if (stars->count <= stars->most)
		stars->of[stars->count - 1].len =
		    (size_t)(text - stars->of[stars->count - 1].bytes);
}

bool
glob_may_lack(const char *at)
{
	return at[0] == '=' && at[1] == '*' && (at[2] == '/' || at[2] == '\0');
}

/* The text is at its end. */
static bool
glob_ends(
    const char *p, const char *end, struct glob_stars *stars, bool by_segments)
{
	if (by_segments && glob_may_lack(p))
		p++;
	for (; *p == '*'; p++)
		if (stars)
			glob_begin_star(stars, end);
	return *p == '\0';
}

static bool
glob_try(const char *pattern, bool by_segments, const char *text, size_t len,
    struct glob_stars *stars)
{
	const char *p = pattern, *t = text, *end = text + len;
	const char *star = NULL, *back = NULL, *stop = NULL;

	while (t < end) {
		if (by_segments && *t == '/' && glob_may_lack(p))
			p++; /* the * is nothing */
		if (*p == '*') {
			if (stars)
				glob_begin_star(stars, t);
			star = ++p;
			stop = glob_find_stop(t, end, by_segments);
			t = back = glob_find(star, t, stop, by_segments);
		} else if (*p == '\0' || !glob_step(&p, &t, end, by_segments)) {
			if (!star || back == stop)
				return false;
			glob_take_text(&back, end, by_segments);
			p = star;
			t = back = glob_find(star, back, stop, by_segments);
		} else {
			continue;
		}
		if (stars)
			glob_end_star(stars, back);
	}
	return glob_ends(p, end, stars, by_segments);
}

bool
glob_matches(const char *pattern, const char *text, size_t len)
{
	return glob_try(pattern, false, text, len, NULL);
}

bool
glob_matches_segments(const char *pattern, const char *text, size_t len)
{
	return glob_try(pattern, true, text, len, NULL);
}

void
glob_find_stars(const char *pattern, bool by_segments, const char *text,
    size_t len, struct glob_part *stars, unsigned most)
{
	struct glob_stars found = {.of = stars, .most = most};

	glob_try(pattern, by_segments, text, len, &found);
}

unsigned
glob_count_stars(const char *pattern)
{
	unsigned count = 0;

	while (*pattern != '\0') {
		if (*pattern == '[') {
			pattern++;
			glob_bracket_has(&pattern, 0);
			assert(pattern); /* it has no fault */
			continue;
		}
		count += *pattern == '*';
		pattern += *pattern == '\\' ? 2 : 1;
	}
	return count;
}
