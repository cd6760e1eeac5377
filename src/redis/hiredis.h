/**
 * hiredis: what differs between its versions: 0.14 (Debian 12) to 1.2 (13).
 */
#ifndef REDIS_HIREDIS_H
#define REDIS_HIREDIS_H

#include <hiredis/hiredis.h>
#include <stddef.h>

#if HIREDIS_MAJOR < 1
/** How createArray() is told the number of elements. */
typedef int hiredis_count;

/** The outermost task of a reader: what it reads, or is about to. */
#define HIREDIS_OUTERMOST(reader) (&(reader)->rstack[0])
#else
typedef size_t hiredis_count;
#define HIREDIS_OUTERMOST(reader) ((reader)->task[0])
#endif

#endif
