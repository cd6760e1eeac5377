/*
 * value: functions for each type of setting.
 * A member is written whole or not at all; a text that is replaced is freed.
 * The heart is the table value_types.
 */
#include "config/value.h"

#include "base/host_port.h"
#include "base/network.h"
#include "base/num.h"
#include "config/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An enum has the size of int: choices are read as int. */
_Static_assert(sizeof(enum limits_source) == sizeof(int), "enum");
_Static_assert(sizeof(enum log_level) == sizeof(int), "enum");

struct value_type {
	size_t size; /* of the member */
	bool is_text;
	int (*set)(struct config_texts *texts, const struct setting *setting,
	    void *place, const char *value);
	void (*describe)(const struct setting *setting, char *to, size_t size);
	void (*explain)(const char *value, char *to, size_t size); /* or NULL */
	int (*write)(
	    const struct setting *setting, const void *place, struct buf *to);
};

/*
 * Texts.
 */

static int
value_set_text(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	int64_t len = (int64_t)strlen(value);

	if (len < setting->min || len > setting->max) {
		errno = ERANGE;
		return -1;
	}
	return config_texts_replace(texts, place, value);
}

static int
value_set_host(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	char host[HOST_MAX + 1];

	if (!host_read(value, host)) {
		errno = EINVAL;
		return -1;
	}
	return value_set_text(texts, setting, place, host);
}

static int
value_set_address(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	struct host_port read;

	if (*value && !host_port_read(&read, value)) {
		errno = EINVAL;
		return -1;
	}
	return value_set_text(texts, setting, place, value);
}

static int
value_set_hosts(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	if (*value && !host_port_is_list(value)) {
		errno = EINVAL;
		return -1;
	}
	return value_set_text(texts, setting, place, value);
}

static int
value_set_networks(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	struct networks networks;

	if (networks_read(&networks, value)) {
		errno = EINVAL;
		return -1;
	}
	return value_set_text(texts, setting, place, value);
}

static void
value_explain_networks(const char *value, char *to, size_t size)
{
	snprintf(to, size,
	    "%.60s is no list of networks, as 10.0.0.0/8 fd00::/8 unix", value);
}

static void
value_describe_text(const struct setting *setting, char *to, size_t size)
{
	snprintf(to, size, "%lld to %lld characters", (long long)setting->min,
	    (long long)setting->max);
}

static int
value_write_text(
    const struct setting *setting, const void *place, struct buf *to)
{
	(void)setting;
	return buf_printf(to, "%s", *(const char *const *)place);
}

static int
value_write_nothing(
    const struct setting *setting, const void *place, struct buf *to)
{
	(void)setting;
	(void)place;
	(void)to;
	return 0;
}

/*
 * Headers.
 */

/* "NAME: VALUE" adds a line; "" is none. */
static int
value_set_fields(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	const char **lines = place;
	char *all;
	int result;

	(void)setting;
	if (*value == '\0')
		return config_texts_replace(texts, lines, "");
	if (asprintf(&all, "%s%s\n", *lines, value) == -1)
		return -1;
	result = config_texts_replace(texts, lines, all);
	explicit_bzero(all, strlen(all));
	free(all);
	return result;
}

static void
value_describe_fields(const struct setting *setting, char *to, size_t size)
{
	(void)setting;
	snprintf(to, size, "a header");
}

/*
 * Numbers and times.
 */

static int
value_store_number(const struct setting *setting, void *place, int64_t number)
{
	if (number < setting->min || number > setting->max) {
		errno = ERANGE;
		return -1;
	}
	*(int64_t *)place = number;
	return 0;
}

static int
value_set_number(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	(void)texts;
	return num_read_int(
	    value, strlen(value), setting->min, setting->max, place);
}

static int
value_set_time(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	int64_t us;

	(void)texts;
	return num_read_duration(value, strlen(value), &us) == -1
		   ? -1
		   : value_store_number(setting, place, us);
}

static int
value_set_seconds(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	int64_t us;

	(void)texts;
	return num_read_seconds(value, strlen(value), &us) == -1
		   ? -1
		   : value_store_number(setting, place, us);
}

static void
value_describe_number(const struct setting *setting, char *to, size_t size)
{
	snprintf(to, size, "a whole number from %lld to %lld",
	    (long long)setting->min, (long long)setting->max);
}

static void
value_describe_time(const struct setting *setting, char *to, size_t size)
{
	snprintf(to, size,
	    "a time with its unit (us ms s m h d), %lld to %lld us",
	    (long long)setting->min, (long long)setting->max);
}

static int
value_write_number(
    const struct setting *setting, const void *place, struct buf *to)
{
	(void)setting;
	return buf_printf(to, "%lld", (long long)*(const int64_t *)place);
}

static int
value_write_time(
    const struct setting *setting, const void *place, struct buf *to)
{
	char text[NUM_MAX_LEN];

	(void)setting;
	return buf_add(
	    to, text, num_write_duration(text, *(const int64_t *)place));
}

/*
 * Modes of files.
 */

static int
value_set_mode(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	size_t len = strlen(value);

	(void)texts;
	if (len == 0) {
		*(int64_t *)place = -1;
		return 0;
	}
	if (len < 3 || len > 4 || strspn(value, "01234567") != len) {
		errno = EINVAL;
		return -1;
	}
	return value_store_number(setting, place, strtol(value, NULL, 8));
}

