/**
 * value: one setting's value: read, written, compared.
 *
 * ${place} is the setting's member in its struct. Texts belong to a list of
 * texts, which frees them all at once.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base/attr.h"
#include "base/buf.h"
#include "config/settings.h"

#include <stdbool.h>
#include <stddef.h>

/** Set the member to what ${value} says.  Return 0, or -1 with errno: EINVAL,
 * ERANGE, ENOMEM; it is then as before. */
int value_set(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value) MUST_USE;

/** Write to ${to} what ${value} should have been, as "a whole number from 1 to
 * 65535", after value_set() failed with ${error}. */
void value_explain(const struct setting *setting, const char *value, int error,
    char *to, size_t size);

/** Append the value as value_set() takes it; nothing for a secret.  Return 0,
 * or -1 (out of memory). */
int value_write(
    const struct setting *setting, const void *place, struct buf *to) MUST_USE;

/** Whether both are the same. */
bool value_is_same(const struct setting *setting, const void *a, const void *b);

/** Copy ${from} to ${place}.  Return 0, or -1 with errno (ENOMEM). */
int value_copy(struct config_texts *texts, const struct setting *setting,
    void *place, const void *from) MUST_USE;

/** Size of the member that holds a value of this type. */
size_t value_size(enum setting_type type);

/** Return a copy of a text that is not a setting, or NULL (out of memory). */
const char *config_texts_add(
    struct config_texts *texts, const char *text) MUST_USE;

/** Replace the text at ${place}, which is one of them or of no one, by a copy
 * of
 * ${text}.  Return 0, or -1 (out of memory). */
int config_texts_replace(
    struct config_texts *texts, const char **place, const char *text) MUST_USE;

/** Free all texts. */
void config_texts_free(struct config_texts *texts);

#endif
