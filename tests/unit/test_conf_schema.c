/* The JSON Schemas that are shipped describe the documents that are written: nothing required is missing, nothing
 * written is undescribed, and what the schema forbids is refused by it. */
#include "check.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drover/config.h"

static char place[512]; /* where the last mismatch is */

static bool differs(const char *path, const char *why)
{
	snprintf(place, sizeof place, "%s: %s", path, why);
	return false;
}

static bool has_type(const json_t *value, const char *type)
{
	if (strcmp(type, "integer") == 0)
		return json_is_integer(value);
	if (strcmp(type, "number") == 0)
		return json_is_number(value);
	if (strcmp(type, "string") == 0)
		return json_is_string(value);
	if (strcmp(type, "boolean") == 0)
		return json_is_boolean(value);
	if (strcmp(type, "null") == 0)
		return json_is_null(value);
	if (strcmp(type, "array") == 0)
		return json_is_array(value);
	return strcmp(type, "object") == 0 && json_is_object(value);
}

static bool type_fits(const json_t *types, const json_t *value)
{
	if (types == NULL)
		return true;
	if (json_is_string(types))
		return has_type(value, json_string_value(types));
	for (size_t i = 0; i < json_array_size(types); i++)
		if (has_type(value, json_string_value(json_array_get(types, i))))
			return true;
	return false;
}

static bool value_fits(const json_t *schema, const json_t *value, const char *path)
{
	const json_t *constant = json_object_get(schema, "const"), *choices = json_object_get(schema, "enum");
	const json_t *minimum = json_object_get(schema, "minimum");
	bool found = choices == NULL;

	if (!type_fits(json_object_get(schema, "type"), value))
		return differs(path, "type");
	if (constant != NULL && !json_equal(constant, value))
		return differs(path, "const");
	for (size_t i = 0; i < json_array_size(choices); i++)
		found = found || json_equal(json_array_get(choices, i), value);
	if (!found)
		return differs(path, "enum");
	if (minimum != NULL && json_is_number(value) && json_number_value(value) < json_number_value(minimum))
		return differs(path, "minimum");
	return true;
}

/* The part of JSON Schema that ours use; members without a description are a mismatch too. */
static bool fits(const json_t *schema, json_t *value, const char *path)
{
	json_t *properties = json_object_get(schema, "properties"), *required = json_object_get(schema, "required");
	json_t *items = json_object_get(schema, "items"), *element;
	const char *key;
	char below[256];
	size_t i;

	if (!value_fits(schema, value, path))
		return false;
	json_array_foreach(required, i, element)
		if (json_is_object(value) && json_object_get(value, json_string_value(element)) == NULL)
			return differs(path, json_string_value(element));
	json_array_foreach(value, i, element) {
		snprintf(below, sizeof below, "%.200s[%zu]", path, i);
		if (items != NULL && !fits(items, element, below))
			return false;
	}
	json_object_foreach(value, key, element) {
		snprintf(below, sizeof below, "%.200s.%s", path, key);
		if (properties == NULL)
			continue;
		if (json_object_get(properties, key) == NULL)
			return differs(below, "is not in the schema");
		if (!fits(json_object_get(properties, key), element, below))
			return false;
	}
	return true;
}

static json_t *schema_of(const char *kind)
{
	char file[64];
	json_t *schema;

	snprintf(file, sizeof file, "../../conf/schema/%s.json", kind);
	schema = json_load_file(file, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(schema);
	return schema;
}

static void assert_fits(const char *kind, char *text)
{
	json_t *schema = schema_of(kind), *document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(document);
	if (!fits(schema, document, kind))
		fail_msg("%s", place);
	json_decref(schema);
	json_decref(document);
	free(text);
}

static struct inventory *full_inventory(void)
{
	struct error err;
	struct inventory *inventory = inventory_read("../fuzz/corpus/inventory/full.json", &err);

	if (inventory == NULL)
		fail_msg("%s", err.message);
	return inventory;
}

static void inventories_and_their_source_fit(void **state)
{
	struct inventory *inventory = full_inventory();
	json_t *schema = schema_of("inventory"), *members = json_object_get(schema, "properties"), *source;

	(void)state;
	assert_fits("inventory", inventory_json(inventory));
	source = json_load_file("../fuzz/corpus/inventory/full.json", 0, NULL);
	json_object_del(source, "future");
	if (!fits(schema, source, "full.json"))
		fail_msg("%s", place);
	/* and everything that the schema promises was in it */
	assert_int_equal(json_object_size(members), json_object_size(source));
	members = json_object_get(json_object_get(json_object_get(members, "guests"), "items"), "properties");
	assert_int_equal(json_object_size(members), json_object_size(json_array_get(json_object_get(source, "guests"), 0)));
	json_decref(source);
	json_decref(schema);
	inventory_free(inventory);
}

static struct request *some_request(void)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct wanted_move *move = request_add_move(request, "g");

	move->not_before_wall_ms = 1;
	name_map_add(&move->pools, &move->n_pools, "a", "b");
	name_map_add(&request->nets, &request->n_nets, "a", "b");
	return request;
}

