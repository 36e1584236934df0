/* Documents: nothing is lost on the way out and back, wrong members are named by their path, a stale plan says
 * what changed. */
#include "check.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drover/config.h"
#include "plan_doc.h"

/* Every member that the model has, with a value that is not its default. */
static const char full[] = "{\"schema\":\"drover/inventory/1\",\"future\":1,\"hosts\":["
	"{\"name\":\"h1\",\"cluster\":\"prod\",\"cordoned\":true,\"reachable\":false,\"incoming\":false,\"outgoing\":false,\"cpus\":32,"
	"\"down\":{\"code\":\"host-unreachable\",\"message\":\"no route\",\"hint\":\"look\"},"
	"\"memory_bytes\":137438953472,\"memory_reserve_bytes\":5,\"cpu_overcommit\":2.25,\"cpu_model\":\"EPYC-Rome\","
	"\"links\":[{\"address\":\"10.8.0.1/24\",\"rate_bytes_per_second\":125000000}],\"networks\":[\"br-lan\"],"
	"\"pools\":[{\"name\":\"images\",\"kind\":\"dir\",\"share_id\":\"s\",\"path\":\"/p\",\"media\":[\"a.iso\"],\"capacity_bytes\":10,\"available_bytes\":9}],"
	"\"max_incoming\":1,\"max_outgoing\":2,\"max_incoming_storage\":3,\"max_outgoing_storage\":4},"
	"{\"name\":\"h2\",\"memory_bytes\":1}],"
	"\"guests\":[{\"name\":\"Web \\\"1\\\" \u00e9\",\"uuid\":\"0A0b0c0d-0000-4000-8000-000000000001\",\"host\":\"h2\",\"state\":\"paused\","
	"\"persistent\":false,\"autostart\":true,\"vcpus\":2,\"memory_bytes\":4294967296,\"cpu_load\":0.4,\"used_memory_bytes\":3221225472,"
	"\"dirty_rate_bytes_per_second\":5000000,\"working_set_bytes\":268435456,\"cpu_model\":\"EPYC\",\"disks\":[{\"target\":\"vda\","
	"\"pool\":\"images\",\"volume\":\"v\",\"path\":\"/p/v\",\"format\":\"qcow2\",\"capacity_bytes\":7,\"allocation_bytes\":6,"
	"\"share_id\":\"nbd:x@s:1\",\"passthrough\":true,\"readonly\":true,\"may_be_missing\":true,\"may_be_missing_cold\":true,\"backing\":\"/p/base\",\"write_rate_bytes_per_second\":3}],\"interfaces\":[{\"network\":\"br-lan\"}],\"hostdevs\":1,"
	"\"priority\":-3,\"groups\":[\"web\"],\"unmovable\":{\"code\":\"guest-snapshot\",\"message\":\"has 2\"},\"cannot_move\":\"cold\",\"unmovable_cold\":{\"code\":\"guest-device\",\"message\":\"nvram\"}}],"
	"\"rules\":[{\"kind\":\"anti_affinity\",\"groups\":[\"web\"]},{\"kind\":\"only_on\",\"groups\":[\"gpu\"],\"hosts\":[\"h2\"]},"
	"{\"kind\":\"at_most_moving\",\"guests\":[\"x\"],\"count\":4}],"
	"\"migration_networks\":[{\"name\":\"m\",\"cidr\":\"10.8.0.0/24\",\"order\":2,\"rate_bytes_per_second\":8,\"reserve_percent\":20}],"
	"\"shared_links\":[{\"name\":\"wan\",\"hosts\":[\"h1\",\"h2\"],\"rate_bytes_per_second\":77}]}";

static struct inventory *parse(const char *text)
{
	struct error err;
	struct inventory *inventory = inventory_parse(text, strlen(text), "t.json", &err);

	if (inventory == NULL)
		fail_msg("%s", err.message);
	return inventory;
}

