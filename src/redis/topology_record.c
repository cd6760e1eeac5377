/*
 * Reads and writes what stands in Redis about the topology.  Two records that
 * mean the same are written the same.  The heart: topology_record_read_word(),
 * topology_record_write_to().
 */
#include "redis/topology_record.h"

#include "base/buf.h"
#include "base/num.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char partitions_word[] = "partitions=";
static const char hosts_word[] = "hosts=";

/* Whether the word of ${len} bytes begins so; then it is moved behind that. */
static bool
topology_record_takes(const char **word, size_t *len, const char *begin)
{
	size_t skipped = strlen(begin);

	if (*len < skipped || memcmp(*word, begin, skipped) != 0)
		return false;
	*word += skipped;
	*len -= skipped;
	return true;
}

static const char *
topology_record_explain_hosts(struct topology_record *record)
{
	char why[150];

	host_port_explain_list(record->hosts, why, sizeof(why));
	snprintf(record->reason, sizeof(record->reason),
	    "its hosts are no list: %s", why);
	return record->reason;
}

static const char *
topology_record_read_hosts(
    struct topology_record *record, const char *word, size_t len)
{
	free(record->hosts);
	record->hosts = strndup(word, len);
	if (!record->hosts)
		return "out of memory";
	for (char *at = record->hosts; *at; at++) {
		if (*at == ',')
			*at = ' ';
		else
			*at = (char)tolower((unsigned char)*at);
	}
	return host_port_is_list(record->hosts)
		   ? NULL
		   : topology_record_explain_hosts(record);
}

static const char *
topology_record_read_word(
    struct topology_record *record, const char *word, size_t len)
{
	if (topology_record_takes(&word, &len, partitions_word))
		return num_read_int(word, len, 1, PARTITIONS_MAX,
			   &record->partitions) == 0
			   ? NULL
			   : "its partitions are no number from 1 to 1024";
	if (topology_record_takes(&word, &len, hosts_word))
		return topology_record_read_hosts(record, word, len);
	return "it has an unknown word";
}

static const char *
topology_record_check(const struct topology_record *record)
{
	const char *list = record->hosts;
	struct host_port host;
	int64_t count = 0;

	if (record->partitions == 0)
		return "it has no partitions";
	while (host_port_read_next(&host, &list))
		count++;
	return count > record->partitions ? "it has more hosts than partitions"
					  : NULL;
}

static const char *
topology_record_read_words(
    struct topology_record *record, const char *text, size_t len)
{
	const char *reason = NULL;

	record->hosts = strdup("");
	if (!record->hosts)
		return "out of memory";
	for (size_t i = 0; i < len && !reason;) {
		size_t start = i;

		while (i < len && text[i] != ' ')
			i++;
		if (i > start)
			reason = topology_record_read_word(
			    record, text + start, i - start);
		else
			i++;
	}
	return reason ? reason : topology_record_check(record);
}

const char *
topology_record_read(
    struct topology_record *record, const char *text, size_t len)
{
	const char *reason;

	*record = (struct topology_record){0};
	if (len > TOPOLOGY_RECORD_MAX)
		return "it is too long";
	reason = topology_record_read_words(record, text, len);
	if (reason)
		topology_record_close(record);
	return reason;
}

void
topology_record_close(struct topology_record *record)
{
	free(record->hosts);
	record->hosts = NULL;
}

bool
topology_record_leaves_out(const struct topology_record *record,
    const char *first, const char *server,
    bool (*tells)(const char *name, const void *arg), const void *arg)
{
	const char *list = record->hosts;
	struct host_port each;
	char name[HOST_PORT_NAME_MAX];
	bool is_found = false; /* ${server}, or one that tells before it */
	bool result = false;

	while (host_port_read_next(&each, &list)) {
		host_port_name(&each, name);
		if (strcmp(name, first) == 0)
			return false;
		if (is_found)
			continue;
		result = strcmp(name, server) == 0;
		is_found = result || tells(name, arg);
	}
	return result;
}

static int
topology_record_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Write those of the list, whose names ${names} has room for. */
static int
topology_record_write_hosts(struct buf *text, char **names, const char *list)
{
	struct host_port host;
	size_t count = 0;
	int result = 0;

	while (result == 0 && host_port_read_next(&host, &list)) {
		char name[HOST_PORT_NAME_MAX];

		host_port_name(&host, name);
		names[count] = strdup(name);
		result = names[count++] ? 0 : -1;
	}
	if (result == 0)
		qsort(names, count, sizeof(*names), topology_record_compare);
	for (size_t i = 0; i < count; i++) {
		if (result == 0)
			result = buf_printf(
			    text, "%s%s", i == 0 ? " hosts=" : ",", names[i]);
		free(names[i]);
	}
	return result;
}

static int
topology_record_write_to(
    struct buf *text, const struct topology_options *options)
{
	char **names;
	int result;

	if (buf_printf(
		text, "partitions=%lld", (long long)options->partitions) == -1)
		return -1;
	if (!topology_shares_hosts(options->kind))
		return buf_add(text, "", 1);
	names = calloc(HOST_PORT_LIST_MAX, sizeof(*names));
	if (!names)
		return -1;
	result = topology_record_write_hosts(text, names, options->hosts);
	free(names);
	return result == 0 ? buf_add(text, "", 1) : -1;
}

char *
topology_record_write(const struct topology_options *options)
{
	struct buf text = {0};
	char *copy = NULL;

	if (topology_record_write_to(&text, options) == 0)
		copy = strdup(buf_data(&text));
	buf_free(&text);
	return copy;
}

struct topology_options
topology_record_apply(const struct topology_record *record,
    const struct topology_options *own, struct host_port *first)
{
	struct topology_options applied = *own;
	const char *list = own->hosts;

	applied.partitions = record->partitions;
	if (*record->hosts) {
		applied.kind = "sharded";
		applied.hosts = record->hosts;
	} else if (topology_shares_hosts(own->kind) &&
		   host_port_read_next(first, &list)) {
		applied.kind = "single";
		applied.endpoint = (struct endpoint){
		    "", first->host, strtol(first->port, NULL, 10)};
	}
	return applied;
}

bool
topology_record_agrees(const char *own, const char *text, size_t len)
{
	struct topology_record record;
	struct topology_options options;
	char *written;
	bool agrees;

	/* Each of a thousand links asks. */
	if (strlen(own) == len && memcmp(own, text, len) == 0)
		return true;
	if (topology_record_read(&record, text, len) != NULL)
		return true;
	options = (struct topology_options){
	    .kind = *record.hosts ? "sharded" : "single",
	    .hosts = record.hosts,
	    .partitions = record.partitions};
	written = topology_record_write(&options);
	agrees = written && strcmp(own, written) == 0;
	free(written);
	topology_record_close(&record);
	return agrees;
}
