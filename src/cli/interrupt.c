#include "cli/interrupt.h"

#include "base/attr.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static volatile sig_atomic_t is_interrupted;
static sigset_t outside; /* the signals that are blocked but in a wait */

static void
interrupt_on_signal(int number)
{
	(void)number;
	is_interrupted = 1;
}

void
interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = interrupt_on_signal};
	sigset_t ours;

	sigemptyset(&ours);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		sigaddset(&ours, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	/* Signals arrive only during a wait, so that none is missed before
	 * it. */
	sigprocmask(SIG_BLOCK, &ours, &outside);
}

static struct timespec
interrupt_time_left(int64_t until_us)
{
	int64_t left_us = until_us - clock_us();

	if (left_us < 0)
		left_us = 0;
	return (struct timespec){
	    .tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
}

static enum wait_result
interrupt_wait_for(int fd, short events, int64_t until_us)
{
	struct pollfd poll = {.fd = fd, .events = events};
	int count = -1;

	/* Check the time also if there are always bytes to read. */
	if (until_us && clock_us() >= until_us && !is_interrupted)
		return WAIT_TIMEOUT;
	while (count == -1 && !is_interrupted) {
		struct timespec left = interrupt_time_left(until_us);

		count = ppoll(&poll, 1, until_us ? &left : NULL, &outside);
		if (count == -1 && errno != EINTR)
			break; /* reading will tell */
	}
	if (is_interrupted)
		return WAIT_INTERRUPTED;
	return count == 0 ? WAIT_TIMEOUT : WAIT_READY;
}

enum wait_result
interrupt_wait(int fd, int64_t until_us)
{
	return interrupt_wait_for(fd, POLLIN, until_us);
}

enum wait_result
interrupt_wait_to_write(int fd, int64_t until_us)
{
	return interrupt_wait_for(fd, POLLOUT, until_us);
}
