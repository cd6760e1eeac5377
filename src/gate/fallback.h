/**
 * fallback: decides where the store cannot, as on_error of the limit says.
 */
#ifndef GATE_FALLBACK_H
#define GATE_FALLBACK_H

#include "gate/gate.h"
#include "store/store.h"

/** Decide ${query}, which has a limit. */
void fallback_decide(struct gate *gate, struct query *query);

/** Decide ${first} and its mates, whose chain ends with that: all of them are
 * charged, or none.  ${is_denied}: another query denies the check already. */
void fallback_decide_together(
    struct gate *gate, struct query *first, bool is_denied);

#endif
