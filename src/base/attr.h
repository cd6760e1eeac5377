/**
 * attr: attributes of the compiler, and small macros that C lacks.
 */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

/** The caller must look at what is returned. */
#define MUST_USE __attribute__((warn_unused_result))

/** Argument ${fmt} is a printf format for the arguments from ${args} on. */
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/** Of a large local variable all of which is set before it is read, though the
 * compiler cannot see that: it is not zeroed, which takes long. */
#define UNINITIALIZED __attribute__((uninitialized))

/** Number of elements of an array, which must not be a pointer. */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** The struct of ${type} whose ${member} is at ${ptr}. */
#define CONTAINER_OF(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
