/* The defaults of a run, each with its reason. */
#include "drover/engine.h"

void engine_options_init(struct engine_options *options)
{
	*options = (struct engine_options){
		/* A libvirtd has 20 workers; an outgoing move holds one for its whole life, and
		 * 6 must stay free to answer us (libvirt.md C1). */
		.workers_per_host = 14,
		.attempts_max = 3,
		.retry_delay_ms = 5000,
		/* Four looks a second: a freed link is passed on within a quarter of a second even when no event comes. */
		.stats_interval_ms = 250,
		/* Many systems take a minute to stop their services. */
		.shutdown_timeout_ms = 120000,
		/* Longer than the 30 s in which libvirt's own keepalive finds a dead peer. */
		.no_progress_ms = 60000,
		/* A switchover takes one to two seconds, most of it the end of the source's QEMU. */
		.switchover_watch_ms = 5000,
		.reconcile_interval_ms = 1000,
		.reply_timeout_ms = 60000,
		.host_down_ms = 120000,
		.downtime_limit_ms = 300, /* QEMU's own default */
		.prestage_rate_bytes_per_s = 1024 * 1024, /* libvirt's smallest step */
		.throttle = true,
	};
	plan_options_init(&options->plan);
}
