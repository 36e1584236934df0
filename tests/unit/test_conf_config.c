/* The configuration: every trap of iniparser that facts are known of, and what a right file means. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drover/config.h"
#include "load.h"
#include "options.h"
#include "scan.h"
#include "scratch.h"

static struct problems problems;

static int no_problems(void **state)
{
	(void)state;
	problems_clear(&problems);
	return 0;
}

static int clean_up(void **state)
{
	scratch_clear();
	return no_problems(state);
}

static struct config *parse(const char *text)
{
	problems_clear(&problems);
	return config_parse("t.conf", text, strlen(text), &problems);
}

static void fail_with_problems(const char *what)
{
	for (size_t i = 0; i < problems.n; i++)
		print_error("%s\n", problems.errors[i].message);
	fail_msg("%s", what);
}

/* One mistake, whose message holds every one of the words given up to NULL. */
static void assert_mistake(const char *text, size_t n, const char *first, const char *second)
{
	problems_clear(&problems);
	if (config_parse("t.conf", text, n, &problems) != NULL)
		fail_msg("accepted: %s", text);
	if (problems.n != 1)
		fail_with_problems("not just one mistake");
	if (strstr(problems.errors[0].message, first) == NULL || strstr(problems.errors[0].message, second) == NULL)
		fail_msg("\"%s\" does not say \"%s\" and \"%s\"", problems.errors[0].message, first, second);
}

#define MISTAKE(text, first, second) assert_mistake(text, strlen(text), first, second)

static void post_copy_with_a_strict_handover_is_refused(void **state)
{
	(void)state;
	MISTAKE("[scheduler]\nhandover = strict\npost_copy = yes\n", "t.conf:3: [scheduler] post_copy", "handover = strict");
}

static void double_keys_are_refused_with_both_lines(void **state)
{
	(void)state;
	MISTAKE("[scheduler]\nattempts = 2\n\nattempts = 3\n", "t.conf:4: [scheduler] attempts", "line 2");
}

static void double_sections_are_refused_with_both_lines(void **state)
{
	(void)state;
	MISTAKE("[scheduler]\nattempts = 2\n[scheduler]\nprestage = 3\n", "t.conf:3: [scheduler]", "line 1");
}

static void a_semicolon_or_hash_in_a_value_is_refused_and_kept_in_quotes(void **state)
{
	struct config *config;

	(void)state;
	MISTAKE("[scheduler]\nstate = /a;b\n", "t.conf:2:", "quotes");
	MISTAKE("[scheduler]\nattempts = 3 # three\n", "t.conf:2:", "line of their own");
	config = parse("[scheduler]\nstate = \"/a;b#c\"\n");
	assert_non_null(config);
	assert_string_equal(config->state, "/a;b#c");
	config_free(config);
}

static void headings_that_iniparser_misreads_are_refused(void **state)
{
	(void)state;
	MISTAKE("[host:h1]\nuri = test:///default\n", "t.conf:1:", "':'");
	MISTAKE("[scheduler] ; note\n", "t.conf:1:", "text after the ]");
	MISTAKE("[scheduler]b]\n", "t.conf:1:", "text after the ]");
	MISTAKE("[scheduler\n", "t.conf:1:", "without ]");
	MISTAKE("[host H1]\nuri = test:///default\n", "t.conf:1:", "a-z 0-9");
	MISTAKE("[host  h1]\nuri = test:///default\n", "t.conf:1:", "one blank");
	MISTAKE("[]\n", "t.conf:1:", "one word");
}

static void a_byte_order_mark_is_named(void **state)
{
	(void)state;
	MISTAKE("\xef\xbb\xbf[scheduler]\n", "t.conf:1:", "byte order mark");
}

static void nul_control_and_foreign_bytes_are_named_with_their_line(void **state)
{
	static const char nul[] = "[scheduler]\nattempts = 3\0\n";

	(void)state;
	assert_mistake(nul, sizeof nul - 1, "t.conf:2:", "NUL");
	MISTAKE("[scheduler]\nstate = /a\vb\n", "t.conf:2:", "control character");
	MISTAKE("[scheduler]\nstate = /caf\xe9\n", "t.conf:2:", "UTF-8");
}

