/**
 * interrupt: waits for bytes, for a time, or until the user interrupts.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdint.h>

enum wait_result { WAIT_READY, WAIT_TIMEOUT, WAIT_INTERRUPTED };

/** From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT end a wait and all later
 * ones, instead of the process. */
void interrupt_catch(void);

/** Wait until ${fd} can be read (-1: none), or clock_us() has come to
 * ${until_us} (0: for ever), or such a signal has come, now or earlier. */
enum wait_result interrupt_wait(int fd, int64_t until_us);

/** The same, until ${fd} can be written to. */
enum wait_result interrupt_wait_to_write(int fd, int64_t until_us);

#endif
