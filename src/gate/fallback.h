/**
 * fallback: decides where the store cannot, as on_error of the limit says.
 */
#ifndef GATE_FALLBACK_H
#define GATE_FALLBACK_H

#include "gate/gate.h"
#include "store/store.h"

/** Decide ${query}, which has a limit. */
void fallback_decide(struct gate *gate, struct query *query);

#endif
