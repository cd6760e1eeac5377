/**
 * list: linked lists whose links are fields of the elements: the part of BSD's
 * <sys/queue.h> that the code uses, under BSD's names (see queue(7)). musl does
 * not have that header.
 *
 * A TAILQ has a first and a last element; a LIST only a first.  An element is
 * in at most one list per ENTRY, and is removed without a search.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stddef.h>

/* A library may have included glibc's. */
#ifndef TAILQ_HEAD

/* ${tqe_prev} is the address of the pointer to this element, ${tqh_last} that
 * of the pointer to the next one to be appended. */
#define TAILQ_HEAD(name, type)                                                 \
	struct name {                                                          \
		struct type *tqh_first, **tqh_last;                            \
	}
#define TAILQ_ENTRY(type)                                                      \
	struct {                                                               \
		struct type *tqe_next, **tqe_prev;                             \
	}
#define TAILQ_HEAD_INITIALIZER(head)                                           \
	{                                                                      \
		NULL, &(head).tqh_first                                        \
	}
#define TAILQ_FIRST(head)          ((head)->tqh_first)
#define TAILQ_EMPTY(head)          (!TAILQ_FIRST(head))
#define TAILQ_NEXT(element, field) ((element)->field.tqe_next)
#define TAILQ_FOREACH(element, head, field)                                    \
	for ((element) = TAILQ_FIRST(head); (element);                         \
	     (element) = TAILQ_NEXT(element, field))

#define TAILQ_INIT(head)                                                       \
	do {                                                                   \
		(head)->tqh_first = NULL;                                      \
		(head)->tqh_last = &(head)->tqh_first;                         \
	} while (0)

#define TAILQ_INSERT_TAIL(head, element, field)                                \
	do {                                                                   \
		(element)->field.tqe_next = NULL;                              \
		(element)->field.tqe_prev = (head)->tqh_last;                  \
		*(head)->tqh_last = (element);                                 \
		(head)->tqh_last = &(element)->field.tqe_next;                 \
	} while (0)

#define TAILQ_REMOVE(head, element, field)                                     \
	do {                                                                   \
		if ((element)->field.tqe_next)                                 \
			(element)->field.tqe_next->field.tqe_prev =            \
			    (element)->field.tqe_prev;                         \
		else                                                           \
			(head)->tqh_last = (element)->field.tqe_prev;          \
		*(element)->field.tqe_prev = (element)->field.tqe_next;        \
	} while (0)

/* Move all of ${from} to the end of ${head}. */
#define TAILQ_CONCAT(head, from, field)                                        \
	do {                                                                   \
		if (!TAILQ_EMPTY(from)) {                                      \
			*(head)->tqh_last = (from)->tqh_first;                 \
			(from)->tqh_first->field.tqe_prev = (head)->tqh_last;  \
			(head)->tqh_last = (from)->tqh_last;                   \
			TAILQ_INIT(from);                                      \
		}                                                              \
	} while (0)

#endif

#ifndef LIST_HEAD

#define LIST_HEAD(name, type)                                                  \
	struct name {                                                          \
		struct type *lh_first;                                         \
	}
#define LIST_ENTRY(type)                                                       \
	struct {                                                               \
		struct type *le_next, **le_prev;                               \
	}
#define LIST_FOREACH(element, head, field)                                     \
	for ((element) = (head)->lh_first; (element);                          \
	     (element) = (element)->field.le_next)

#define LIST_INSERT_HEAD(head, element, field)                                 \
	do {                                                                   \
		(element)->field.le_next = (head)->lh_first;                   \
		if ((head)->lh_first)                                          \
			(head)->lh_first->field.le_prev =                      \
			    &(element)->field.le_next;                         \
		(head)->lh_first = (element);                                  \
		(element)->field.le_prev = &(head)->lh_first;                  \
	} while (0)

#define LIST_REMOVE(element, field)                                            \
	do {                                                                   \
		if ((element)->field.le_next)                                  \
			(element)->field.le_next->field.le_prev =              \
			    (element)->field.le_prev;                          \
		*(element)->field.le_prev = (element)->field.le_next;          \
	} while (0)

#endif

#endif
