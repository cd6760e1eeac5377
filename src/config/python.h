/**
 * python: options as Python's ConfigParser reads them, for sections that other
 * programs read so.  Pure.
 *
 * Names are in lower case; [DEFAULT] has values for options that a section does
 * not have itself; in a value, %(name)s is replaced by another one, and %% by
 * %.
 */
#ifndef CONFIG_PYTHON_H
#define CONFIG_PYTHON_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/ini.h"

#include <stdbool.h>
#include <stddef.h>

/** The section whose options are those of all others. */
#define PYTHON_DEFAULT "DEFAULT"

/** Longest value after its references were replaced. */
#define PYTHON_VALUE_MAX 8192

struct python_option {
	char *section;
	char *name; /* in lower case */
	char *value;
	bool is_cut;  /* see ini_pair */
	bool is_used; /* its value was read, or another value refers to it */
	struct ini_place place;
};

/** All zero: none. */
struct python_options {
	struct python_option *items;
	size_t count;
};

enum python_result { PYTHON_ADDED, PYTHON_TWICE, PYTHON_FAILED };

/** Add the option of a pair.  Return whether it was ADDED; TWICE: the section
 * has it already; FAILED: out of memory. */
enum python_result python_add(
    struct python_options *options, const struct ini_pair *pair) MUST_USE;

/** The section's option, its own or that of [DEFAULT], or NULL. */
struct python_option *python_find(const struct python_options *options,
    const char *section, const char *name);

/** Append the value of an option of ${section} to ${out}, with a NUL, with its
 * references replaced.  Return NULL, or what is wrong. */
const char *python_value(const struct python_options *options,
    const char *section, struct python_option *option,
    struct buf *out) MUST_USE;

/** Append ${value} so that python_value() reads it back.  Return 0, or -1 (out
 * of memory). */
int python_write_value(struct buf *out, const char *value) MUST_USE;

/** Free what it holds. */
void python_free(struct python_options *options);

#endif
