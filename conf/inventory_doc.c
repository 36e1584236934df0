/* The inventory document (drover/inventory/1), both ways. One table of members for each kind of object: what
 * is written is what is read, so that inventory -o json can be fed back anywhere. */
#include <stdlib.h>
#include <string.h>

#include "drover/config.h"
#include "json.h"
#include "name_index.h"
#include "text.h"
#include "xalloc.h"

#define SCHEMA "drover/inventory/1"

enum { DOCUMENT_BYTES_MAX = 1 << 30 }; /* a million guests with a thousand bytes each */

#define M(key, kind, object, member) {key, kind, offsetof(struct object, member), 0}
#define TEXTS(key, object, member) {key, FIELD_TEXTS, offsetof(struct object, member), offsetof(struct object, n_##member)}
#define END {NULL, FIELD_BOOL, 0, 0}

static const struct json_field host_fields[] = {
	M("cluster", FIELD_TEXT, host, cluster),
	M("cordoned", FIELD_BOOL, host, cordoned),
	M("reachable", FIELD_BOOL, host, reachable),
	M("incoming", FIELD_BOOL, host, incoming),
	M("outgoing", FIELD_BOOL, host, outgoing),
	M("cpus", FIELD_U32, host, cpus),
	M("cpu_model", FIELD_TEXT, host, cpu_model),
	M("cpu_overcommit", FIELD_MILLI, host, cpu_overcommit_milli),
	M("memory_bytes", FIELD_U64, host, memory_bytes),
	M("memory_reserve_bytes", FIELD_U64, host, memory_reserve_bytes),
	M("max_incoming", FIELD_U32, host, max_incoming),
	M("max_outgoing", FIELD_U32, host, max_outgoing),
	M("max_incoming_storage", FIELD_U32, host, max_incoming_storage),
	M("max_outgoing_storage", FIELD_U32, host, max_outgoing_storage),
	TEXTS("networks", host, networks),
	END,
};
static const struct json_field link_fields[] = {M("rate_bytes_per_second", FIELD_U64, host_link, rate_bytes_per_s), END};
static const struct json_field pool_fields[] = {
	M("kind", FIELD_TEXT, pool, kind),
	M("share_id", FIELD_TEXT, pool, share_id),
	M("path", FIELD_TEXT, pool, path),
	TEXTS("media", pool, media),
	M("capacity_bytes", FIELD_U64, pool, capacity_bytes),
	M("available_bytes", FIELD_U64, pool, available_bytes),
	END,
};
static const struct json_field guest_fields[] = {
	M("persistent", FIELD_BOOL, guest, persistent),
	M("autostart", FIELD_BOOL, guest, autostart),
	M("vcpus", FIELD_U32, guest, vcpus),
	M("cpu_load", FIELD_MILLI, guest, cpu_load_milli),
	M("memory_bytes", FIELD_U64, guest, memory_bytes),
	M("used_memory_bytes", FIELD_U64, guest, used_memory_bytes),
	M("dirty_rate_bytes_per_second", FIELD_U64, guest, dirty_rate_bytes_per_s),
	M("working_set_bytes", FIELD_U64, guest, working_set_bytes),
	M("cpu_model", FIELD_TEXT, guest, cpu_model),
	M("hostdevs", FIELD_U32, guest, hostdevs),
	M("priority", FIELD_I32, guest, priority),
	TEXTS("groups", guest, groups),
	END,
};
static const struct json_field disk_fields[] = {
	M("pool", FIELD_TEXT, disk, pool),
	M("volume", FIELD_TEXT, disk, volume),
	M("path", FIELD_TEXT, disk, path),
	M("share_id", FIELD_TEXT, disk, share_id),
	M("passthrough", FIELD_BOOL, disk, passthrough),
	M("readonly", FIELD_BOOL, disk, readonly),
	M("may_be_missing", FIELD_BOOL, disk, may_be_missing),
	M("may_be_missing_cold", FIELD_BOOL, disk, may_be_missing_cold),
	M("backing", FIELD_TEXT, disk, backing),
	M("capacity_bytes", FIELD_U64, disk, capacity_bytes),
	M("allocation_bytes", FIELD_U64, disk, allocation_bytes),
	M("write_rate_bytes_per_second", FIELD_U64, disk, write_rate_bytes_per_s),
	END,
};
static const struct json_field rule_fields[] = {
	TEXTS("groups", rule, groups),
	TEXTS("guests", rule, guests),
	TEXTS("hosts", rule, hosts),
	M("count", FIELD_U32, rule, count),
	END,
};
static const struct json_field network_fields[] = {
	M("cidr", FIELD_TEXT, migration_network, cidr),
	M("order", FIELD_I32, migration_network, order),
	M("rate_bytes_per_second", FIELD_U64, migration_network, rate_bytes_per_s),
	M("reserve_percent", FIELD_U32, migration_network, reserve_percent),
	END,
};
static const struct json_field shared_link_fields[] = {
	TEXTS("hosts", shared_link, hosts),
	M("rate_bytes_per_second", FIELD_U64, shared_link, rate_bytes_per_s),
	END,
};

