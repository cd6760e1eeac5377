/**
 * secrets: the secrets that a file with some text has.
 */
#ifndef TESTS_UNIT_SECRETS_H
#define TESTS_UNIT_SECRETS_H

#include "store/redis/key_secrets.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** Return them, to be freed; NULL: they are wrong, and ${reasons} say why. */
static inline struct key_secrets *
secrets_of(const char *text, bool hides_limits, struct reasons *reasons)
{
	char path[] = "/tmp/dripgate-secrets-XXXXXX";
	struct key_secrets *secrets;
	int fd = mkstemp(path);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	reasons_clear(reasons);
	secrets = key_secrets_read(path, hides_limits, reasons);
	unlink(path);
	return secrets;
}

#endif
