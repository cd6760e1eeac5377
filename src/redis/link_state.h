/**
 * link_state: the states of a link, and which may follow.  Its own.
 */
#ifndef REDIS_LINK_STATE_H
#define REDIS_LINK_STATE_H

/*
 *   WAITING --> DIALING --> GREETING --> UP
 *      ^_________| ^ |_________|         | |
 *      ^___________|_____________________| |
 *                  |_______________________| closed while idle, or moved
 */
#define LINK_STATES(X)                                                         \
	X(WAITING, TO(WAITING) | TO(DIALING))  /* backing off */               \
	X(DIALING, TO(WAITING) | TO(GREETING)) /* locating, connecting */      \
	X(GREETING, TO(WAITING) | TO(UP))      /* the greeting is in flight */ \
	X(UP, TO(WAITING) | TO(DIALING))

enum link_state {
#define X(name, next) LINK_##name,
	LINK_STATES(X)
#undef X
};

/* A bit for each. */
#define TO(name) (1U << LINK_##name)

static const struct {
	const char *name;
	unsigned next; /* states that may follow */
} link_states[] = {
#define X(name, next) {#name, next},
    LINK_STATES(X)
#undef X
};

#undef TO

#endif
