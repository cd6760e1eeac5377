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

static int
dump_row(const struct config *config, const struct setting *setting,
    size_t target, struct buf *out)
{
	if (dump_help(setting, out) == -1 ||
	    buf_printf(out, "%s = ", setting->name) == -1 ||
	    dump_value(setting, setting_place(config, setting, target), out) ==
		-1)
		return -1;
	return buf_add(out, "\n", 1);
}

static int
dump_target(const struct config *config, size_t target, struct buf *out)
{
	if (buf_printf(out, "\n[" SECTION_TARGET "%s]\n",
		config->distributor.targets[target].name) == -1)
		return -1;
	for (size_t i = 0; i < settings_count; i++)
		if (setting_is_of_target(&settings[i]) &&
		    dump_row(config, &settings[i], target, out) == -1)
			return -1;
	return 0;
}

int
config_dump(const struct config *config, struct buf *out)
{
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
		if (dump_row(config, setting, 0, out) == -1)
			return -1;
	}
	for (size_t i = 0; i < targets; i++)
		if (dump_target(config, i, out) == -1)
			return -1;
	return 0;
}
