/**
 * server: a Redis that is there whenever it is dialled, and replies to all.
 *
 * Owns: its ends of the connections.
 */
#ifndef SCARCE_SERVER_H
#define SCARCE_SERVER_H

/** What it replies to what has no reply of its own, such as a script that only
 * reads; borrowed. */
void server_replies(const char *reply);

/** What it replies to a look-up of a stored response; borrowed. */
void server_finds(const char *reply);

/** Take the connections that came, and reply to what was asked. */
void server_run(void);

/** The same again and again, while time passes, for some seconds. */
void server_serve(void);

/** Close all connections, and forget what was noted. */
void server_leave(void);

#endif
