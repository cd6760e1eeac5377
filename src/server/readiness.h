/**
 * readiness: clients that watch whether decisions can be asked for.
 */
#ifndef SERVER_READINESS_H
#define SERVER_READINESS_H

struct conns;

/** Tell the clients of a worker whose protocol has watchers; each second, so
 * that one who began to watch in between learns of a change, too. */
void readiness_tell(struct conns *conns);

#endif
