#include "store/redis/op_text.h"

#include "limit/leases.h"

size_t
op_text_write_asked(char *to, const struct query *query)
{
	size_t len = num_write_int(to, query->amount);

	if (query->op == OP_CHARGE)
		to[len++] = '!';
	else if (query->op == OP_TAKE)
		to[len++] = '~';
	return len;
}

size_t
op_text_write(char *to, const struct query *query, int64_t count)
{
	size_t len = 0;

	if (query->op == OP_RESET) {
		to[len++] = 'r';
		return len;
	}
	if (query->op != OP_RELEASE)
		len += op_text_write_asked(to, query);
	if (op_names_lease(query->op)) {
		to[len++] = '#';
		lease_name_write(to + len, query->lease);
		return len + LEASE_DIGITS;
	}
	if (op_takes_out(query->op)) {
		to[len++] = query->op == OP_LEAVE ? '=' : '@';
		len += num_write_int(to + len, bucket_stamp(&query->bucket));
	} else if (query->op == OP_CHARGE) {
		len += num_write_int(to + len, limit_most(query->limit));
	} else if (query->op == OP_WAIT) {
		to[len++] = '+';
		len += num_write_int(to + len, query->wait_us);
	}
	if (count > 1) {
		to[len++] = '*';
		len += num_write_int(to + len, count);
	}
	return len;
}
