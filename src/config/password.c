#include "config/password.h"

#include "base/file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Remove the end of the line.  Return whether the text is one line. */
static bool
password_is_line(char *text, size_t len)
{
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		text[--len] = '\0';
	return strcspn(text, "\r\n") == len;
}

char *
password_read(const char *path, struct reasons *reasons)
{
	size_t len;
	char *text = file_read(path, &len);

	if (!text) {
		reasons_set(reasons, "%s: %s", path, file_error(errno));
		return NULL;
	}
	if (!password_is_line(text, len))
		reasons_set(reasons, "%s: a password is one line", path);
	else if (strlen(text) > PASSWORD_MAX)
		reasons_set(reasons, "%s: a password has at most %d characters",
		    path, PASSWORD_MAX);
	else
		return text;
	explicit_bzero(text, len);
	free(text);
	return NULL;
}

const char *
password_place(unsigned i)
{
	/* First the credential of the running service, which may be stored
	 * encrypted. */
	static const char *const places[] = {
	    "/run/credentials/dripgated.service/" PASSWORD_CREDENTIAL,
	    "/etc/credstore/" PASSWORD_CREDENTIAL,
	    "/run/credstore/" PASSWORD_CREDENTIAL,
	    "/usr/lib/credstore/" PASSWORD_CREDENTIAL,
	};

	return i < COUNT(places) ? places[i] : NULL;
}
