#include "server/metrics_process.h"

#include "base/attr.h"
#include "base/process.h"

void
metrics_write_process(struct exposition *exposition)
{
	struct process_usage usage;
	const struct {
		struct metric metric;
		const int64_t *value;
	} rows[] = {
	    {{"process_cpu_us", METRIC_COUNTER, UNIT_MICROSECONDS,
		 "time of processors used"},
		&usage.cpu_us},
	    {{"process_resident_memory_bytes", METRIC_GAUGE, UNIT_BYTES,
		 "memory held"},
		&usage.resident_bytes},
	    {{"process_virtual_memory_bytes", METRIC_GAUGE, UNIT_BYTES,
		 "memory mapped"},
		&usage.virtual_bytes},
	    {{"process_open_fds", METRIC_GAUGE, UNIT_NONE, "descriptors open"},
		&usage.open_fds},
	    {{"process_max_fds", METRIC_GAUGE, UNIT_NONE,
		 "descriptors that may be open"},
		&usage.max_fds},
	    {{"process_threads", METRIC_GAUGE, UNIT_NONE, "threads"},
		&usage.threads},
	};

	process_measure(&usage);
	for (size_t i = 0; i < COUNT(rows); i++) {
		exposition_begin(exposition, &rows[i].metric);
		exposition_sample(
		    exposition, &rows[i].metric, "", *rows[i].value);
	}
}