static void quotes_must_be_whole_and_plain(void **state)
{
	(void)state;
	MISTAKE("[scheduler]\nstate = \"/a\\\"b\"\n", "t.conf:2:", "backslash");
	MISTAKE("[scheduler]\nstate = \"/a\n", "t.conf:2:", "not closed");
	MISTAKE("[scheduler]\nstate = \"/a\" x\n", "t.conf:2:", "after the closing quote");
	MISTAKE("[scheduler]\nstate = /a\"b\n", "t.conf:2:", "middle");
	MISTAKE("[scheduler]\nstate = \"\"\n", "t.conf:2:", "no value");
	MISTAKE("[scheduler]\nstate =\n", "t.conf:2:", "no value");
}

static void continuation_lines_are_refused_even_in_comments(void **state)
{
	(void)state;
	MISTAKE("[scheduler]\nattempts = 3\\\n\nprestage = 1\n", "t.conf:2:", "backslash");
	MISTAKE("# note \\\n[scheduler]\n", "t.conf:1:", "backslash");
}

static void a_line_over_the_limit_is_named(void **state)
{
	char text[2 * SCAN_LINE_MAX];

	(void)state;
	memset(text, 'a', sizeof text - 1);
	memcpy(text, "[scheduler]\nstate = /", 21);
	text[sizeof text - 1] = '\0';
	MISTAKE(text, "t.conf:2:", "at most 1000");
	/* exactly the limit is fine, for iniparser too */
	text[12 + SCAN_LINE_MAX] = '\0';
	config_free(parse(text));
	if (problems.n != 0)
		fail_with_problems("a line of 1000 bytes is refused");
}

static void a_line_of_two_megabytes_is_refused_without_reading_on(void **state)
{
	char *path = scratch_path("big.conf");
	FILE *file = fopen(path, "w");

	(void)state;
	fputs("[scheduler]\nstate = /", file);
	for (int i = 0; i < 2 * 1024 * 1024; i++)
		fputc('a', file);
	fclose(file);
	assert_null(config_load(path, &problems));
	assert_int_equal(problems.n, 2);
	assert_non_null(strstr(problems.errors[0].message, "longer than 1024 KiB"));
	assert_non_null(strstr(problems.errors[1].message, "big.conf:2: the line has"));
	free(path);
}

static void what_is_not_a_file_is_refused(void **state)
{
	char *path = scratch_path("folder");

	(void)state;
	mkdir(path, 0700);
	assert_null(config_load(path, &problems));
	assert_non_null(strstr(problems.errors[0].message, "is a directory"));
	problems_clear(&problems);
	strcat(path, "");
	assert_null(config_load("/nonexistent/drover.conf", &problems));
	assert_int_equal(problems.errors[0].code, ERR_CONFIG);
	assert_non_null(strstr(problems.errors[0].message, "No such file"));
	free(path);
}

static void numbers_are_read_whole_or_not_at_all(void **state)
{
	struct config *config;

	(void)state;
	MISTAKE("[scheduler]\nattempts = 12abc\n", "t.conf:2: [scheduler] attempts", "12abc");
	MISTAKE("[scheduler]\nattempts = 99999999999\n", "t.conf:2:", "from 1 to 100");
	MISTAKE("[scheduler]\nattempts = -1\n", "t.conf:2:", "whole number");
	MISTAKE("[scheduler]\nkeep_source_disks = maybe\n", "t.conf:2:", "yes or no");
	MISTAKE("[scheduler]\nmax_incoming = 0\n", "t.conf:2:", "incoming = no");
	MISTAKE("[scheduler]\nretry_delay = 5\n", "t.conf:2:", "unit");
	config = parse("[scheduler]\nattempts = 010\nkeep_source_disks = on\n");
	assert_non_null(config);
	assert_int_equal(config->engine.attempts_max, 10);
	assert_true(config->engine.keep_source_disks);
	config_free(config);
}

