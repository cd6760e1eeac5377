/**
 * script: the Lua scripts of lua/, built into the binary.
 *
 * There are script_limits, script_load, script_plan and script_cache_touch,
 * _put and _purge, and for each lua/algorithm/NAME.lua script_NAME_batch and
 * script_NAME_sweep; the Makefile makes the list.
 */
#ifndef BASE_SCRIPT_H
#define BASE_SCRIPT_H

#include <stdbool.h>

/** How a server is given scripts. */
enum script_mode {
	SCRIPT_EVALSHA,
	SCRIPT_FUNCTION, /* as libraries, which it keeps */
};

struct script {
	const char *name;
	const char *text;
	const char
	    *sha;       /* SHA-1 of the text in hexadecimal, as EVALSHA wants */
	bool read_only; /* "flags=no-writes" */
};

#define SCRIPT(name, read_only, sha, text)                                     \
	extern const struct script script_##name;
#include "lua/scripts.inc"
#undef SCRIPT

#endif
