#include "cli/screen.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"
#define CLEAR "\033[H\033[2J"

static struct termios as_before;
static bool has_keys; /* standard input is a terminal */

static void
screen_take_keys(bool takes)
{
	struct termios raw = as_before;

	if (!has_keys)
		return;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, takes ? &raw : &as_before);
}

/* Ignore errors: if the terminal is gone, what is written next fails. */
static void
screen_write_now(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) == -1)
		return;
}

static void
screen_on_stop(int number)
{
	int error = errno;

	(void)number;
	screen_take_keys(false);
	screen_write_now(LEAVE);
	raise(SIGSTOP);
	screen_write_now(ENTER);
	screen_take_keys(true);
	errno = error;
}

void
screen_enter(void)
{
	const struct sigaction stop = {
	    .sa_handler = screen_on_stop, .sa_flags = SA_RESTART};

	has_keys = tcgetattr(STDIN_FILENO, &as_before) == 0;
	sigaction(SIGTSTP, &stop, NULL);
	screen_take_keys(true);
	fputs(ENTER, stdout);
}

void
screen_clear(void)
{
	fputs(CLEAR, stdout);
}

void
screen_leave(void)
{
	fputs(LEAVE, stdout);
	screen_take_keys(false);
}