static void no_member_is_lost_on_the_way_out_and_back(void **state)
{
	struct inventory *first = parse(full), *second;
	char *once = inventory_json(first), *twice;
	json_t *in = json_loads(full, 0, NULL), *out = json_loads(once, 0, NULL);
	const char *key;
	json_t *value;

	(void)state;
	second = parse(once);
	twice = inventory_json(second);
	assert_string_equal(once, twice);
	json_object_foreach(json_array_get(json_object_get(in, "hosts"), 0), key, value)
		if (!json_equal(value, json_object_get(json_array_get(json_object_get(out, "hosts"), 0), key)))
			fail_msg("hosts[0].%s differs", key);
	json_object_foreach(json_array_get(json_object_get(in, "guests"), 0), key, value)
		if (!json_equal(value, json_object_get(json_array_get(json_object_get(out, "guests"), 0), key)) &&
			strcmp(key, "uuid") != 0 && strncmp(key, "unmovable", 9) != 0) /* made lower case; gains its default hint */
			fail_msg("guests[0].%s differs", key);
	assert_true(json_equal(json_object_get(in, "migration_networks"), json_object_get(out, "migration_networks")));
	assert_true(json_equal(json_object_get(in, "shared_links"), json_object_get(out, "shared_links")));
	assert_int_equal(first->guests[0].cpu_load_milli, 400);
	assert_int_equal(first->guests[0].host, 1);
	assert_string_equal(first->guests[0].uuid, "0a0b0c0d-0000-4000-8000-000000000001");
	assert_int_equal(first->guests[0].unmovable->code, ERR_GUEST_SNAPSHOT);
	assert_int_equal(first->guests[0].unmovable_cold->code, ERR_GUEST_DEVICE);
	assert_int_equal(first->rules[2].count, 4);
	json_decref(in);
	json_decref(out);
	free(once);
	free(twice);
	inventory_free(first);
	inventory_free(second);
}

static void what_is_not_said_has_the_defaults_of_the_contract(void **state)
{
	struct inventory *inventory = parse("{\"schema\":\"drover/inventory/1\",\"hosts\":[{\"name\":\"h\",\"memory_bytes\":1.5e9}],"
		"\"guests\":[{\"name\":\"g\",\"host\":\"h\",\"memory_bytes\":5,\"disks\":null,\"cpu_model\":null}]}");

	(void)state;
	assert_true(inventory->hosts[0].reachable && inventory->hosts[0].incoming && inventory->hosts[0].outgoing);
	assert_int_equal(inventory->hosts[0].memory_bytes, 1500000000);
	assert_int_equal(inventory->hosts[0].cpu_overcommit_milli, 4000);
	assert_int_equal(inventory->guests[0].vcpus, 1);
	assert_int_equal(inventory->guests[0].state, GUEST_RUNNING);
	assert_true(inventory->guests[0].persistent);
	inventory_free(inventory);
}

static void assert_wrong(const char *body, const char *first, const char *second)
{
	char text[2048];
	struct error err;

	snprintf(text, sizeof text, body[0] == '{' ? "%s" : "{\"schema\":\"drover/inventory/1\",%s}", body);
	error_clear(&err);
	if (inventory_parse(text, strlen(text), "t.json", &err) != NULL)
		fail_msg("accepted: %s", text);
	assert_int_equal(err.code, ERR_INPUT);
	if (strstr(err.message, first) == NULL || strstr(err.message, second) == NULL)
		fail_msg("\"%s\" does not say \"%s\" and \"%s\"", err.message, first, second);
}

#define HOSTS "\"hosts\":[{\"name\":\"h\",\"memory_bytes\":1}]"

