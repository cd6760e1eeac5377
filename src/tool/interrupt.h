/**
 * interrupt: waiting for bytes, for a time, or for the user to have enough.
 */
#ifndef TOOL_INTERRUPT_H
#define TOOL_INTERRUPT_H

#include <stdint.h>

enum wait_result { WAIT_READY, WAIT_TIMEOUT, WAIT_INTERRUPTED };

/** From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT end a wait, and all that
 * follow, and not the process. */
void interrupt_catch(void);

/** Wait until ${fd} can be read (-1: none), or clock_us() has come to
 * ${until_us} (0: for ever), or such a signal has come, also earlier. */
enum wait_result interrupt_wait(int fd, int64_t until_us);

#endif