static void unknown_words_come_with_the_nearest_known_one(void **state)
{
	(void)state;
	MISTAKE("[scheduler]\nmax_migration = 2\n", "t.conf:2: [scheduler] max_migration: unknown key", "did you mean max_migrations?");
	MISTAKE("[scheduler]\nretry_dealy = 2s\n", "unknown key", "did you mean retry_delay?");
	MISTAKE("[shceduler]\nattempts = 2\n", "t.conf:1: [shceduler]: unknown section", "did you mean [scheduler]?");
	MISTAKE("[scheduler]\nzzzzzz = 2\n", "unknown key", "zzzzzz");
	MISTAKE("[hook x]\nrun = /bin/true\n", "unknown section", "[hook x]");
	MISTAKE("[host]\nuri = test:///default\n", "t.conf:1:", "needs a name");
	MISTAKE("attempts = 2\n", "t.conf:1:", "before the first [section]");
	MISTAKE("[scheduler]\nhello\n", "t.conf:2:", "neither");
}

static void all_mistakes_are_reported_at_once(void **state)
{
	(void)state;
	assert_null(parse("[scheduler]\nattempt = 1\nprestage = x\n[host h1]\n[network a]\ncidr = 10.8.0.0\n[hosts h2]\n"));
	if (problems.n != 5)
		fail_with_problems("not five mistakes");
}

static void the_shipped_file_is_the_defaults(void **state)
{
	struct config *shipped = config_load("../../conf/drover.conf", &problems), *none;

	(void)state;
	if (shipped == NULL)
		fail_with_problems("the shipped file has mistakes");
	none = parse("");
	assert_non_null(none);
	assert_int_equal(shipped->n_hosts, 0);
	assert_int_equal(shipped->n_origins, none->n_origins);
	for (size_t i = 0; i < none->n_origins; i++)
		assert_string_equal(shipped->origins[i].value, none->origins[i].value);
	config_free(shipped);
	config_free(none);
}

/* "#key = value" lines of the shipped file are right, name every option, and show the real default. */
static void every_commented_line_of_the_shipped_file_is_true(void **state)
{
	FILE *file = fopen("../../conf/drover.conf", "r");
	char line[SCAN_LINE_MAX], text[16384] = "";
	struct config *config;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL)
		if (line[0] != '#')
			strcat(text, line);
		else if (line[1] != ' ' && line[1] != '\n' && strncmp(line, "#list", 5) != 0)
			strcat(text, line + 1);
	fclose(file);
	config = parse(text);
	if (config == NULL)
		fail_with_problems(text);
	for (size_t i = 0; i < n_option_table; i++) {
		const struct option *option = &option_table[i];
		bool found = option->section == SECTION_ANY || strcmp(option->key, "list") == 0;

		for (size_t k = 0; k < config->n_origins && !found; k++) {
			const struct config_origin *origin = &config->origins[k];

			found = origin->file != NULL && strcmp(origin->key, option->key) == 0 &&
				strncmp(origin->section, section_infos[option->section].name, strlen(section_infos[option->section].name)) == 0;
			if (found && option->section == SECTION_SCHEDULER)
				assert_string_equal(origin->value, option->fallback);
		}
		if (!found && strcmp(option->key, "guests") != 0 && strcmp(option->key, "hosts") != 0)
			fail_msg("[%s] %s is not in drover.conf", section_infos[option->section].name, option->key);
	}
	config_free(config);
}

static void defaults_of_the_table_are_those_of_the_engine(void **state)
{
	struct config *config = parse("");
	struct engine_options options;

	(void)state;
	assert_non_null(config);
	engine_options_init(&options);
	assert_int_equal(config->engine.max_migrations, options.max_migrations);
	assert_int_equal(config->engine.workers_per_host, options.workers_per_host);
	assert_int_equal(config->engine.attempts_max, options.attempts_max);
	assert_int_equal(config->engine.retry_delay_ms, options.retry_delay_ms);
	assert_int_equal(config->engine.stats_interval_ms, options.stats_interval_ms);
	assert_int_equal(config->engine.no_progress_ms, options.no_progress_ms);
	assert_int_equal(config->engine.downtime_limit_ms, options.downtime_limit_ms);
	assert_int_equal(config->engine.prestage_rate_bytes_per_s, options.prestage_rate_bytes_per_s);
	assert_int_equal(config->engine.keep_source_disks, options.keep_source_disks);
	assert_int_equal(config->engine.auto_converge, options.auto_converge);
	assert_int_equal(config->engine.post_copy, options.post_copy);
	assert_int_equal(config->engine.downtime_max_ms, options.downtime_max_ms);
	assert_int_equal(config->engine.paused_handover, options.paused_handover);
	assert_int_equal(config->engine.plan.prestage, options.plan.prestage);
	config_free(config);
}

