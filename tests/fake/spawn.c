/*
 * A second thread for what calls loop_run(), which takes turns with the test's:
 * one of the two always waits for the other.
 */
#include "fake/fake.h"
#include "fake/turn.h"

#include <pthread.h>
#include <semaphore.h>

static struct spawned {
	int (*call)(void *arg);
	void *arg;
	int result;
	bool ended;
	bool there; /* and not joined */
	pthread_t thread;
	sem_t test_goes, spawned_goes;
} spawned;

static void *
spawn_run(void *arg)
{
	(void)arg;
	sem_wait(&spawned.spawned_goes);
	spawned.result = spawned.call(spawned.arg);
	spawned.ended = true;
	sem_post(&spawned.test_goes);
	return NULL;
}

/* Have the other thread go on, and wait for one's turn. */
static void
spawn_hand_over(sem_t *other, sem_t *own)
{
	sem_post(other);
	sem_wait(own);
}

bool
fake_spawn(int (*call)(void *arg), void *arg)
{
	if (spawned.there)
		fake_die("fake_finish() is missing");
	spawned = (struct spawned){.call = call, .arg = arg};
	sem_init(&spawned.test_goes, 0, 0);
	sem_init(&spawned.spawned_goes, 0, 0);
	if (pthread_create(&spawned.thread, NULL, spawn_run, NULL) != 0)
		fake_die("a thread cannot be started");
	spawned.there = true;
	spawn_hand_over(&spawned.spawned_goes, &spawned.test_goes);
	return !spawned.ended;
}

bool
fake_is_spawned(void)
{
	return spawned.there && pthread_equal(pthread_self(), spawned.thread);
}

void
fake_hand_back(void)
{
	spawn_hand_over(&spawned.test_goes, &spawned.spawned_goes);
}

int
fake_finish(void)
{
	if (!spawned.ended)
		spawn_hand_over(&spawned.spawned_goes, &spawned.test_goes);
	if (!spawned.ended)
		fake_die("loop_run() was called twice");
	pthread_join(spawned.thread, NULL);
	spawned.there = false;
	return spawned.result;
}
