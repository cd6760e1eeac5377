#include "net/systemd.h"

#include "fake/fake.h"
#include "fake/note.h"

#include <stdio.h>

static bool keeps;
static int64_t watchdog_us;
static char status_line[1000];

void
fake_systemd_keeps(bool yes)
{
	keeps = yes;
}

void
fake_systemd_watchdog(int64_t us)
{
	watchdog_us = us;
}

const char *
fake_systemd_status(void)
{
	return status_line;
}

void
systemd_take_passed(systemd_passed *passed, void *arg)
{
	(void)passed;
	(void)arg;
}

bool
systemd_keeps_clients(void)
{
	return keeps;
}

void
systemd_keep_clients(const int *fds, size_t count)
{
	(void)fds;
	if (count > 0)
		note("keep:%zu", count);
}

void
systemd_ready(const char *status)
{
	note("ready");
	systemd_status(status);
}

void
systemd_reloading(void)
{
	note("reloading");
}

void
systemd_stopping(void)
{
	note("stopping");
}

void
systemd_status(const char *status)
{
	snprintf(status_line, sizeof(status_line), "%s", status);
}

int64_t
systemd_watchdog_us(void)
{
	return watchdog_us;
}

void
systemd_watchdog_pat(void)
{
	note("pat");
}