static void wrong_members_are_named_by_their_path(void **state)
{
	(void)state;
	assert_wrong("{\"schema\":", "t.json:1:", "");
	assert_wrong("{}", "schema: is missing", "drover/inventory/1");
	assert_wrong("{\"schema\":\"drover/plan/1\"}", "drover/inventory/1", "drover/plan/1");
	assert_wrong("{\"schema\":\"drover/inventory/1\",\"schema\":\"drover/inventory/1\"}", "duplicate", "t.json:1:");
	assert_wrong("\"hosts\":{}", "hosts: must be an array", "an object");
	assert_wrong("\"hosts\":[7]", "hosts[0]: must be an object", "a number");
	assert_wrong("\"hosts\":[{\"name\":\"h\"}]", "hosts[0].memory_bytes", "missing");
	assert_wrong("\"hosts\":[{\"name\":\"\",\"memory_bytes\":1}]", "hosts[0].name", "empty");
	assert_wrong("\"hosts\":[{\"name\":\"a\\nb\",\"memory_bytes\":1}]", "hosts[0].name", "control");
	assert_wrong("\"hosts\":[{\"name\":\"h\",\"memory_bytes\":\"1\"}]", "hosts[0].memory_bytes: must be a number", "a string");
	assert_wrong("\"hosts\":[{\"name\":\"h\",\"memory_bytes\":-1}]", "hosts[0].memory_bytes: -1 is out of range", "");
	assert_wrong("\"hosts\":[{\"name\":\"h\",\"memory_bytes\":1.5}]", "hosts[0].memory_bytes", "whole number");
	assert_wrong("\"hosts\":[{\"name\":\"h\",\"memory_bytes\":99999999999999999999}]", "t.json:1:", "too big");
	assert_wrong("\"hosts\":[{\"name\":\"h\",\"memory_bytes\":1,\"cpus\":4294967296}]", "hosts[0].cpus", "out of range");
	assert_wrong("\"hosts\":[{\"name\":\"h\",\"memory_bytes\":1,\"cpu_overcommit\":-1}]", "hosts[0].cpu_overcommit", "out of range");
	assert_wrong("\"hosts\":[{\"name\":\"h\",\"memory_bytes\":1,\"cordoned\":\"no\"}]", "hosts[0].cordoned", "true or false");
	assert_wrong("\"hosts\":[{\"name\":\"h\",\"memory_bytes\":1},{\"name\":\"h\",\"memory_bytes\":1}]", "hosts[1].name", "listed twice");
	assert_wrong(HOSTS ",\"guests\":[{\"name\":\"g\",\"host\":\"x\",\"memory_bytes\":1}]", "guests[0].host", "not among the hosts");
	assert_wrong(HOSTS ",\"guests\":[{\"name\":\"g\",\"host\":\"h\",\"memory_bytes\":1,\"uuid\":\"7\"}]", "guests[0].uuid", "not a UUID");
	assert_wrong(HOSTS ",\"guests\":[{\"name\":\"g\",\"host\":\"h\",\"memory_bytes\":1,\"groups\":[\"a\",3]}]", "guests[0].groups[1]", "string");
	assert_wrong(HOSTS ",\"guests\":[{\"name\":\"g\",\"host\":\"h\",\"memory_bytes\":1,\"disks\":[{\"pool\":\"p\"}]}]", "guests[0].disks[0].target", "missing");
	assert_wrong(HOSTS ",\"rules\":[{\"kind\":\"near\"}]", "rules[0].kind", "anti_affinity");
	assert_wrong(HOSTS ",\"guests\":[{\"name\":\"g\",\"host\":\"h\",\"memory_bytes\":1,\"unmovable\":{\"code\":\"bad-luck\"}}]",
		"guests[0].unmovable.code", "not an error code");
}

static struct request *some_request(void)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct wanted_move *move = request_add_move(request, "Web \"1\" \u00e9");

	strings_add(&request->hosts, &request->n_hosts, "h1");
	name_map_add(&request->nets, &request->n_nets, "a", "b");
	request->reason = strdup("two\nlines");
	request->name = strdup("racks");
	request->to_pool = strdup("fast");
	move->from = strdup("h2");
	move->to = strdup("h1");
	move->where = strdup("moves.csv line 2");
	move->priority = -4;
	move->not_before_wall_ms = 1795401900125;
	move->max_rate_bytes_per_s = 99;
	move->cannot_move = CANNOT_MOVE_COLD;
	name_map_add(&move->pools, &move->n_pools, "target:vda", "slow");
	return request;
}

