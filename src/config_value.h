/**
 * config_value: one setting's value: read, written, compared.
 *
 * ${place} is the setting's member in its struct. Texts belong to a list of
 * texts, which frees them all at once.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base/attr.h"
#include "config_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** Set the member to what ${value} says.  Return 0, or -1 with errno: EINVAL,
 * ERANGE, ENOMEM; it is then as before. */
int value_set(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value) MUST_USE;

/** Write to ${to} what ${value} should have been, as "a whole number from 1 to
 * 65535", after value_set() failed with ${error}. */
void value_explain(const struct setting *setting, const char *value, int error,
    char *to, size_t size);

/** Print as value_set() takes it; nothing for a secret. */
void value_print(const struct setting *setting, const void *place, FILE *to);

/** Whether both are the same. */
bool value_is_same(const struct setting *setting, const void *a, const void *b);

/** Copy ${from} to ${place}.  Return 0, or -1 with errno (ENOMEM). */
int value_copy(struct config_texts *texts, const struct setting *setting,
    void *place, const void *from) MUST_USE;

/** Free all texts. */
void config_texts_free(struct config_texts *texts);

#endif
