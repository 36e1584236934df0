/* Requests and replies of the hypervisor seam as values: names and deep copies. */
#include "drover/hypervisor.h"

#include <stdlib.h>

#include "drover/plan.h"
#include "xalloc.h"

static const char *const kind_names[HV_KIND_COUNT] = {
	[HV_PREFLIGHT] = "preflight", [HV_PREPARE] = "prepare", [HV_MIGRATE] = "migrate",
	[HV_SET_RATE] = "set-rate", [HV_SET_DOWNTIME] = "set-downtime", [HV_START_POSTCOPY] = "start-postcopy", [HV_STATS] = "stats",
	[HV_ABORT] = "abort", [HV_WHERE] = "where", [HV_FINISH_TARGET] = "finish-target",
	[HV_FINISH_SOURCE] = "finish-source", [HV_REMOVE_VOLUMES] = "remove-volumes",
	[HV_CLEAR_TAG] = "clear-tag", [HV_RESUME] = "resume", [HV_SUSPEND] = "suspend",
	[HV_DESTROY] = "destroy", [HV_PATH] = "path", [HV_SHUTDOWN] = "shutdown",
	[HV_COPY] = "copy", [HV_DEFINE] = "define", [HV_START] = "start", [HV_PROBE] = "probe",
	[HV_EXAMINE] = "examine", [HV_EXAMINE_PAIR] = "examine-pair", [HV_SAME_POOLS] = "same-pools",
};
static const char *const presence_names[] = {
	[HV_ABSENT] = "absent", [HV_SHUTOFF] = "shut off", [HV_RUNNING] = "running", [HV_PAUSED] = "paused",
};
static const char *const pause_names[] = {
	[HV_PAUSE_NONE] = "none", [HV_PAUSE_MIGRATION] = "migration", [HV_PAUSE_USER] = "user",
	[HV_PAUSE_IOERROR] = "I/O error", [HV_PAUSE_POSTCOPY] = "post-copy",
	[HV_PAUSE_POSTCOPY_FAILED] = "post-copy failed", [HV_PAUSE_OTHER] = "other",
};
static const char *const job_names[] = {
	[HV_JOB_NONE] = "none", [HV_JOB_OUT] = "outgoing", [HV_JOB_IN] = "incoming", [HV_JOB_OTHER] = "other",
};

const char *hv_kind_name(enum hv_kind kind)
{
	return kind_names[kind];
}

const char *hv_presence_name(enum hv_presence presence)
{
	return presence_names[presence];
}

const char *hv_pause_reason_name(enum hv_pause_reason reason)
{
	return pause_names[reason];
}

const char *hv_job_name(enum hv_job job)
{
	return job_names[job];
}

struct hv_disk *hv_disks_copy(const struct hv_disk *disks, size_t n)
{
	struct hv_disk *copy;
	size_t i;

	if (n == 0)
		return NULL;
	copy = xcalloc(n, sizeof *copy);
	for (i = 0; i < n; i++) {
		copy[i] = disks[i];
		copy[i].target = xstrdup(disks[i].target);
		copy[i].source_pool = xstrdup(disks[i].source_pool);
		copy[i].source_volume = xstrdup(disks[i].source_volume);
		copy[i].source_path = xstrdup(disks[i].source_path);
		copy[i].target_pool = xstrdup(disks[i].target_pool);
		copy[i].target_volume = xstrdup(disks[i].target_volume);
		copy[i].target_path = xstrdup(disks[i].target_path);
		copy[i].backing_path = xstrdup(disks[i].backing_path);
	}
	return copy;
}

void hv_disks_free(struct hv_disk *disks, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(disks[i].target);
		free(disks[i].source_pool);
		free(disks[i].source_volume);
		free(disks[i].source_path);
		free(disks[i].target_pool);
		free(disks[i].target_volume);
		free(disks[i].target_path);
		free(disks[i].backing_path);
	}
	free(disks);
}

static struct name_map *maps_copy(const struct name_map *maps, size_t n)
{
	struct name_map *copy = NULL;
	size_t done = 0;

	while (done < n)
		name_map_add(&copy, &done, maps[done].from, maps[done].to);
	return copy;
}

static void maps_free(const struct name_map *maps, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(maps[i].from);
		free(maps[i].to);
	}
	free((void *)(uintptr_t)maps);
}

static const char *const *texts_copy(const char *const *texts, size_t n)
{
	char **copy = n > 0 ? xcalloc(n, sizeof *copy) : NULL;
	size_t i;

	for (i = 0; i < n; i++)
		copy[i] = xstrdup(texts[i]);
	return (const char *const *)copy;
}

static void texts_free(const char *const *texts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free((void *)(uintptr_t)texts[i]);
	free((void *)(uintptr_t)texts);
}

struct hv_request *hv_request_copy(const struct hv_request *request)
{
	struct hv_request *copy = xmalloc(sizeof *copy);

	*copy = *request;
	copy->guest = xstrdup(request->guest);
	copy->uuid = xstrdup(request->uuid);
	copy->host = xstrdup(request->host);
	copy->target = xstrdup(request->target);
	copy->target_address = xstrdup(request->target_address);
	copy->disks = hv_disks_copy(request->disks, request->n_disks);
	copy->nets = maps_copy(request->nets, request->n_nets);
	copy->pools = maps_copy(request->pools, request->n_pools);
	copy->known = texts_copy(request->known, request->n_known);
	return copy;
}

void hv_request_free(struct hv_request *request)
{
	if (request == NULL)
		return;
	free((void *)(uintptr_t)request->guest);
	free((void *)(uintptr_t)request->uuid);
	free((void *)(uintptr_t)request->host);
	free((void *)(uintptr_t)request->target);
	free((void *)(uintptr_t)request->target_address);
	hv_disks_free((struct hv_disk *)(uintptr_t)request->disks, request->n_disks);
	maps_free(request->nets, request->n_nets);
	maps_free(request->pools, request->n_pools);
	texts_free(request->known, request->n_known);
	free(request);
}

void hv_reply_clear(struct hv_reply *reply)
{
	hv_disks_free(reply->preflight.disks, reply->preflight.n_disks);
	hv_disks_free(reply->disks, reply->n_disks);
	inventory_free(reply->inventory);
	libvirt_facts_free(reply->facts);
	libvirt_pair_facts_free(reply->pair_facts);
	maps_free(reply->pools, reply->n_pools);
	*reply = (struct hv_reply){0};
}
