/**
 * url: a Redis server, or the sentinels that name it, as a URL, as providers
 * and frameworks write it.  Pure.
 *
 *     redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]
 *     rediss://                                      the same, over TLS
 *     unix://[[USER]:PASSWORD@]/PATH[?db=DB]
 *     redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]
 *         [/MASTER[/DB]]
 *     rediss+sentinel://                   the same, all over TLS
 *
 * %XX is a byte, which / ? # @ : and % in a user or a password need; ?db= may
 * also stand behind a host.  User and password are those of the server, not of
 * the sentinels.
 */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include "base/attr.h"
#include "config/host.h"
#include "config/password.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_USER_MAX   150
#define URL_PATH_MAX   107
#define URL_MASTER_MAX 255
#define URL_HOSTS_MAX  32767
#define URL_DB_MAX     INT64_C(1000000)

struct url {
	bool tls;
	char path[URL_PATH_MAX + 1]; /* of a Unix socket; "": the host is it */
	char host[HOST_MAX + 1];     /* IPv6 without brackets */
	int64_t port;
	char hosts[URL_HOSTS_MAX + 1];   /* a list (host_port.h) of sentinels;
					  * "": it is the server's */
	char master[URL_MASTER_MAX + 1]; /* "": it names none */
	int64_t db;                      /* -1: it names none */
	char user[URL_USER_MAX + 1];     /* "": it names none */
	char password[PASSWORD_MAX + 1]; /* "": the same */
};

/** Read it.  Return NULL, or what is wrong with ${text}, without anything that
 * is in it. */
const char *url_read(struct url *url, const char *text) MUST_USE;

#endif
