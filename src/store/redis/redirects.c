#include "store/redis/redirects.h"

#include "redis/redirect.h"

static bool
redirects_ask(struct redirects *redirects, const struct cluster_server *to,
    struct batch *batch)
{
	if (!redirects->asking)
		redirects->asking = asking_new(
		    redirects->loop, redirects->dialer, redirects->options);
	if (!redirects->asking)
		return false;
	batch->redirected = true;
	return asking_call(redirects->asking, to, &batch->call) == 0;
}

bool
redirects_take(struct redirects *redirects, struct batches *batches,
    struct batch *batch, const redisReply *reply, const char *host)
{
	struct cluster_server to;

	if (batch->redirected || !redirects->options->sentinel.cluster_key)
		return false;
	switch (redirect_read(reply, host, &to)) {
	case REDIRECT_MOVED:
		redirects->moved_to = to;
		batches_send_again(batches, batch);
		return true;
	case REDIRECT_ASK:
		return redirects_ask(redirects, &to, batch);
	case REDIRECT_NONE:
		break;
	}
	return false;
}

void
redirects_close(struct redirects *redirects)
{
	asking_free(redirects->asking);
	redirects->asking = NULL;
}
