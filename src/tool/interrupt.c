#include "tool/interrupt.h"

#include "base/attr.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t is_interrupted;
static sigset_t outside; /* the signals that are blocked but in a wait */

static void
on_signal(int number)
{
	(void)number;
	is_interrupted = 1;
}

void
interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t ours;

	sigemptyset(&ours);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		sigaddset(&ours, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	/* Only a wait is interrupted, and none can be missed before it. */
	sigprocmask(SIG_BLOCK, &ours, &outside);
}

enum wait_result
interrupt_wait(int fd, int64_t until_us)
{
	struct pollfd poll = {.fd = fd, .events = POLLIN};
	struct timespec left = {0};
	int64_t left_us = until_us - clock_us();
	int count;

	if (left_us > 0) {
		left.tv_sec = left_us / 1000000;
		left.tv_nsec = left_us % 1000000 * 1000;
	}
	count = ppoll(&poll, 1, until_us ? &left : NULL, &outside);
	if (is_interrupted)
		return WAIT_INTERRUPTED;
	if (count == 0 || (count < 0 && errno == EINTR))
		return WAIT_TIMEOUT;
	return WAIT_READY;
}
