#include "tool/interrupt.h"

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

static struct timespec
time_left(int64_t until_us)
{
	int64_t left_us = until_us - clock_us();

	if (left_us < 0)
		left_us = 0;
	return (struct timespec){
	    .tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
}

enum wait_result
interrupt_wait(int fd, int64_t until_us)
{
	struct pollfd poll = {.fd = fd, .events = POLLIN};
	int count = -1;

	while (count == -1 && !is_interrupted) {
		struct timespec left = time_left(until_us);

		count = ppoll(&poll, 1, until_us ? &left : NULL, &outside);
		if (count == -1 && errno != EINTR)
			break; /* reading will tell */
	}
	if (is_interrupted)
		return WAIT_INTERRUPTED;
	return count == 0 ? WAIT_TIMEOUT : WAIT_READY;
}