/* ---- reading ---- */

struct reading {
	struct inventory *inventory;
	struct name_index *hosts;
	struct host *host;   /* the one being read */
	struct guest *guest;
};

static bool read_link(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	const char *address;

	return json_need_text(reader, element, "address", &address) &&
		json_read_fields(reader, element, link_fields, host_add_link(reading->host, address));
}

static bool read_pool(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	const char *name;

	if (!json_need_text(reader, element, "name", &name))
		return false;
	if (host_pool(reading->host, name) != NULL)
		return json_wrong(reader, "name", "pool %s is listed twice", name);
	return json_read_fields(reader, element, pool_fields, host_add_pool(reading->host, name));
}

static bool read_host(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	struct inventory *inventory = reading->inventory;
	const char *name;

	if (!json_need_text(reader, element, "name", &name))
		return false;
	if (inventory->n_hosts == INVENTORY_HOSTS_MAX)
		return json_wrong(reader, NULL, "more than %d hosts", INVENTORY_HOSTS_MAX);
	if (json_object_get(element, "memory_bytes") == NULL)
		return json_wrong(reader, "memory_bytes", "is missing; a host needs it");
	/* The key lives in the document, which outlives the index. */
	if (name_index_add(reading->hosts, name, (uint32_t)inventory->n_hosts) != INDEX_NONE)
		return json_wrong(reader, "name", "host %s is listed twice", name);
	reading->host = inventory_add_host(inventory, name);
	return json_read_fields(reader, element, host_fields, reading->host) &&
		json_get_error(reader, element, "down", &reading->host->down) &&
		json_each(reader, element, "links", read_link, reading) && json_each(reader, element, "pools", read_pool, reading);
}

static bool read_disk(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	const char *target, *format = NULL;
	struct disk *disk;

	if (!json_need_text(reader, element, "target", &target) || !json_get_text(reader, element, "format", NAME_BYTES_MAX, &format))
		return false;
	if (reading->guest->n_disks == DISKS_MAX)
		return json_wrong(reader, NULL, "more than %d disks", DISKS_MAX);
	for (size_t i = 0; i < reading->guest->n_disks; i++)
		if (strcmp(reading->guest->disks[i].target, target) == 0)
			return json_wrong(reader, "target", "disk %s is listed twice", target);
	disk = guest_add_disk(reading->guest, target);
	if (format != NULL)
		disk->format = disk_format_by_name(format);
	return json_read_fields(reader, element, disk_fields, disk);
}

static bool read_interface(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	const char *network;

	if (!json_need_text(reader, element, "network", &network))
		return false;
	strings_add(&reading->guest->interfaces, &reading->guest->n_interfaces, network);
	return true;
}

static bool is_uuid(const char *text)
{
	for (int i = 0; i < UUID_TEXT_SIZE - 1; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? text[i] != '-' : strchr("0123456789abcdefABCDEF", text[i]) == NULL || text[i] == '\0')
			return false;
	}
	return text[UUID_TEXT_SIZE - 1] == '\0';
}

/* Lower case, as libvirt prints it: the UUID is compared as text. */
static bool read_uuid(struct json_reader *reader, const json_t *element, struct guest *guest)
{
	const char *uuid = NULL;

	if (!json_get_text(reader, element, "uuid", NAME_BYTES_MAX, &uuid))
		return false;
	if (uuid == NULL)
		return true;
	if (!is_uuid(uuid))
		return json_wrong(reader, "uuid", "\"%s\" is not a UUID", uuid);
	for (int i = 0; i < UUID_TEXT_SIZE; i++)
		guest->uuid[i] = (char)(uuid[i] >= 'A' && uuid[i] <= 'F' ? uuid[i] - 'A' + 'a' : uuid[i]);
	return true;
}

static bool read_state(struct json_reader *reader, const json_t *element, struct guest *guest)
{
	const char *state = NULL;

	if (!json_get_text(reader, element, "state", NAME_BYTES_MAX, &state))
		return false;
	if (state == NULL)
		return true;
	for (enum guest_state i = GUEST_RUNNING; i <= GUEST_OTHER; i++)
		if (strcmp(guest_state_name(i), state) == 0) {
			guest->state = i;
			return true;
		}
	return json_wrong(reader, "state", "\"%s\" is not running, paused, shutoff or other", state);
}

static bool read_refusal(struct json_reader *reader, const json_t *element, const char *key, struct error **ret_refusal)
{
	struct error refusal;

	error_clear(&refusal);
	if (!json_get_error(reader, element, key, &refusal))
		return false;
	if (refusal.code != ERR_NONE)
		*error_own(ret_refusal) = refusal;
	return true;
}