static void requests_come_back_as_they_were(void **state)
{
	struct request *request = some_request(), *back;
	char *once = request_json(request), *twice;
	struct error err;

	(void)state;
	back = request_parse(once, &err);
	if (back == NULL)
		fail_msg("%s", err.message);
	twice = request_json(back);
	assert_string_equal(once, twice);
	assert_string_equal(back->reason, "two\nlines");
	assert_int_equal(back->moves[0].not_before_wall_ms, 1795401900125);
	assert_string_equal(back->moves[0].pools[0].to, "slow");
	assert_int_equal(back->moves[0].cannot_move, CANNOT_MOVE_COLD);
	assert_refused(request_parse("{\"schema\":\"drover/request/1\",\"kind\":\"dance\"}", &err) != NULL, err, ERR_INPUT);
	free(once);
	free(twice);
	request_free(request);
	request_free(back);
}

static struct plan *some_plan(const struct inventory *inventory)
{
	struct plan *plan = calloc(1, sizeof *plan);

	plan->kind = REQUEST_BATCH;
	plan->n_moves = 1;
	plan->moves = calloc(1, sizeof *plan->moves);
	plan->moves[0] = (struct planned_move){.guest = 0, .source = 1, .target = 0, .wanted = 0, .kind = MOVE_MIXED, .start_ms = 1500,
		.duration_ms = 60001, .duration_low_ms = 50000, .duration_high_ms = 70010, .bytes = 12345678901, .disk_bytes = 7,
		.rate_bytes_per_s = 5, .rate_is_assumed = true, .downtime_ms = 30, .network = 0, .after = INDEX_NONE, .reason = "most room"};
	plan->n_blocked = 1;
	plan->blocked = calloc(1, sizeof *plan->blocked);
	plan->blocked[0] = (struct blocked_guest){.guest = INDEX_NONE, .name = strdup("gone")};
	error_set(&plan->blocked[0].error, ERR_UNKNOWN_GUEST, "no guest is named gone");
	plan->n_warnings = 1;
	plan->warnings = calloc(1, sizeof *plan->warnings);
	error_set(&plan->warnings[0].error, ERR_WILL_NOT_CONVERGE, "it writes 9.0 MB/s");
	error_hint(&plan->warnings[0].error, "another network");
	plan->makespan_ms = 61501;
	plan->makespan_low_ms = 51000;
	plan->makespan_high_ms = 72000;
	plan->lower_bound_ms = 60000;
	plan->bottleneck_host = 1;
	plan->bottleneck_direction = DIRECTION_OUT;
	plan->bottleneck_guest = 0;
	strcpy(plan->bottleneck_text, "h2 sends 12 GB");
	strcpy(plan->last_text, "b ends last");
	inventory_digest(inventory, plan->inventory_digest);
	return plan;
}

static void plans_come_back_as_they_were(void **state)
{
	struct inventory *inventory = parse(full);
	struct plan *plan = some_plan(inventory), *back = NULL;
	struct request *request = some_request(), *request_back = NULL;
	char *once = plan_json(plan, inventory, request), *twice;
	struct error err;

	(void)state;
	assert_done(plan_parse(once, strlen(once), "p.json", inventory, &back, &request_back, &err), err);
	twice = plan_json(back, inventory, request_back);
	assert_string_equal(once, twice);
	assert_int_equal(back->moves[0].duration_ms, 60001);
	assert_int_equal(back->moves[0].after, INDEX_NONE);
	assert_true(back->moves[0].rate_is_assumed);
	assert_int_equal(back->n_warnings, 1);
	assert_string_equal(back->warnings[0].error.hint, "another network");
	assert_non_null(strstr(once, "\"start_seconds\":1.5,\"duration_seconds\":60.001"));
	free(once);
	free(twice);
	plan_free(plan);
	plan_free(back);
	request_free(request);
	request_free(request_back);
	inventory_free(inventory);
}

