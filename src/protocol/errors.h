/**
 * errors: the responses to requests that are not carried out.
 *
 * Each has a stable code word, on which clients rely, and a text.  Every
 * protocol writes them in its own form.
 */
#ifndef PROTOCOL_ERRORS_H
#define PROTOCOL_ERRORS_H

/** X(ID, code word, text) */
#define PROTOCOL_ERRORS(X)                                                     \
	X(EMPTY, "empty", "the line is empty; try HELP")                       \
	X(TOOLONG, "toolong", "a line is at most 4096 bytes")                  \
	X(INCOMPLETE, "incomplete", "the last line has no end")                \
	X(BADVERB, "badverb", "unknown request; try HELP")                     \
	X(NOKEY, "nokey", "a key must follow")                                 \
	X(BADKEY, "badkey",                                                    \
	    "a key is 1 to 255 bytes of printable ASCII or UTF-8")             \
	X(BADBYTES, "badkey", "a key is 1 to 512 bytes")                       \
	X(BADAMOUNT, "badamount",                                              \
	    "amount must be a whole number from -1000000000 to 1000000000")    \
	X(BADDROPS, "badamount",                                               \
	    "amount must be a whole number from 0 to 1000000000")              \
	X(BADSECONDS, "badseconds",                                            \
	    "seconds is a number, as 2 or 0.5, or a time, as 500ms")           \
	X(BADID, "badid",                                                      \
	    "an id is 1 to 64 bytes of printable ASCII or UTF-8")              \
	X(NOID, "noid", "an id must follow the key")                           \
	X(NOAMOUNT, "noamount", "an amount must follow each key")              \
	X(BADCOUNT, "badcount", "a count is a whole number from 1 to 1000")    \
	X(BADGLOB, "badglob", "the glob of keys is not one")                   \
	X(SURPLUS, "surplus", "too many words")                                \
	X(HTTP, "http", "this is not an HTTP server")                          \
	X(NOLIMIT, "nolimit", "no limit matches this key")                     \
	X(NOSECRET, "nosecret", "a secret must follow, perhaps after a name")  \
	X(NOUSERS, "nousers", "there are no users here; leave AUTH out")       \
	X(NOAUTH, "noauth", "log in first")                                    \
	X(WRONGPASS, "wrongpass", "no user has this name and secret")          \
	X(SLOWDOWN, "slowdown",                                                \
	    "too many wrong secrets came from this address; try later")        \
	X(NOPERM, "noperm", "this user may not ask that")                      \
	X(TOOMANY, "toomany", "more than 16 keys, with those of also")         \
	X(TAKEALSO, "takealso",                                                \
	    "TAKE, HOLD and RELEASE are not for a limit that has also")        \
	X(NOLEASE, "nolease",                                                  \
	    "the limit of this key has no leases: it is not concurrent")       \
	X(NOTHELD, "notheld",                                                  \
	    "nothing is held under this id: its lease ended, or never began")  \
	X(OTHERID, "otherid",                                                  \
	    "this id came with another request for the key before")            \
	X(SPREADID, "spreadid",                                                \
	    "keys with an id must be on one server: give them one {tag}")      \
	X(NOIDS, "noids", "the algorithm of this limit takes no ids")          \
	X(UNAVAILABLE, "unavailable", "the bucket could not be reset now")     \
	X(UNRELEASED, "unavailable",                                           \
	    "the lease could not be released now; it ends by itself")          \
	X(NOMEMORY, "unavailable", "out of memory")                            \
	X(CLIENTS, "clients", "too many clients")                              \
	X(DRAINING, "draining", "the server is about to end")                  \
	X(NOLIMITS, "nolimits", "no limits are in force")                      \
	X(FALLBACK, "fallback", "Redis does not decide, on_error does")

enum protocol_error {
	ERROR_NONE, /* all is well */
#define X(id, code, text) ERROR_##id,
	PROTOCOL_ERRORS(X)
#undef X
	    ERROR_COUNT
};

/** Its code word, a blank and its text: "nokey a key must follow". */
const char *protocol_error_text(enum protocol_error error);

#endif
