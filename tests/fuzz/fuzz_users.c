/*
 * A file of users may have any text: it is refused with reasons, each one line,
 * or gives users that can be asked about, and found again.
 */
#include "fuzz.h"
#include "protocol/users.h"

#include <stdlib.h>
#include <string.h>

static void
try_user(const struct users *users, const struct user *user)
{
	check(users_find(users, user->name, strlen(user->name)) == user);
	check(users_renew(users, user) == NULL ||
	      users_renew(users, user) == user);
	check(user->has_secret || user->nopass || user->has_uid || *user->cert);
	(void)user_may_key(user, "login:42", 8);
	(void)user_may_key(user, "", 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reasons reasons = {0};
	struct users *users =
	    users_read("fuzz", (const char *)data, size, &reasons);

	check((users == NULL) == (reasons.count > 0));
	if (!users) {
		check(*reasons_first(&reasons) != '\0');
		return 0;
	}
	for (size_t i = 0; i < users->count; i++)
		try_user(users, &users->items[i]);
	users_unref(users);
	return 0;
}
