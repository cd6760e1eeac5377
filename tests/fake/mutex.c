#include "fake/fake.h"

#include <pthread.h>

/* pthread_mutex_unlock(), by the linker's --wrap. */
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

static unsigned unlocks_left;
static void (*at_unlock)(void);

void
fake_at_unlock(unsigned nth, void (*call)(void))
{
	unlocks_left = nth;
	at_unlock = call;
}

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	int result = __real_pthread_mutex_unlock(mutex);

	if (unlocks_left > 0 && --unlocks_left == 0)
		at_unlock();
	return result;
}
