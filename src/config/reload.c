#include "config/config.h"

#include "base/log.h"
#include "config/internal.h"
#include "config/settings.h"
#include "config/value.h"

/* Take over one setting, or report that it cannot change. */
static void
reload_row(struct config *config, const struct config *new,
    const struct setting *setting, size_t target, config_refused *refused)
{
	void *to = setting_place(config, setting, target);
	const void *from = setting_place(new, setting, target);

	if (value_is_same(setting, to, from))
		return;
	if (!setting->reloadable)
		refused(setting->section, setting->name);
	else if (value_copy(&config->texts, setting, to, from) == -1)
		log_error("[%s] %s: %m", setting->section, setting->name);
}

static void
reload_targets(
    struct config *config, const struct config *new, config_refused *refused)
{
	size_t count = config->distributor.target_count;

	if (count != new->distributor.target_count) {
		refused(SECTION_TARGET, "*");
		return;
	}
	for (size_t k = 0; k < count; k++)
		for (size_t i = 0; i < settings_count; i++)
			if (setting_is_of_target(&settings[i]))
				reload_row(
				    config, new, &settings[i], k, refused);
}

/* All of them are new: the upstream thread keeps those that are as before. */
static void
reload_upstreams(struct config *config, const struct config *new)
{
	upstream_set_unref(config->upstream_set);
	config->upstream_set = upstream_set_ref(new->upstream_set);
}

void
config_take_reloadable(
    struct config *config, const struct config *new, config_refused *refused)
{
	for (size_t i = 0; i < settings_count; i++)
		if (!setting_is_named(&settings[i]))
			reload_row(config, new, &settings[i], 0, refused);
	reload_targets(config, new, refused);
	reload_upstreams(config, new);
	config_renew_tls(config, new);
	config_renew_secrets(config, new);
}
