#include "cli/client_words.h"

#include "base/num.h"
#include "limit/id.h"
#include "limit/key.h"
#include "limit/limit.h"

#include <string.h>

static int
client_words_check_key(const char *key)
{
	if (key_is_valid(key, strlen(key)))
		return 0;
	tool_error("a key is 1 to %d bytes of printable ASCII or UTF-8, "
		   "without blanks",
	    KEY_TEXT_MAX);
	return -1;
}

static int
client_words_check_amount(const char *text)
{
	int64_t amount;

	if (num_read_int(text, strlen(text), -LIMIT_AMOUNT_MAX,
		LIMIT_AMOUNT_MAX, &amount) == 0)
		return 0;
	tool_error("%s: an amount is a whole number from %lld to %lld", text,
	    (long long)-LIMIT_AMOUNT_MAX, (long long)LIMIT_AMOUNT_MAX);
	return -1;
}

static int
client_words_check_id(const char *id)
{
	if (id_is_valid(id, strlen(id)))
		return 0;
	tool_error("an id is 1 to %d bytes of printable ASCII or UTF-8, "
		   "without blanks",
	    ID_MAX);
	return -1;
}

int
client_words_check(const struct tool *tool)
{
	for (size_t i = 0; i < tool->word_count; i++)
		if ((i % 2 == 0
			    ? client_words_check_key(tool->words[i])
			    : client_words_check_amount(tool->words[i])) == -1)
			return -1;
	return tool->id ? client_words_check_id(tool->id) : 0;
}

int
client_words_check_lease(const struct tool *tool)
{
	if (client_words_check_key(tool->words[0]) == -1 ||
	    client_words_check_id(tool->words[1]) == -1)
		return -1;
	return tool->word_count > 2 ? client_words_check_amount(tool->words[2])
				    : 0;
}
