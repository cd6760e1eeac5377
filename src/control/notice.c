#include "control/notice.h"

#include <stdio.h>
#include <string.h>

#define DAY_US INT64_C(86400000000)

/* Seconds, without zeros at the end of the fraction. */
static void
notice_write_spread(struct notice *notice)
{
	char *end;

	snprintf(notice->text, sizeof(notice->text),
	    "reload:spread:%lld.%06lld",
	    (long long)(notice->spread_us / 1000000),
	    (long long)(notice->spread_us % 1000000));
	end = notice->text + strlen(notice->text);
	while (end[-1] == '0')
		*--end = '\0';
	if (end[-1] == '.')
		end[-1] = '\0';
}

/* Publish "60" and "60.0" as they were written, unless they are too long.  Any
 * other spelling, ".5" or "1e0", becomes one that every daemon reads, as with
 * Subway. */
static bool
notice_can_copy(const struct piece *arguments)
{
	const char *digits = memchr(arguments->bytes, ':', arguments->len);
	size_t len = arguments->len;

	if (!digits || len + sizeof("reload:") > NOTICE_MAX)
		return false;
	digits++;
	len -= (size_t)(digits - arguments->bytes);
	return len > 0 && *digits != '.' && digits[len - 1] != '.' &&
	       strspn(digits, "0123456789.") >= len;
}

struct notice
notice_plain(int64_t spread_us)
{
	struct notice notice = {"reload", DAY_US};

	if (spread_us > 0) {
		notice.spread_us = spread_us;
		notice_write_spread(&notice);
	}
	return notice;
}

struct notice
notice_of(const struct message *message, const struct notice *plain)
{
	struct notice notice = {"reload:immediate", 0};

	switch (message->when) {
	case RELOAD_CONFIGURED:
		return *plain;
	case RELOAD_IMMEDIATE:
		break;
	case RELOAD_SPREAD:
		notice.spread_us = message->spread_us;
		if (notice_can_copy(&message->arguments))
			snprintf(notice.text, sizeof(notice.text),
			    "reload:%.*s", (int)message->arguments.len,
			    message->arguments.bytes);
		else
			notice_write_spread(&notice);
		break;
	}
	return notice;
}

bool
notice_is_none(const struct notice *notice)
{
	return *notice->text == '\0';
}

void
notice_add(struct notice *notice, const struct notice *other)
{
	if (notice_is_none(notice) ||
	    (!notice_is_none(other) && other->spread_us < notice->spread_us))
		*notice = *other;
}
