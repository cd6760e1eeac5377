/**
 * note: what the callbacks of a test were called with, in their order.
 */
#ifndef FAKE_NOTE_H
#define FAKE_NOTE_H

#include "base/attr.h"

/** Note a word, as printf would. */
void note(const char *format, ...) PRINTF_LIKE(1, 2);

/** What was noted since the last look, with blanks between; valid until the
 * next.  "": nothing. */
const char *noted(void);

#endif