static void assert_stale(const char *plan, const char *text, const char *first, const char *second)
{
	struct inventory *now = parse(text);
	struct plan *back;
	struct request *request;
	struct error err;

	assert_refused(plan_parse(plan, strlen(plan), "p.json", now, &back, &request, &err), err, ERR_PLAN_STALE);
	if (strstr(err.message, first) == NULL || strstr(err.message, second) == NULL)
		fail_msg("\"%s\" does not say \"%s\" and \"%s\"", err.message, first, second);
	inventory_free(now);
}

#define WORLD(host2, guests) "{\"schema\":\"drover/inventory/1\",\"hosts\":[{\"name\":\"h1\",\"memory_bytes\":9},{\"name\":\"h2\",\"memory_bytes\":9" host2 \
	"},{\"name\":\"h3\",\"memory_bytes\":9}],\"guests\":[" guests "]}"
#define GUEST(name, host, more) "{\"name\":\"" name "\",\"host\":\"" host "\",\"memory_bytes\":5" more "}"

static void a_stale_plan_says_what_changed(void **state)
{
	struct inventory *then = parse(WORLD("", GUEST("web1", "h1", "") "," GUEST("db", "h2", "")));
	struct request *request = request_new(REQUEST_DRAIN);
	struct plan *plan = calloc(1, sizeof *plan);
	char *text;

	(void)state;
	plan->bottleneck_host = INDEX_NONE;
	inventory_digest(then, plan->inventory_digest);
	text = plan_json(plan, then, request);
	assert_stale(text, WORLD(",\"cordoned\":true", GUEST("web1", "h3", "") "," GUEST("db", "h2", "")),
		"guest web1 moved from h1 to h3", "host h2 is cordoned now");
	assert_stale(text, WORLD("", GUEST("web1", "h1", "")), "guest db is gone", "");
	assert_stale(text, WORLD("", GUEST("web1", "h1", "") "," GUEST("db", "h2", "") "," GUEST("new", "h3", "")), "guest new is new on h3", "");
	assert_stale(text, WORLD("", GUEST("web1", "h1", ",\"vcpus\":3") "," GUEST("db", "h2", ",\"state\":\"shutoff\"")),
		"guest web1: vcpus is 3 now, was 1", "guest db is shutoff now, not running");
	assert_stale(text, WORLD(",\"reachable\":false", GUEST("web1", "h1", ",\"disks\":[{\"target\":\"vda\",\"capacity_bytes\":4}]") "," GUEST("db", "h2", "")),
		"host h2 does not answer now", "disks is");
	free(text);
	plan_free(plan);
	request_free(request);
	inventory_free(then);
}

static void a_plan_that_was_tampered_with_is_refused(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} cases[] = {
		{"\"target\":\"h1\"", "\"target\":\"h9\"", "moves[0].target"},
		{"\"target\":\"h1\"", "\"target\":\"h2\"", "is the source"},
		{"\"source\":\"h2\"", "\"source\":\"h1\"", "is the source"},
		{"\"kind\":\"mixed\"", "\"kind\":\"magic\"", "moves[0].kind"},
		{"\"duration_seconds\":60.001", "\"duration_seconds\":-1", "moves[0].duration_seconds"},
		{"\"wanted\":0", "\"wanted\":5", "line 5"},
		{"\"converges\":false", "\"after\":0", "cannot be"},
		{"\"network\":\"m\"", "\"network\":\"n\"", "moves[0].network"},
		{"\"will-not-converge\"", "\"will\"", "warnings[0].code"},
		{"\"warnings\": [", "\"warnings\": [{\"guest\":\"gone\",\"code\":\"none\"},", "warnings[0].guest"},
	};
	struct inventory *inventory = parse(full);
	struct plan *plan = some_plan(inventory), *back;
	struct request *request = some_request(), *request_back;
	char *text = plan_json(plan, inventory, request);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *at = strstr(text, cases[i].from);
		char *wrong = malloc(strlen(text) + 64);
		struct error err;

		assert_non_null(at);
		sprintf(wrong, "%.*s%s%s", (int)(at - text), text, cases[i].to, at + strlen(cases[i].from));
		assert_refused(plan_parse(wrong, strlen(wrong), "p.json", inventory, &back, &request_back, &err), err, ERR_INPUT);
		if (strstr(err.message, cases[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].says);
		free(wrong);
	}
	free(text);
	plan_free(plan);
	request_free(request);
	inventory_free(inventory);
}

