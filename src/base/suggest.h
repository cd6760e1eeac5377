/**
 * suggest: "did you mean ...?"
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

/** Which of ${count} ${words} a person may have meant by ${word}: the one that
 * takes the fewest edits to reach, the first of equals; or NULL if none is
 * near. */
const char *suggest(const char *word, const char *const *words, size_t count);

#endif
