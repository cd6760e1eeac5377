#include "cli/record.h"

#include "base/num.h"
#include "cli/tail.h"

#include <string.h>

/* The value of a field, " NAME=", up to the next blank; NULL: none. */
static const char *
record_field(const char *line, const char *name, size_t *len)
{
	const char *at = strstr(line, name);

	if (!at)
		return NULL;
	at += strlen(name);
	*len = strcspn(at, " ");
	return at;
}

int
record_line(struct recording_writer *writer, const char *line)
{
	const char *at, *amount, *key;
	size_t at_len, amount_len, key_len;
	int64_t at_us, drops;

	if (strncmp(line, "DROPPED ", 8) == 0 &&
	    num_read_int(line + 8, strlen(line + 8), 0, INT64_MAX, &drops) ==
		0) {
		recording_write_dropped(writer, drops);
		return 0;
	}
	at = record_field(line, " at=", &at_len);
	amount = record_field(line, " amount=", &amount_len);
	/* It is the last field, and may have blanks. */
	key = record_field(line, " key=", &key_len);
	if (key)
		key_len = strlen(key);
	if (!at || !amount || !key ||
	    num_read_seconds(at, at_len, &at_us) == -1 ||
	    num_read_int(amount, amount_len, INT64_MIN, INT64_MAX, &drops) ==
		-1) {
		tool_error("this dripgated does not say amounts: it is older "
			   "than this dripgate");
		writer->failed = true;
		return -1;
	}
	recording_write(writer, at_us, drops, key, key_len);
	return 0;
}

static bool
record_live_line(const char *line, void *arg)
{
	return record_line(arg, line) == 0;
}

int
record_live(struct tool *tool, FILE *to)
{
	struct recording_writer writer;
	int status;

	recording_start(&writer, to, tool->hash_keys);
	fprintf(stderr, "recording for %lld s\n",
	    (long long)(tool->live_us / 1000000));
	status =
	    tail_follow(tool, "*", tool->live_us, record_live_line, &writer);
	if (fflush(to) == EOF || ferror(to))
		return tool_error("the recording cannot be written: %m");
	return writer.failed ? STATUS_ERROR : status;
}
