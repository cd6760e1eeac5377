#include "base/script.h"

#define SCRIPT(name, read_only, sha, text)                                     \
	const struct script script_##name = {#name, text, sha, read_only};
#include "lua/scripts.inc"
#undef SCRIPT
