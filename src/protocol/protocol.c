#include "protocol/protocol.h"

#define X(name) extern const struct protocol name##_protocol;
PROTOCOLS(X)
#undef X

static const struct protocol *const protocols[PROTOCOL_COUNT] = {
#define X(name) &name##_protocol,
    PROTOCOLS(X)
#undef X
};

const struct protocol *
protocol_at(size_t i)
{
	return protocols[i];
}

size_t
protocol_number(const struct protocol *protocol)
{
	size_t i = 0;

	while (protocols[i] != protocol)
		i++;
	return i;
}

const struct protocol *
protocol_of_offer(enum offer offer)
{
	static const struct protocol *const offered[] = {
	    [OFFER_ANY] = NULL,
	    [OFFER_HTTP] = &http_protocol,
	    [OFFER_ADMIN] = &http_protocol,
	    [OFFER_POLICY] = &policy_protocol,
	};

	return offered[offer];
}

const struct protocol *
protocol_detect(const char *bytes, size_t len)
{
	for (size_t i = 0; i < COUNT(protocols); i++)
		switch (protocols[i]->detect(bytes, len)) {
		case DETECT_NO:
			break;
		case DETECT_MORE:
			return NULL;
		case DETECT_YES:
			return protocols[i];
		}
	return NULL;
}

const struct protocol *
protocol_guess(const char *bytes, size_t len)
{
	const struct protocol *protocol =
	    len > 0 ? protocol_detect(bytes, len) : NULL;

	return protocol ? protocol : protocols[COUNT(protocols) - 1];
}
