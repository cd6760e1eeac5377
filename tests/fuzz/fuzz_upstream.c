/*
 * Any bytes as the target of a request for an upstream, and as the head of its
 * response: what passes has one form, and can end no head.
 */
#include "fuzz.h"
#include "upstream/retry_after.h"
#include "upstream/upstream_headers.h"
#include "upstream/upstream_path.h"

#include <string.h>

static void
check_path(const char *bytes, size_t len)
{
	char *to = malloc(len + 3), *again = malloc(len + 3);

	check(to && again);
	if (upstream_path_normalize(to, bytes, len)) {
		const char *query = strchr(to, '?');
		size_t path = query ? (size_t)(query - to) : strlen(to);

		check(*to == '/' && strlen(to) <= len + 1);
		check(!memmem(to, path, "/../", 4) && !memchr(to, '\\', path));
		check(strcspn(to, " \r\n#") == strlen(to));
		check(upstream_path_normalize(again, to, strlen(to)));
		check(strcmp(again, to) == 0);
	}
	free(to);
	free(again);
}

static void
check_head(const char *bytes, size_t len)
{
	struct upstream_head head = {0};
	const char *at = bytes, *end = bytes + len;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t size = (size_t)((stop ? stop + 1 : end) - at);

		if (upstream_headers_take(&head, at, size, 0) == -1)
			break;
		at += size;
	}
	check(buf_len(&head.lines) <= UPSTREAM_HEAD_MAX + 400);
	check(head.retry_us >= 0 && head.retry_us <= RETRY_AFTER_MAX_US);
	check(head.reset_us >= 0 && head.reset_us <= RETRY_AFTER_MAX_US);
	for (size_t i = 0; i < buf_len(&head.lines); i++) {
		char c = buf_data(&head.lines)[i];

		/* Each line is one, and none is empty. */
		if (c == '\n')
			check(i >= 3 && buf_data(&head.lines)[i - 1] == '\r' &&
			      buf_data(&head.lines)[i - 2] != '\n');
		if (c == '\r')
			check(i + 1 < buf_len(&head.lines) &&
			      buf_data(&head.lines)[i + 1] == '\n');
	}
	upstream_headers_clear(&head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_path((const char *)data, size);
	check_head((const char *)data, size);
	return 0;
}
