/*
 * dump: writes the settings as a file, with their help.
 * Invariant: what is written is read back as the same, but for secrets, which
 * are not shown.
 * The heart: config_dump() and dump_row().
 */
#include "config/config.h"

#include "base/ini.h"
#include "config/python.h"
#include "config/settings.h"
#include "config/value.h"
#include "upstream/credentials.h"

#include <string.h>

/* Room for all words of a choice. */
#define DUMP_WORDS_LEN 120

static int
dump_help(const struct setting *setting, struct buf *out)
{
	char words[DUMP_WORDS_LEN] = "";

	if (setting->choices)
		choice_list(setting->choices, words, sizeof(words));
	return buf_printf(out, "; %s%s%s%s\n", setting->help,
	    *words ? ": " : "", words,
	    setting->reloadable ? " (reloadable)" : "");
}

static int
dump_value(const struct setting *setting, const void *place, struct buf *out)
{
	struct buf value = {0};
	int result = -1;

	if (value_write(setting, place, &value) == 0 &&
	    buf_add(&value, "", 1) == 0)
		result = setting_is_distribution(setting)
			     ? python_write_value(out, buf_data(&value))
			     : ini_write_value(out, buf_data(&value));
	buf_free(&value);
	return result;
}

/* What a dump is made of. */
struct dump {
	const struct config *config;
	bool sources;
	struct buf *out;
};

static int
dump_source(const struct dump *dump, const struct setting *setting)
{
	const struct config *config = dump->config;
	const struct config_source *source =
	    &config->sources[setting - settings];
	const char *set = setting->type == SETTING_SECRET ? "(set) " : "";

	if (!dump->sources || source->rank == RANK_DEFAULT ||
	    setting_is_named(setting))
		return 0;
	if (source->where)
		return buf_printf(
		    dump->out, "; %sfrom %s\n", set, source->where);
	return buf_printf(
	    dump->out, "; %sfrom %s:%u\n", set, config->path, source->line);
}

/* A header that refers to a credential tells no secret; others may. */
static int
dump_fields(const struct dump *dump, const char *lines)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n"), name = strcspn(lines, ":");
		const char *sign = strstr(lines, CREDENTIAL_SIGN);
		bool is_open = sign && sign < lines + len;
		struct buf value = {0};
		int result = -1;

		if (buf_add(&value, lines + name + 2,
			is_open ? len - name - 2 : 0) == 0 &&
		    buf_add(&value, "", 1) == 0 &&
		    buf_printf(dump->out, FIELD_PREFIX "%.*s = ", (int)name,
			lines) == 0 &&
		    ini_write_value(dump->out, buf_data(&value)) == 0)
			result = buf_add(dump->out, "\n", 1);
		buf_free(&value);
		if (result == -1)
			return -1;
		lines += len + (lines[len] == '\n');
	}
	return 0;
}

static int
dump_row(const struct dump *dump, const struct setting *setting, size_t section)
{
	const void *place = setting_place(dump->config, setting, section);
	struct buf *out = dump->out;

	if (dump_source(dump, setting) == -1 || dump_help(setting, out) == -1)
		return -1;
	if (setting->type == SETTING_FIELDS)
		return dump_fields(dump, *(const char *const *)place);
	if (buf_printf(out, "%s = ", setting->name) == -1 ||
	    dump_value(setting, place, out) == -1)
		return -1;
	return buf_add(out, "\n", 1);
}

/* Number ${i} of the sections that have names. */
static int
dump_named(const struct dump *dump, const char *section, size_t i)
{
	if (buf_printf(dump->out, "\n[%s%s]\n", section,
		setting_name(dump->config, section, i)) == -1)
		return -1;
	for (size_t k = 0; k < settings_count; k++)
		if (strcmp(settings[k].section, section) == 0 &&
		    dump_row(dump, &settings[k], i) == -1)
			return -1;
	return 0;
}

static int
dump_all_named(const struct dump *dump, const char *section)
{
	for (size_t i = 0; i < setting_count(dump->config, section); i++)
		if (dump_named(dump, section, i) == -1)
			return -1;
	return 0;
}

int
config_dump(const struct config *config, bool sources, struct buf *out)
{
	const struct dump dump = {config, sources, out};
	const size_t targets = config->distributor.target_count;
	const char *section = "";

	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *setting = &settings[i];

		if (setting_is_named(setting) ||
		    (setting_is_distribution(setting) && targets == 0))
			continue;
		if (strcmp(section, setting->section) != 0 &&
		    buf_printf(out, "%s[%s]\n", *section ? "\n" : "",
			setting->section) == -1)
			return -1;
		section = setting->section;
		if (dump_row(&dump, setting, 0) == -1)
			return -1;
	}
	return dump_all_named(&dump, SECTION_TARGET) == -1
		   ? -1
		   : dump_all_named(&dump, SECTION_UPSTREAM);
}
