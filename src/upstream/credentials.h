/**
 * credentials: the secrets in the headers that an upstream gets from us.
 *
 * $credential.NAME in a value is the one line of the file NAME in the folder of
 * credentials.
 */
#ifndef UPSTREAM_CREDENTIALS_H
#define UPSTREAM_CREDENTIALS_H

#include "base/attr.h"
#include "base/reasons.h"
#include "upstream/upstream.h"

/** How such a part of a value begins. */
#define CREDENTIAL_SIGN "$credential."

/** What ${options}->fields says with each credential in its place, which the
 * caller wipes and frees; or NULL with ${reasons} added, without a secret. */
char *credentials_fill(
    const struct upstream_options *options, struct reasons *reasons) MUST_USE;

#endif
