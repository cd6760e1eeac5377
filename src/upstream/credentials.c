#include "upstream/credentials.h"

#include "base/buf.h"
#include "base/file.h"
#include "upstream/upstream_headers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest credential. */
#define CREDENTIAL_MAX 4096

#define NAME_CHARACTERS                                                        \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

static const char *
credentials_folder(const struct upstream_options *options)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	return *options->credentials ? options->credentials : folder;
}

/* Append the one line of ${text}.  Return what is wrong with it, or NULL. */
static const char *
credentials_add_line(struct buf *out, const char *text, size_t len)
{
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len == 0 || len > CREDENTIAL_MAX)
		return "must be one line of 1 to 4096 characters";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return "must be one line without control characters";
	return buf_add(out, text, len) == -1 ? "out of memory" : NULL;
}

/* Append the credential that ${len} bytes name. */
static void
credentials_add(const struct upstream_options *options, struct buf *out,
    const char *name, size_t len, struct reasons *reasons)
{
	const char *folder = credentials_folder(options), *wrong;
	char path[4400], *text;
	size_t size;

	if (!folder || len == 0 || len > 100) {
		reasons_add(reasons,
		    "[upstream:%.64s] header: $credential.%.*s: there is no "
		    "folder of credentials; set credentials",
		    options->name, len < 100 ? (int)len : 100, name);
		return;
	}
	snprintf(path, sizeof(path), "%s/%.*s", folder, (int)len, name);
	text = file_read(path, &size);
	wrong =
	    text ? credentials_add_line(out, text, size) : file_error(errno);
	if (wrong)
		reasons_add(reasons, "[upstream:%.64s] header: %.300s: %s",
		    options->name, path, wrong);
	if (text)
		explicit_bzero(text, size);
	free(text);
}

/* Each line must be that of a header. */
static void
credentials_check(const struct upstream_options *options, const char *lines,
    struct reasons *reasons)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n");
		size_t name = strcspn(lines, ":");

		if (name >= len || !upstream_headers_may_pass(lines, name))
			reasons_add(reasons,
			    "[upstream:%.64s] header.%.*s: is no header that "
			    "can be added",
			    options->name, name < 60 ? (int)name : 60, lines);
		else if (upstream_list_has(
			     options->request_headers, lines, name))
			reasons_add(reasons,
			    "[upstream:%.64s] header.%.*s: and request_headers "
			    "exclude each other",
			    options->name, name < 60 ? (int)name : 60, lines);
		lines += len + (lines[len] == '\n');
	}
}

char *
credentials_fill(
    const struct upstream_options *options, struct reasons *reasons)
{
	const char *at = options->fields, *sign;
	struct buf out = {0};
	size_t before = reasons->count;
	char *text = NULL;

	credentials_check(options, at, reasons);
	while ((sign = strstr(at, CREDENTIAL_SIGN))) {
		const char *name = sign + strlen(CREDENTIAL_SIGN);
		size_t len = strspn(name, NAME_CHARACTERS);

		if (buf_add(&out, at, (size_t)(sign - at)) == -1)
			goto fail;
		credentials_add(options, &out, name, len, reasons);
		at = name + len;
	}
	if (buf_add(&out, at, strlen(at) + 1) == -1)
		goto fail;
	if (reasons->count == before)
		text = strdup(buf_data(&out));
	if (reasons->count == before && !text)
		goto fail;
	goto end;
fail:
	reasons_add(reasons, "out of memory");
end:
	if (out.bytes)
		explicit_bzero(out.bytes, out.cap);
	buf_free(&out);
	return text;
}