static bool read_cannot_move(struct json_reader *reader, const json_t *element, struct guest *guest)
{
	const char *name = NULL;

	if (!json_get_text(reader, element, "cannot_move", NAME_BYTES_MAX, &name))
		return false;
	if (name == NULL)
		return true;
	guest->cannot_move = cannot_move_by_name(name);
	return guest->cannot_move != CANNOT_MOVE_UNSAID || json_wrong(reader, "cannot_move", "\"%s\" is not leave, shutdown or cold", name);
}

static bool read_guest(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	struct inventory *inventory = reading->inventory;
	const char *name, *host;
	uint32_t at;

	if (!json_need_text(reader, element, "name", &name) || !json_need_text(reader, element, "host", &host))
		return false;
	if (inventory->n_guests == INVENTORY_GUESTS_MAX)
		return json_wrong(reader, NULL, "more than %d guests", INVENTORY_GUESTS_MAX);
	at = name_index_find(reading->hosts, host);
	if (at == INDEX_NONE)
		return json_wrong(reader, "host", "guest %s is on host %s, which is not among the hosts", name, host);
	if (json_object_get(element, "memory_bytes") == NULL)
		return json_wrong(reader, "memory_bytes", "is missing; guest %s needs it", name);
	reading->guest = inventory_add_guest(inventory, name, at);
	if (!json_read_fields(reader, element, guest_fields, reading->guest))
		return false;
	if (reading->guest->n_groups > GROUPS_MAX)
		return json_wrong(reader, "groups", "guest %s is in %zu groups; at most %d are allowed", name, reading->guest->n_groups, GROUPS_MAX);
	return read_uuid(reader, element, reading->guest) && read_state(reader, element, reading->guest) &&
		read_cannot_move(reader, element, reading->guest) && read_refusal(reader, element, "unmovable", &reading->guest->unmovable) &&
		read_refusal(reader, element, "unmovable_cold", &reading->guest->unmovable_cold) &&
		json_each(reader, element, "disks", read_disk, reading) && json_each(reader, element, "interfaces", read_interface, reading);
}

static bool read_rule(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	const char *kind;

	if (!json_need_text(reader, element, "kind", &kind))
		return false;
	for (enum rule_kind i = RULE_ANTI_AFFINITY; i <= RULE_AT_MOST_MOVING; i++)
		if (strcmp(rule_kind_name(i), kind) == 0)
			return json_read_fields(reader, element, rule_fields, inventory_add_rule(reading->inventory, i));
	return json_wrong(reader, "kind", "\"%s\" is not anti_affinity, affinity, only_on, never_on or at_most_moving", kind);
}

static bool read_network(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	const char *name, *cidr;

	return json_need_text(reader, element, "name", &name) && json_need_text(reader, element, "cidr", &cidr) &&
		json_read_fields(reader, element, network_fields, inventory_add_network(reading->inventory, name));
}

static bool read_shared_link(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	const char *name;

	return json_need_text(reader, element, "name", &name) &&
		json_read_fields(reader, element, shared_link_fields, inventory_add_shared_link(reading->inventory, name));
}

static bool read_all(struct json_reader *reader, const json_t *root, struct inventory *inventory)
{
	struct reading reading = {.inventory = inventory, .hosts = name_index_new(json_array_size(json_object_get(root, "hosts")))};
	bool ok = json_each(reader, root, "hosts", read_host, &reading) && json_each(reader, root, "guests", read_guest, &reading) &&
		json_each(reader, root, "rules", read_rule, &reading) &&
		json_each(reader, root, "migration_networks", read_network, &reading) &&
		json_each(reader, root, "shared_links", read_shared_link, &reading);

	name_index_free(reading.hosts);
	return ok;
}

struct inventory *inventory_parse(const char *text, size_t n, const char *name, struct error *err)
{
	struct json_reader reader = {.name = name, .err = err};
	struct inventory *inventory;
	json_t *root = json_load_document(&reader, text, n, SCHEMA);
	bool ok;

	if (root == NULL)
		return NULL;
	inventory = inventory_new();
	ok = read_all(&reader, root, inventory);
	json_decref(root);
	if (ok && !inventory_seal(inventory, err))
		ok = error_wrap(err, "%s", name);
	if (ok)
		return inventory;
	inventory_free(inventory);
	return NULL;
}

struct inventory *inventory_read(const char *file, struct error *err)
{
	const char *name = strcmp(file, "-") == 0 ? "stdin" : file;
	struct inventory *inventory = NULL;
	struct text text;

