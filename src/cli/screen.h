/**
 * screen: the other screen of a terminal, without a cursor, where keys come as
 * they are pressed.  There is one.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

/** Show it; ^Z restores the shell's until the shell continues this process. */
void screen_enter(void);

void screen_clear(void);

/** Restore the shell's. */
void screen_leave(void);

#endif
