#include "store/deny_log.h"

/* How many drops more than the bucket may hold are asked for.  To take is
 * denied if not one fits. */
static int64_t
deny_log_excess(const struct query *query)
{
	const struct limit *limit = query->limit;
	int64_t amount = query->op == OP_TAKE ? 1 : query->amount;

	return amount -
	       (query->op == OP_CHARGE ? limit_most(limit) : limit->capacity);
}

bool
deny_log_learn(struct deny_log *log, const struct query *query, int64_t now_us)
{
	const struct decision *decision = &query->decision;

	if (decision->lacks == 0)
		return false;
	*log = (struct deny_log){
	    .next_us = now_us + decision->next_us,
	    .retry_us = now_us + decision->retry_us,
	    .empty_us = now_us + decision->empty_us,
	    .lacks = decision->lacks,
	    .level = decision->lacks - (int32_t)deny_log_excess(query),
	};
	return true;
}

/* When so many drops have ended; or INT64_MAX if that is not known. */
static int64_t
deny_log_end_of(const struct deny_log *log, int64_t drops)
{
	if (drops == log->lacks)
		return log->retry_us;
	if (drops == 1)
		return log->next_us;
	return drops == log->level ? log->empty_us : INT64_MAX;
}

bool
deny_log_decide(const struct deny_log *log, struct query *query, int64_t now_us)
{
	const int64_t excess = deny_log_excess(query);
	const int64_t lacks = log->level + excess;
	const int64_t most = limit_most(query->limit);
	const int64_t end_us = deny_log_end_of(log, lacks);

	if (now_us >= log->next_us || lacks <= 0 ||
	    (excess <= 0 && end_us == INT64_MAX))
		return false;
	query->decision = (struct decision){
	    .level = log->level < most ? log->level : most,
	    .next_us = log->next_us - now_us,
	    .retry_us = excess > 0 ? RETRY_NEVER : end_us - now_us,
	    .empty_us = log->empty_us - now_us,
	};
	return true;
}
