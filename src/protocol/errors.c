#include "protocol/errors.h"

const char *
protocol_error_text(enum protocol_error error)
{
	static const char *const texts[ERROR_COUNT] = {[ERROR_NONE] = "",
#define X(id, code, text) [ERROR_##id] = code " " text,
	    PROTOCOL_ERRORS(X)
#undef X
	};

	return texts[error];
}
