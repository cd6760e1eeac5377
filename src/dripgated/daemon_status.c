#include "dripgated/daemon_internal.h"

#include "base/host_port.h"
#include "base/log.h"
#include "net/systemd.h"

#include <stdio.h>

/* The status line that systemctl status shows. */
#define STATUS_LEN 560

static const char *
daemon_where_from(const struct daemon *daemon)
{
	static const char *const from_redis[] = {
	    [SUBSCRIBER_WAITING] = " (Redis was not read yet)",
	    [SUBSCRIBER_CURRENT] = " from Redis",
	    [SUBSCRIBER_REJECTED] = " (those in Redis are rejected)",
	};

	if (!daemon_follows_redis(daemon))
		return "";
	return from_redis[control_state(daemon->control)];
}

static void
daemon_status(const struct daemon *daemon, char *to, size_t size)
{
	if (daemon->pool)
		snprintf(to, size, "%zu limits%s, %zu clients, buckets in %s%s",
		    pool_limits(daemon->pool), daemon_where_from(daemon),
		    pool_clients(daemon->pool),
		    daemon->config->gate.store == STORE_REDIS ? "Redis"
							      : "memory",
		    daemon->reload_error);
	else
		snprintf(to, size, "distributing limits to %zu servers%s",
		    daemon->config->distributor.target_count,
		    daemon->reload_error);
}

void
daemon_say_ready(const struct daemon *daemon)
{
	char text[STATUS_LEN];

	daemon_status(daemon, text, sizeof(text));
	systemd_ready(text);
}

void
daemon_say_status(const struct daemon *daemon)
{
	char text[STATUS_LEN];

	daemon_status(daemon, text, sizeof(text));
	systemd_status(text);
}

void
daemon_say_what_to_try(const struct daemon *daemon)
{
	struct host_port read;
	enum listener_kind kind;
	const char *address = listeners_address(daemon->listeners, &kind);
	bool has_tls = daemon->config->tls[kind].on && *address != '/';
	const char *s = has_tls ? "s" : "";

	if (kind == LISTENER_HTTP)
		log_info(
		    "try: curl 'http%s://%s/consume?key=login:42'", s, address);
	else if (kind == LISTENER_ADMIN)
		log_info("try: curl http%s://%s/readyz", s, address);
	else if (kind == LISTENER_POLICY)
		log_info("try: smtpd_recipient_restrictions = "
			 "check_policy_service inet:%s",
		    address);
	else if (has_tls)
		log_info("try: printf 'consume login:42\\nquit\\n' | openssl "
			 "s_client -quiet -connect %s",
		    address);
	else if (host_port_read(&read, address))
		log_info("try: printf 'consume login:42\\n' | nc -N %s %s",
		    read.host, read.port);
	else
		log_info(
		    "try: printf 'consume login:42\\n' | nc -NU %s", address);
}

void
daemon_say_who_may_ask(const struct daemon *daemon)
{
	for (int kind = 0; kind < LISTENER_KINDS && !daemon->users; kind++) {
		const char *address = listeners_exposed(
		    daemon->listeners, (enum listener_kind)kind);

		if (address && !daemon->config->tls[kind].on)
			log_warning("every client that reaches %s may ask "
				    "anything: set "
				    "users or tls, see dripgate.ini(5)",
			    address);
	}
}

void
daemon_say_what_is_missing(const struct daemon *daemon)
{
	static const char *const unmatched[] = {
	    [UNMATCHED_ALLOW] = "allowed (unmatched = allow)",
	    [UNMATCHED_DENY] = "denied (unmatched = deny)",
	    [UNMATCHED_ERROR] = "an error (unmatched = error)",
	};
	size_t count = pool_limits(daemon->pool);

	if (!daemon_follows_redis(daemon) ||
	    control_state(daemon->control) == SUBSCRIBER_CURRENT)
		return;
	if (count > 0)
		log_warning("limits not loaded from Redis yet: the %zu saved "
			    "by an earlier run are in force",
		    count);
	else
		log_error("no limits available: EVERY request is %s",
		    unmatched[daemon->config->unmatched]);
}