	if (!text_read(file, DOCUMENT_BYTES_MAX, &text, err))
		return NULL;
	if (text.was_cut)
		error_set(err, ERR_LIMIT, "%s: is longer than %d MiB", name, DOCUMENT_BYTES_MAX >> 20);
	else
		inventory = inventory_parse(text.data, text.n, name, err);
	free(text.data);
	return inventory;
}

/* ---- writing ---- */

static void write_host(struct json_writer *writer, const struct host *host)
{
	json_open(writer, NULL, '{');
	json_put_text(writer, "name", host->name);
	json_write_fields(writer, host_fields, host);
	if (host->down.code != ERR_NONE)
		json_put_error(writer, "down", &host->down);
	json_open(writer, "links", '[');
	for (size_t i = 0; i < host->n_links; i++) {
		json_open(writer, NULL, '{');
		json_put_text(writer, "address", host->links[i].address);
		json_write_fields(writer, link_fields, &host->links[i]);
		json_close(writer, '}');
	}
	json_close(writer, ']');
	json_open(writer, "pools", '[');
	for (size_t i = 0; i < host->n_pools; i++) {
		json_open(writer, NULL, '{');
		json_put_text(writer, "name", host->pools[i].name);
		json_write_fields(writer, pool_fields, &host->pools[i]);
		json_close(writer, '}');
	}
	json_close(writer, ']');
	json_close(writer, '}');
}

static void write_disk(struct json_writer *writer, const struct disk *disk)
{
	json_open(writer, NULL, '{');
	json_put_text(writer, "target", disk->target);
	json_put_text(writer, "format", disk_format_name(disk->format));
	json_write_fields(writer, disk_fields, disk);
	json_close(writer, '}');
}

static void write_guest(struct json_writer *writer, const struct inventory *inventory, const struct guest *guest)
{
	json_open(writer, NULL, '{');
	json_put_text(writer, "name", guest->name);
	if (guest->uuid[0] != '\0')
		json_put_text(writer, "uuid", guest->uuid);
	json_put_text(writer, "host", inventory->hosts[guest->host].name);
	json_put_text(writer, "state", guest_state_name(guest->state));
	json_write_fields(writer, guest_fields, guest);
	if (guest->unmovable != NULL)
		json_put_error(writer, "unmovable", guest->unmovable);
	if (guest->unmovable_cold != NULL)
		json_put_error(writer, "unmovable_cold", guest->unmovable_cold);
	if (guest->cannot_move != CANNOT_MOVE_UNSAID)
		json_put_text(writer, "cannot_move", cannot_move_name(guest->cannot_move));
	json_open(writer, "disks", '[');
	for (size_t i = 0; i < guest->n_disks; i++)
		write_disk(writer, &guest->disks[i]);
	json_close(writer, ']');
	json_open(writer, "interfaces", '[');
	for (size_t i = 0; i < guest->n_interfaces; i++) {
		json_open(writer, NULL, '{');
		json_put_text(writer, "network", guest->interfaces[i]);
		json_close(writer, '}');
	}
	json_close(writer, ']');
	json_close(writer, '}');
}

static void write_named(struct json_writer *writer, const char *key, const char *name, const struct json_field *fields, const void *from)
{
	json_open(writer, NULL, '{');
	json_put_text(writer, key, name);
	json_write_fields(writer, fields, from);
	json_close(writer, '}');
}

static void write_environment(struct json_writer *writer, const struct inventory *inventory)
{
	json_open(writer, "rules", '[');
	for (size_t i = 0; i < inventory->n_rules; i++)
		write_named(writer, "kind", rule_kind_name(inventory->rules[i].kind), rule_fields, &inventory->rules[i]);
	json_close(writer, ']');
	json_open(writer, "migration_networks", '[');
	for (size_t i = 0; i < inventory->n_networks; i++)
		write_named(writer, "name", inventory->networks[i].name, network_fields, &inventory->networks[i]);
	json_close(writer, ']');
	json_open(writer, "shared_links", '[');
	for (size_t i = 0; i < inventory->n_shared_links; i++)
		write_named(writer, "name", inventory->shared_links[i].name, shared_link_fields, &inventory->shared_links[i]);
	json_close(writer, ']');
}

char *inventory_json(const struct inventory *inventory)
{
	struct json_writer writer;

	json_begin(&writer, 2);
	json_open(&writer, NULL, '{');
	json_put_text(&writer, "schema", SCHEMA);
	json_open(&writer, "hosts", '[');
	for (size_t i = 0; i < inventory->n_hosts; i++)
		write_host(&writer, &inventory->hosts[i]);
	json_close(&writer, ']');
	json_open(&writer, "guests", '[');
	for (size_t i = 0; i < inventory->n_guests; i++)
		write_guest(&writer, inventory, &inventory->guests[i]);
	json_close(&writer, ']');
	write_environment(&writer, inventory);
	json_close(&writer, '}');
	return json_end(&writer);
}
