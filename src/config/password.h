/**
 * password: the password of Redis in a file of its own.
 */
#ifndef CONFIG_PASSWORD_H
#define CONFIG_PASSWORD_H

#include "base/attr.h"
#include "base/reasons.h"
#include "base/secret.h"

/** Most characters of a password. */
#define PASSWORD_MAX SECRET_MAX

/** The systemd credential that holds it. */
#define PASSWORD_CREDENTIAL "dripgate.redis-password"

/** Read the one line of the file at ${path}.  Return it, which the caller
 * frees, or NULL with ${reasons} set. */
char *password_read(const char *path, struct reasons *reasons) MUST_USE;

/** The places where systemd may keep the credential of the service, with ${i}
 * from 0 on; NULL: no more places. */
const char *password_place(unsigned i);

#endif