static const char whole[] =
	"[scheduler]\nstate = state.db\nmeasured_age = 2h\nmax_migrations = 4\ndowntime_limit = 150ms\ndowntime_max = 2s\nhandover = strict\nmemory_reserve = 1 GiB\ncpu_overcommit = 2.5\n"
	"[host h1]\nuri = qemu+tls://h1/system\naddress = 10.8.0.1, fd00::1/64\nshell = ssh root@h1\nincoming = no\nmax_outgoing = 3\n"
	"traffic_command = ssh h1 counters\n"
	"[host h2]\nuri = sim:world.json\nmemory_reserve = 0\n"
	"[network mig]\ncidr = 10.8.0.0/24\norder = -1\nrate = 1 Gbit/s\nreserve = 20%\n"
	"[link wan]\nhosts = h1, h2\nrate = 100 MiB/s\n"
	"[group web]\nguests = Web1, Web2, Nobody\ncannot_move = cold\n"
	"[group careful]\nguests = Web1\ncannot_move = shutdown\n"
	"[rule apart]\nkind = anti_affinity\ngroups = web\n"
	"[rule few]\nkind = at_most_moving\ngroups = web\ncount = 2\n"
	"[map m]\nnetworks = br-A:br-B, br-C:br-D\npools = images:fast, target:vda:slow/system.raw\n"
	"[batch b]\nreason = don't panic\nmap = m\nto = h2\nto_pool = fast\n"
	"[move 1]\nvm = Web1\npriority = -5\nmax_rate = 10 MB/s\ncannot_move = leave\nnot_before = 2026-11-23T22:00:00Z\n"
	"[move 2]\nbatch = b\nvm = Web2\nfrom = h2\nto = h1\n";

static void authentication_is_strict_unless_said_otherwise(void **state)
{
	struct config *config = parse("[host h1]\nuri = qemu+tcp://h1/system\n");

	(void)state;
	assert_non_null(config);
	assert_false(config->hosts[0].insecure);
	assert_int_equal(config->credentials, CREDENTIALS_HOSTS);
	assert_int_equal(config->stream_tls, STREAM_TLS_AUTO);
	assert_false(config->mixed_authentication);
	config_free(config);
	config = parse("[scheduler]\ncredentials = caller\nstream_tls = yes\nmixed_authentication = yes\n");
	assert_non_null(config);
	assert_int_equal(config->credentials, CREDENTIALS_CALLER);
	assert_int_equal(config->stream_tls, STREAM_TLS_YES);
	assert_true(config->mixed_authentication);
	config_free(config);
	MISTAKE("[scheduler]\ncredentials = mine\n", "t.conf:2: [scheduler] credentials", "hosts or caller");
	MISTAKE("[host h1]\nuri = qemu+tls://h1/system?no_verify=1\n", "t.conf:2: [host h1] uri", "insecure = yes");
}

static void a_network_is_checked_before_a_move_unless_said_otherwise(void **state)
{
	struct config *config = parse("[network a]\ncidr = 10.8.0.0/24\n[network b]\ncidr = 10.9.0.0/24\ncheck = no\n");
	struct inventory *inventory = inventory_new();

	(void)state;
	assert_non_null(config);
	config_apply(config, inventory);
	assert_true(inventory->networks[0].is_checked);
	assert_false(inventory->networks[1].is_checked);
	inventory_free(inventory);
	config_free(config);
}

