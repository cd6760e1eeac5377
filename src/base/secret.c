#include "base/secret.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct secret {
	pthread_mutex_t lock; /* of the text */
	char text[SECRET_MAX + 1];
	_Atomic bool is_refused;
};

struct secret *
secret_new(void)
{
	struct secret *secret = calloc(1, sizeof(*secret));

	if (secret)
		pthread_mutex_init(&secret->lock, NULL);
	return secret;
}

void
secret_free(struct secret *secret)
{
	if (!secret)
		return;
	pthread_mutex_destroy(&secret->lock);
	explicit_bzero(secret->text, sizeof(secret->text));
	free(secret);
}

bool
secret_set(struct secret *secret, const char *text)
{
	bool is_another;

	pthread_mutex_lock(&secret->lock);
	is_another = strcmp(secret->text, text) != 0;
	explicit_bzero(secret->text, sizeof(secret->text));
	strncpy(secret->text, text, SECRET_MAX);
	pthread_mutex_unlock(&secret->lock);
	return is_another;
}

void
secret_copy(struct secret *secret, char to[SECRET_MAX + 1])
{
	pthread_mutex_lock(&secret->lock);
	memcpy(to, secret->text, SECRET_MAX + 1);
	pthread_mutex_unlock(&secret->lock);
}

void
secret_refuse(struct secret *secret)
{
	secret->is_refused = true;
}

bool
secret_take_refused(struct secret *secret)
{
	return atomic_exchange(&secret->is_refused, false);
}
