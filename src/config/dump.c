#include "config/config.h"

#include "base/ini.h"
#include "config/python.h"
#include "config/settings.h"
#include "config/value.h"

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
	    setting_is_of_target(setting))
		return 0;
	if (source->where)
		return buf_printf(
		    dump->out, "; %sfrom %s\n", set, source->where);
	return buf_printf(
	    dump->out, "; %sfrom %s:%u\n", set, config->path, source->line);
}

static int
dump_row(const struct dump *dump, const struct setting *setting, size_t target)
{
	const struct config *config = dump->config;
	struct buf *out = dump->out;

	if (dump_source(dump, setting) == -1 || dump_help(setting, out) == -1 ||
	    buf_printf(out, "%s = ", setting->name) == -1 ||
	    dump_value(setting, setting_place(config, setting, target), out) ==
		-1)
		return -1;
	return buf_add(out, "\n", 1);
}

static int
dump_target(const struct dump *dump, size_t target)
{
	if (buf_printf(dump->out, "\n[" SECTION_TARGET "%s]\n",
		dump->config->distributor.targets[target].name) == -1)
		return -1;
	for (size_t i = 0; i < settings_count; i++)
		if (setting_is_of_target(&settings[i]) &&
		    dump_row(dump, &settings[i], target) == -1)
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

		if (setting_is_of_target(setting) ||
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
	for (size_t i = 0; i < targets; i++)
		if (dump_target(&dump, i) == -1)
			return -1;
	return 0;
}