static void a_whole_configuration_means_what_it_says(void **state)
{
	struct config *config = config_parse("/etc/x/t.conf", whole, strlen(whole), &problems);
	const struct request *request;

	(void)state;
	if (config == NULL)
		fail_with_problems("refused");
	assert_string_equal(config->state, "/etc/x/state.db");
	assert_int_equal(config->engine.max_migrations, 4);
	assert_int_equal(config->engine.plan.max_migrations, 4);
	assert_int_equal(config->engine.plan.downtime_limit_ms, 150);
	assert_int_equal(config->engine.downtime_max_ms, 2000);
	assert_true(config->engine.paused_handover);
	assert_int_equal(config->cpu_overcommit_milli, 2500);
	assert_int_equal(config->n_hosts, 2);
	assert_string_equal(config->hosts[0].addresses[1], "fd00::1/64");
	assert_string_equal(config->hosts[0].shell, "ssh root@h1");
	assert_null(config->hosts[1].shell);
	assert_string_equal(config->hosts[0].traffic_command, "ssh h1 counters");
	assert_null(config->hosts[1].traffic_command);
	assert_false(config->hosts[0].incoming);
	assert_true(config->hosts[0].outgoing);
	assert_true(config->hosts[0].memory_reserve_bytes == UINT64_MAX);
	assert_string_equal(config->hosts[1].uri, "sim:/etc/x/world.json");
	assert_int_equal(config->hosts[1].memory_reserve_bytes, 0);
	assert_int_equal(config->networks[0].reserve_percent, 20);
	assert_int_equal(config->networks[0].order, -1);
	assert_int_equal(config->shared_links[0].rate_bytes_per_s, 104857600);
	assert_int_equal(config->rules[1].count, 2);
	request = config->batches[0].request;
	assert_int_equal(request->n_moves, 2);
	assert_string_equal(request->reason, "don't panic");
	assert_string_equal(request->nets[1].to, "br-D");
	assert_int_equal(request->n_pools, 3);
	assert_string_equal(request->pools[1].from, "volume:vda");
	assert_string_equal(request->pools[1].to, "system.raw");
	assert_string_equal(request->pools[2].from, "target:vda");
	assert_string_equal(request->pools[2].to, "slow");
	assert_string_equal(request->moves[0].guest, "Web1");
	assert_string_equal(request->moves[0].to, "h2");
	assert_string_equal(request->moves[1].to, "h1");
	assert_int_equal(request->moves[0].priority, -5);
	assert_int_equal(request->moves[0].max_rate_bytes_per_s, 10000000);
	assert_int_equal(request->moves[0].cannot_move, CANNOT_MOVE_LEAVE);
	assert_int_equal(request->moves[1].cannot_move, CANNOT_MOVE_UNSAID);
	config_free(config);
}

static void origins_tell_file_and_line_or_the_default(void **state)
{
	struct config *config = parse("[scheduler]\n\nattempts = 7\n");
	bool seen = false, seen_default = false;

	(void)state;
	assert_non_null(config);
	for (size_t i = 0; i < config->n_origins; i++) {
		const struct config_origin *origin = &config->origins[i];

		if (strcmp(origin->key, "attempts") == 0) {
			seen = true;
			assert_string_equal(origin->file, "t.conf");
			assert_int_equal(origin->line, 3);
			assert_string_equal(origin->value, "7");
		}
		if (strcmp(origin->key, "prestage") == 0) {
			seen_default = true;
			assert_null(origin->file);
			assert_string_equal(origin->value, "2");
		}
	}
	assert_true(seen && seen_default);
	config_free(config);
}

static void rules_batches_and_maps_must_make_sense(void **state)
{
	(void)state;
	MISTAKE("[rule r]\nkind = only_on\nguests = a\n", "t.conf:2:", "needs hosts");
	MISTAKE("[rule r]\nkind = anti_affinity\nguests = a\nhosts = h\n", "t.conf:4:", "no meaning");
	MISTAKE("[rule r]\nkind = at_most_moving\nguests = a\n", "t.conf:2:", "needs count");
	MISTAKE("[rule r]\nkind = affinity\n", "t.conf:1:", "no guests and no groups");
	MISTAKE("[rule r]\nkind = apart\nguests = a\n", "t.conf:2:", "anti_affinity");
	MISTAKE("[map m]\npools = a\n", "t.conf:2:", "OLD:NEW");
	MISTAKE("[map m]\npools = target:vda:fast/\n", "t.conf:2:", "OLD:NEW");
	MISTAKE("[map m]\npools = target:vda:/dev/vg/a\n", "t.conf:2:", "OLD:NEW");
	MISTAKE("[map m]\npools = a:b, a:c\n", "t.conf:2:", "twice");
	MISTAKE("[batch b]\nreason = x\n", "t.conf:1:", "no moves");
	MISTAKE("[batch web]\n[move 1]\nvm = a\nbatch = wbe\n[move 2]\nvm = b\nbatch = web\n", "t.conf:4:", "did you mean web");
	MISTAKE("[move 1]\nvm = a\n", "t.conf:1:", "no [batch]");
	MISTAKE("[batch b]\nmap = nn\n[move 1]\nvm = a\n[map mm]\npools = a:b\n", "t.conf:2:", "no [map nn]");
	MISTAKE("[batch b]\n[move 1]\nvm = Web\n[move 2]\nvm = Web\n", "named twice", "line 2 and t.conf line 4");
	MISTAKE("[host h]\naddress = 10.8.0.1\n", "t.conf:1:", "uri is missing");
	MISTAKE("[host h]\nuri = test:///x\naddress = 10.8.0.1,,10.8.0.2\n", "t.conf:3:", "empty");
	MISTAKE("[host h]\nuri = h1\n", "t.conf:2:", "libvirt URI");
	MISTAKE("[batch b]\nlist = /nonexistent/x.csv\n", "t.conf:2:", "No such file");
}