static void
value_describe_mode(const struct setting *setting, char *to, size_t size)
{
	snprintf(to, size, "an octal number from 000 to %03llo",
	    (unsigned long long)setting->max);
}

static int
value_write_mode(
    const struct setting *setting, const void *place, struct buf *to)
{
	int64_t mode = *(const int64_t *)place;

	(void)setting;
	return mode == -1 ? 0 : buf_printf(to, "%04o", (unsigned)mode);
}

/*
 * Choices.
 */

static int
value_set_choice(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	int chosen;

	(void)texts;
	if (choice_read(setting->choices, value, &chosen) == -1)
		return -1;
	memcpy(place, &chosen, sizeof(chosen));
	return 0;
}

static int
value_set_flag(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	int chosen;

	(void)texts;
	if (choice_read(setting->choices, value, &chosen) == -1)
		return -1;
	*(bool *)place = chosen;
	return 0;
}

static void
value_describe_choice(const struct setting *setting, char *to, size_t size)
{
	choice_list(setting->choices, to, size);
}

static int
value_write_choice(
    const struct setting *setting, const void *place, struct buf *to)
{
	int chosen;

	memcpy(&chosen, place, sizeof(chosen));
	return buf_printf(to, "%s", choice_name(setting->choices, chosen));
}

static int
value_write_flag(
    const struct setting *setting, const void *place, struct buf *to)
{
	return buf_printf(
	    to, "%s", choice_name(setting->choices, *(const bool *)place));
}

static const struct value_type value_types[] = {
    [SETTING_TEXT] = {.size = sizeof(char *),
	.is_text = true,
	.write = value_write_text,
	.set = value_set_text,
	.describe = value_describe_text},
    [SETTING_PATH] = {.size = sizeof(char *),
	.is_text = true,
	.write = value_write_text,
	.set = value_set_text,
	.describe = value_describe_text},
    [SETTING_HOST] = {.size = sizeof(char *),
	.is_text = true,
	.write = value_write_text,
	.set = value_set_host,
	.describe = value_describe_text,
	.explain = host_explain},
    [SETTING_ADDRESS] = {.size = sizeof(char *),
	.is_text = true,
	.write = value_write_text,
	.set = value_set_address,
	.describe = value_describe_text,
	.explain = host_port_explain},
    [SETTING_HOSTS] = {.size = sizeof(char *),
	.is_text = true,
	.write = value_write_text,
	.set = value_set_hosts,
	.describe = value_describe_text,
	.explain = host_port_explain_list},
    [SETTING_NETWORKS] = {.size = sizeof(char *),
	.is_text = true,
	.write = value_write_text,
	.set = value_set_networks,
	.describe = value_describe_text,
	.explain = value_explain_networks},
    [SETTING_SECRET] = {.size = sizeof(char *),
	.is_text = true,
	.write = value_write_nothing,
	.set = value_set_text,
	.describe = value_describe_text},
    [SETTING_NUMBER] = {.size = sizeof(int64_t),
	.write = value_write_number,
	.set = value_set_number,
	.describe = value_describe_number},
    [SETTING_MODE] = {.size = sizeof(int64_t),
	.write = value_write_mode,
	.set = value_set_mode,
	.describe = value_describe_mode},
    [SETTING_TIME] = {.size = sizeof(int64_t),
	.write = value_write_time,
	.set = value_set_time,
	.describe = value_describe_time},
    [SETTING_SECONDS] = {.size = sizeof(int64_t),
	.write = value_write_time,
	.set = value_set_seconds,
	.describe = value_describe_time},
    [SETTING_CHOICE] = {.size = sizeof(int),
	.set = value_set_choice,
	.describe = value_describe_choice,
	.write = value_write_choice},
    [SETTING_FIELDS] = {.size = sizeof(char *),
	.is_text = true,
	.write = value_write_nothing,
	.set = value_set_fields,
	.describe = value_describe_fields},
    [SETTING_FLAG] = {.size = sizeof(bool),
	.set = value_set_flag,
	.describe = value_describe_choice,
	.write = value_write_flag},
};

int
value_set(struct config_texts *texts, const struct setting *setting,
    void *place, const char *value)
{
	return value_types[setting->type].set(texts, setting, place, value);
}

void
value_explain(const struct setting *setting, const char *value, int error,
    char *to, size_t size)
{
	const struct value_type *type = &value_types[setting->type];
	char range[120];

	if (error == ENOMEM) {
		snprintf(to, size, "out of memory");
		return;
	}
	if (type->explain && error == EINVAL) {
		type->explain(value, to, size);
		return;
	}
	type->describe(setting, range, sizeof(range));
	snprintf(to, size, "%.60s is not %s",
	    setting->type == SETTING_SECRET ? "it" : value, range);
}

int
value_write(const struct setting *setting, const void *place, struct buf *to)
{
	return value_types[setting->type].write(setting, place, to);
}

bool
value_is_same(const struct setting *setting, const void *a, const void *b)
{
	const struct value_type *type = &value_types[setting->type];

	if (type->is_text)
		return strcmp(*(const char *const *)a,
			   *(const char *const *)b) == 0;
	return memcmp(a, b, type->size) == 0;
}

int
value_copy(struct config_texts *texts, const struct setting *setting,
    void *place, const void *from)
{
	const struct value_type *type = &value_types[setting->type];

	if (type->is_text)
		return config_texts_replace(
		    texts, place, *(const char *const *)from);
	memcpy(place, from, type->size);
	return 0;
}

size_t
value_size(enum setting_type type)
{
	return value_types[type].size;
}