static void plans_and_requests_fit(void **state)
{
	struct inventory *inventory = full_inventory();
	struct request *request = some_request();
	struct planned_move move = {.guest = 0, .source = 1, .target = 0, .network = 0, .after = 0, .wanted = 0};
	struct blocked_guest blocked = {.guest = INDEX_NONE, .name = (char[]){"x"}};
	struct plan_warning warning = {.move = 0};
	struct plan plan = {.moves = &move, .n_moves = 1, .blocked = &blocked, .n_blocked = 1, .warnings = &warning, .n_warnings = 1, .bottleneck_host = INDEX_NONE,
		.bottleneck_guest = INDEX_NONE};

	(void)state;
	error_set(&blocked.error, ERR_NO_TARGET, "nowhere");
	error_set(&warning.error, ERR_WILL_NOT_CONVERGE, "never");
	inventory_digest(inventory, plan.inventory_digest);
	assert_fits("plan", plan_json(&plan, inventory, request));
	move.network = move.after = move.wanted = INDEX_NONE;
	plan.bottleneck_host = 1;
	assert_fits("plan", plan_json(&plan, inventory, NULL));
	assert_fits("request", request_json(request));
	request_free(request);
	inventory_free(inventory);
}

static void reports_of_every_state_fit(void **state)
{
	struct batch_record batch = {.id = 1, .created_wall_ms = 1000};
	struct move_record move = {.guest = (char[]){"g"}, .source = (char[]){"a"}, .target = (char[]){"b"}, .measured_downtime_ms = -1};
	const struct move_record *moves[] = {&move};

	(void)state;
	for (enum move_state i = 0; i < MOVE_STATE_COUNT; i++) {
		move.state = i;
		error_set(&move.error, i % 2 == 0 ? ERR_NONE : ERR_MIGRATE_FAILED, "m");
		assert_fits("report", report_json(&batch, moves, 1, 5000));
	}
	for (enum batch_state i = 0; i < BATCH_STATE_COUNT; i++) {
		batch.state = i;
		batch.ended_wall_ms = 4000;
		move.started_wall_ms = 2000;
		assert_fits("report", report_json(&batch, moves, 1, 5000));
	}
}

/* The list of names in the schema is the table's, in its order. */
static void check_ups_fit_and_every_check_is_in_their_schema(void **state)
{
	json_t *schema = schema_of("doctor"), *names;
	struct inventory *inventory = full_inventory();
	struct doctor_facts *facts = doctor_facts_new(inventory);
	struct doctor_report *report;
	size_t i;

	(void)state;
	names = json_object_get(json_object_get(schema, "properties"), "findings");
	names = json_object_get(json_object_get(json_object_get(json_object_get(names, "items"), "properties"), "check"), "enum");
	assert_int_equal(json_array_size(names), CHECK_COUNT);
	for (i = 0; i < CHECK_COUNT; i++)
		assert_string_equal(json_string_value(json_array_get(names, i)), check_info((enum check_id)i)->name);
	facts->is_simulated = true;
	for (i = 0; i < inventory->n_hosts; i++)
		facts->hosts[i].shell_unknown = strdup("the host is simulated");
	report = doctor_examine(facts);
	assert_true(report->n_findings > CHECK_COUNT);
	assert_fits("doctor", doctor_json(facts, report, 1000));
	doctor_report_free(report);
	doctor_facts_free(facts);
	inventory_free(inventory);
	json_decref(schema);
}

static void the_check_itself_refuses_what_is_wrong(void **state)
{
	static const char *const wrong[] = {
		"{\"schema\":\"drover/inventory/2\"}",
		"{\"hosts\":[]}",
		"{\"schema\":\"drover/inventory/1\",\"hosts\":[{\"name\":\"h\"}]}",
		"{\"schema\":\"drover/inventory/1\",\"hosts\":[{\"name\":\"h\",\"memory_bytes\":-1}]}",
		"{\"schema\":\"drover/inventory/1\",\"rules\":[{\"kind\":\"near\"}]}",
		"{\"schema\":\"drover/inventory/1\",\"more\":1}",
	};
	json_t *schema = schema_of("inventory");

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		json_t *document = json_loads(wrong[i], 0, NULL);

		assert_non_null(document);
		if (fits(schema, document, "wrong"))
			fail_msg("fits: %s", wrong[i]);
		json_decref(document);
	}
	json_decref(schema);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(inventories_and_their_source_fit),
		cmocka_unit_test(plans_and_requests_fit),
		cmocka_unit_test(reports_of_every_state_fit),
		cmocka_unit_test(check_ups_fit_and_every_check_is_in_their_schema),
		cmocka_unit_test(the_check_itself_refuses_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