static char *write_file(const char *name, const char *text)
{
	char *path = scratch_path(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static struct config *load_with_folder(const char *main_text, const char *a, const char *b)
{
	char *folder = scratch_path("conf.d"), *main_file, *file;
	struct config *config;

	mkdir(folder, 0700);
	main_file = write_file("drover.conf", main_text);
	file = write_file("conf.d/20-b.conf", b);
	free(file);
	file = write_file("conf.d/10-a.conf", a);
	free(file);
	file = write_file("conf.d/30.conf.bak", "rubbish");
	free(file);
	problems_clear(&problems);
	config = config_load_from(main_file, true, folder, &problems);
	free(main_file);
	free(folder);
	return config;
}

static void a_later_file_needs_override_to_set_a_key_again(void **state)
{
	struct config *config;

	(void)state;
	assert_null(load_with_folder("[scheduler]\nattempts = 2\n", "[scheduler]\nattempts = 4\n", ""));
	assert_int_equal(problems.n, 1);
	assert_non_null(strstr(problems.errors[0].message, "10-a.conf:2: [scheduler] attempts: set already at"));
	assert_non_null(strstr(problems.errors[0].message, "drover.conf:2"));
	config = load_with_folder("[scheduler]\nattempts = 2\nprestage = 1\n", "[scheduler]\noverride = yes\nattempts = 4\n",
		"[scheduler]\noverride = yes\nattempts = 6\n[host z]\nuri = test:///default\n");
	if (config == NULL)
		fail_with_problems("override is refused");
	assert_int_equal(config->engine.attempts_max, 6);
	assert_int_equal(config->engine.plan.prestage, 1);
	assert_int_equal(config->n_hosts, 1);
	config_free(config);
	/* the permission ends with its file */
	assert_null(load_with_folder("[scheduler]\nattempts = 2\n", "[scheduler]\noverride = yes\nattempts = 4\n", "[scheduler]\nattempts = 6\n"));
	assert_int_equal(problems.n, 1);
}

static void without_any_file_the_defaults_hold(void **state)
{
	struct config *config = config_load_from("/nonexistent/drover.conf", true, "/nonexistent/conf.d", &problems);

	(void)state;
	assert_non_null(config);
	assert_int_equal(config->n_hosts, 0);
	assert_int_equal(config->memory_reserve_bytes, 536870912);
	config_free(config);
}

static void applying_lays_the_configuration_over_the_inventory(void **state)
{
	struct config *config = parse(whole);
	struct inventory *inventory = inventory_new();
	struct error err;

	(void)state;
	assert_non_null(config);
	host_add_link(inventory_add_host(inventory, "h1"), "10.8.0.1/24")->rate_bytes_per_s = 1000;
	inventory_add_host(inventory, "h2");
	inventory_add_host(inventory, "h3")->cpu_overcommit_milli = 8000;
	inventory_add_guest(inventory, "Web1", 0)->memory_bytes = 1;
	config_apply(config, inventory);
	assert_done(inventory_seal(inventory, &err), err);
	assert_int_equal(inventory->hosts[0].n_links, 2);
	assert_int_equal(inventory->hosts[0].links[0].rate_bytes_per_s, 1000);
	assert_false(inventory->hosts[0].incoming);
	assert_int_equal(inventory->hosts[0].max_outgoing, 3);
	assert_int_equal(inventory->hosts[0].memory_reserve_bytes, 1073741824);
	assert_int_equal(inventory->hosts[1].memory_reserve_bytes, 0);
	assert_int_equal(inventory->hosts[1].cpu_overcommit_milli, 2500);
	assert_int_equal(inventory->hosts[2].cpu_overcommit_milli, 8000);
	assert_string_equal(inventory->guests[0].groups[0], "web");
	assert_int_equal(inventory->guests[0].cannot_move, CANNOT_MOVE_SHUTDOWN);
	assert_int_equal(inventory->n_rules, 2);
	assert_int_equal(inventory->networks[0].rate_bytes_per_s, 125000000);
	assert_int_equal(inventory->shared_links[0].n_hosts, 2);
	inventory_free(inventory);
	config_free(config);
}

static void a_thousand_hosts_load_quickly_and_a_flood_of_settings_is_refused(void **state)
{
	char *text = malloc(4000000);
	size_t n = 0;
	struct config *config;

	(void)state;
	for (int i = 0; i < 1000; i++)
		n += (size_t)sprintf(text + n, "[host h%d]\nuri = qemu+tls://h%d/system\naddress = 10.8.%d.%d\n", i, i, i / 250, i % 250);
	config = config_parse("t.conf", text, n, &problems);
	assert_non_null(config);
	assert_int_equal(config->n_hosts, 1000);
	config_free(config);
	n = (size_t)sprintf(text, "[scheduler]\n");
	for (int i = 0; i < 30000; i++)
		n += (size_t)sprintf(text + n, "k%d = 1\n", i);
	assert_null(config_parse("t.conf", text, n, &problems));
	assert_non_null(strstr(problems.errors[0].message, "t.conf:20002: more than 20000 settings"));
	assert_true(problems.n < 300);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(authentication_is_strict_unless_said_otherwise, no_problems),
		cmocka_unit_test_teardown(a_network_is_checked_before_a_move_unless_said_otherwise, no_problems),
		cmocka_unit_test_teardown(post_copy_with_a_strict_handover_is_refused, no_problems),
		cmocka_unit_test_teardown(double_keys_are_refused_with_both_lines, no_problems),
		cmocka_unit_test_teardown(double_sections_are_refused_with_both_lines, no_problems),
		cmocka_unit_test_teardown(a_semicolon_or_hash_in_a_value_is_refused_and_kept_in_quotes, no_problems),
		cmocka_unit_test_teardown(headings_that_iniparser_misreads_are_refused, no_problems),
		cmocka_unit_test_teardown(a_byte_order_mark_is_named, no_problems),
		cmocka_unit_test_teardown(nul_control_and_foreign_bytes_are_named_with_their_line, no_problems),
		cmocka_unit_test_teardown(quotes_must_be_whole_and_plain, no_problems),
		cmocka_unit_test_teardown(continuation_lines_are_refused_even_in_comments, no_problems),
		cmocka_unit_test_teardown(a_line_over_the_limit_is_named, no_problems),
		cmocka_unit_test_teardown(a_line_of_two_megabytes_is_refused_without_reading_on, clean_up),
		cmocka_unit_test_teardown(what_is_not_a_file_is_refused, clean_up),
		cmocka_unit_test_teardown(numbers_are_read_whole_or_not_at_all, no_problems),
		cmocka_unit_test_teardown(unknown_words_come_with_the_nearest_known_one, no_problems),
		cmocka_unit_test_teardown(all_mistakes_are_reported_at_once, no_problems),
		cmocka_unit_test_teardown(the_shipped_file_is_the_defaults, no_problems),
		cmocka_unit_test_teardown(every_commented_line_of_the_shipped_file_is_true, no_problems),
		cmocka_unit_test_teardown(defaults_of_the_table_are_those_of_the_engine, no_problems),
		cmocka_unit_test_teardown(a_whole_configuration_means_what_it_says, no_problems),
		cmocka_unit_test_teardown(origins_tell_file_and_line_or_the_default, no_problems),
		cmocka_unit_test_teardown(rules_batches_and_maps_must_make_sense, no_problems),
		cmocka_unit_test_teardown(a_later_file_needs_override_to_set_a_key_again, clean_up),
		cmocka_unit_test_teardown(without_any_file_the_defaults_hold, no_problems),
		cmocka_unit_test_teardown(applying_lays_the_configuration_over_the_inventory, no_problems),
		cmocka_unit_test_teardown(a_thousand_hosts_load_quickly_and_a_flood_of_settings_is_refused, no_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
