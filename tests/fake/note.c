#include "fake/note.h"

#include "fake/fake.h"

#include <stdarg.h>
#include <stdio.h>

#define NOTES_MAX 65536

static char notes[NOTES_MAX], looked_at[NOTES_MAX];
static size_t len;

void
note(const char *format, ...)
{
	va_list args;

	if (len > 0)
		notes[len++] = ' ';
	va_start(args, format);
	len += (size_t)vsnprintf(notes + len, NOTES_MAX - len, format, args);
	va_end(args);
	if (len > NOTES_MAX - 2)
		fake_die("too many notes");
}

const char *
noted(void)
{
	snprintf(looked_at, len + 1, "%s", notes);
	looked_at[len] = notes[0] = '\0';
	len = 0;
	return looked_at;
}
