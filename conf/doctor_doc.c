/* The document of a check-up (drover/doctor/1): every check on every subject, well or not, and the ways that moves would take. */
#include <stdlib.h>

#include "json.h"

#include "drover/config.h"

#define SCHEMA "drover/doctor/1"

static void write_path(struct json_writer *writer, const struct doctor_facts *facts, uint32_t source, uint32_t target)
{
	const struct inventory *inventory = facts->inventory;
	const struct pair_facts *pair = &facts->pairs[source * inventory->n_hosts + target];
	struct doctor_path path;

	if (!doctor_path(inventory, source, target, &path, NULL))
		return;
	json_open(writer, NULL, '{');
	json_put_text(writer, "source", inventory->hosts[source].name);
	json_put_text(writer, "target", inventory->hosts[target].name);
	json_put_text(writer, "network", path.network);
	json_put_text(writer, "source_address", path.source_address);
	json_put_text(writer, "target_address", path.target_address);
	json_put_text(writer, "interface", pair->route_interface);
	json_close(writer, '}');
	doctor_path_clear(&path);
}

static void write_paths(struct json_writer *writer, const struct doctor_facts *facts)
{
	uint32_t n = (uint32_t)facts->inventory->n_hosts;

	json_open(writer, "paths", '[');
	for (uint32_t source = 0; source < n; source++)
		for (uint32_t target = 0; target < n; target++)
			if (doctor_wants_pair(facts, source, target))
				write_path(writer, facts, source, target);
	json_close(writer, ']');
}

static void write_finding(struct json_writer *writer, const struct inventory *inventory, const struct finding *finding)
{
	char *object = finding_object(inventory, finding);

	json_open(writer, NULL, '{');
	json_put_text(writer, "check", check_info(finding->check)->name);
	json_put_text(writer, "result", finding_level_name(finding->level));
	json_put_text(writer, "object", object);
	json_put_text(writer, "host", finding->host == INDEX_NONE ? NULL : inventory->hosts[finding->host].name);
	json_put_text(writer, "target", finding->target == INDEX_NONE ? NULL : inventory->hosts[finding->target].name);
	json_put_text(writer, "title", check_info(finding->check)->title);
	json_put_text(writer, "found", finding->found);
	json_put_text(writer, "expected", finding->expected);
	json_put_text(writer, "hint", finding->hint);
	json_close(writer, '}');
	free(object);
}

char *doctor_json(const struct doctor_facts *facts, const struct doctor_report *report, int64_t now_wall_ms)
{
	struct json_writer writer;

	json_begin(&writer, 2);
	json_open(&writer, NULL, '{');
	json_put_text(&writer, "schema", SCHEMA);
	json_put_time(&writer, "time", now_wall_ms);
	json_put_bool(&writer, "ok", report->n_of[FINDING_ERROR] == 0);
	json_put_u64(&writer, "errors", report->n_of[FINDING_ERROR]);
	json_put_u64(&writer, "warnings", report->n_of[FINDING_WARNING]);
	json_put_u64(&writer, "not_checked", report->n_of[FINDING_NOT_CHECKED]);
	write_paths(&writer, facts);
	json_open(&writer, "findings", '[');
	for (size_t i = 0; i < report->n_findings; i++)
		write_finding(&writer, facts->inventory, &report->findings[i]);
	json_close(&writer, ']');
	json_close(&writer, '}');
	return json_end(&writer);
}