static void a_report_puts_plan_and_measurement_side_by_side(void **state)
{
	char *const nobody = NULL;
	struct batch_record batch = {.id = 7, .kind = REQUEST_DRAIN, .state = BATCH_SOME_LEFT, .title = (char[]){"drain h1"}, .reason = nobody,
		.created_wall_ms = 1795401900000, .ended_wall_ms = 1795401960500, .planned_makespan_ms = 61000, .lower_bound_ms = 50000};
	struct move_record done = {.id = 1, .guest = (char[]){"a"}, .source = (char[]){"h1"}, .target = (char[]){"h2"}, .state = MOVE_DONE,
		.attempts = 1, .rounds = 3, .started_wall_ms = 1795401901250, .ended_wall_ms = 1795401911250, .bytes_transferred = 100,
		.measured_downtime_ms = 12, .planned_duration_ms = 9000};
	struct move_record failed = {.id = 2, .guest = (char[]){"b"}, .source = (char[]){"h1"}, .target = (char[]){"h3"}, .state = MOVE_FAILED,
		.bytes_transferred = 11, .measured_downtime_ms = -1};
	const struct move_record *moves[] = {&done, &failed};
	json_t *report, *move;
	char *text;

	(void)state;
	error_set(&failed.error, ERR_MIGRATE_FAILED, "broken pipe");
	text = report_json(&batch, moves, 2, 0);
	report = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(report);
	assert_string_equal(json_string_value(json_object_get(report, "schema")), "drover/report/1");
	assert_true(json_number_value(json_object_get(report, "makespan_seconds")) == 60.5);
	assert_int_equal(json_integer_value(json_object_get(report, "bytes_transferred")), 111);
	assert_string_equal(json_string_value(json_object_get(report, "created_time")), "2026-11-23T02:45:00Z");
	move = json_array_get(json_object_get(report, "moves"), 0);
	assert_true(json_number_value(json_object_get(move, "actual_start_seconds")) == 1.25);
	assert_int_equal(json_integer_value(json_object_get(move, "actual_duration_seconds")), 10);
	assert_true(json_number_value(json_object_get(move, "measured_downtime_seconds")) == 0.012);
	move = json_array_get(json_object_get(report, "moves"), 1);
	assert_true(json_is_null(json_object_get(move, "measured_downtime_seconds")));
	assert_true(json_is_null(json_object_get(move, "actual_start_seconds")));
	move = json_array_get(json_object_get(report, "blocked"), 0);
	assert_string_equal(json_string_value(json_object_get(move, "code")), "migrate-failed");
	json_decref(report);
	free(text);
}

static void names_that_are_not_utf_8_still_make_a_valid_document(void **state)
{
	struct inventory *inventory = inventory_new();
	json_t *root;
	char *text;

	(void)state;
	inventory_add_host(inventory, "h\xff\x01")->memory_bytes = 1;
	text = inventory_json(inventory);
	root = json_loads(text, 0, NULL);
	assert_non_null(root);
	json_decref(root);
	free(text);
	inventory_free(inventory);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_member_is_lost_on_the_way_out_and_back),
		cmocka_unit_test(what_is_not_said_has_the_defaults_of_the_contract),
		cmocka_unit_test(wrong_members_are_named_by_their_path),
		cmocka_unit_test(requests_come_back_as_they_were),
		cmocka_unit_test(plans_come_back_as_they_were),
		cmocka_unit_test(a_stale_plan_says_what_changed),
		cmocka_unit_test(a_plan_that_was_tampered_with_is_refused),
		cmocka_unit_test(a_report_puts_plan_and_measurement_side_by_side),
		cmocka_unit_test(names_that_are_not_utf_8_still_make_a_valid_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
