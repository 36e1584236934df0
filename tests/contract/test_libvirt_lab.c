/* The libvirt implementation of the hypervisor seam on real hosts with real guests.
 *
 * DROVER_LAB_CONF names the output of `tests/lab/lab conf` of a lab that is up with at least two hosts. Without it
 * the program makes a lab of its own and removes it; where that cannot be, or where somebody's lab is up, it
 * says SKIPPED and exits 77. It makes and removes its own guests. The hosts are shared by
 * all tests; each test leaves them as it found them.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "drover/plan.h"
#include "libvirt_hv.h"

enum {
	HOSTS_MAX = 8,
	PENDING_MAX = 4096,
	NOTES_MAX = 4096,
	ANSWER_MS = 60000,
	MIB = 1 << 20,
	GUEST_DISKS = 2,
};

struct seen_note {
	enum hv_note_kind kind;
	char host[64], guest[64];
};

struct lab {
	char names[HOSTS_MAX][64], uris[HOSTS_MAX][128], addresses[HOSTS_MAX][64];
	size_t n_hosts;
	struct hypervisor *hypervisor;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool woken;
	uint64_t last_tag;
	bool answered[PENDING_MAX];
	struct hv_reply replies[PENDING_MAX];
	struct seen_note notes[NOTES_MAX];
	size_t n_notes;
};

static struct lab lab = { .mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

/* --- the lab's files and tool --- */

static bool read_conf(const char *path)
{
	char line[256];
	bool in_host = false;
	FILE *file = fopen(path, "r");

	if (!file)
		return false;
	while (fgets(line, sizeof line, file)) {
		size_t n = lab.n_hosts;
		if (line[0] == '[')
			in_host = n < HOSTS_MAX && sscanf(line, "[host %63[^]]]", lab.names[n]) == 1;
		if (in_host && line[0] == '[')
			lab.n_hosts++;
		else if (in_host && n > 0) {
			sscanf(line, "uri = %127s", lab.uris[n - 1]);
			sscanf(line, "address = %63[^,/ \n]", lab.addresses[n - 1]);
		}
	}
	fclose(file);
	return lab.n_hosts >= 2;
}

static int run_tool(const char *arguments)
{
	char command[512];
	const char *tool = getenv("DROVER_LAB_TOOL");

	snprintf(command, sizeof command, "%s %s >/dev/null 2>&1", tool ? tool : "../lab/lab", arguments);
	return system(command);
}

/* A lab for this run only. Returns NULL, having said why, when there can be none. */
static const char *own_lab(char path[static 64])
{
	char command[512], owner[24];

	/* The lab is this process's: should it die, whoever wants a lab next takes this one down. */
	snprintf(owner, sizeof owner, "%ld", (long)getpid());
	setenv("DROVER_LAB_OWNER", owner, 1);
	if (run_tool("status | grep -qx down") != 0) {
		printf("SKIPPED: a lab is up already; name it with DROVER_LAB_CONF (lab conf > FILE)\n");
		return NULL;
	}
	if (run_tool("up --hosts 2 --rate 400mbit --networks 2") != 0) {
		printf("SKIPPED: tests/lab/lab up does not work here; it says why\n");
		return NULL;
	}
	snprintf(path, 64, "/tmp/drover-libvirt-lab.XXXXXX");
	int file = mkstemp(path);
	if (file >= 0)
		close(file);
	const char *tool = getenv("DROVER_LAB_TOOL");
	snprintf(command, sizeof command, "%s conf >%s", tool ? tool : "../lab/lab", path);
	return file >= 0 && system(command) == 0 ? path : NULL;
}

/* How long a gap may be is not asked here: tests/lab/test-drain does. */
#define CHECK "check --max-gap 10000"

/* What the checker found stands in the report when it finds something. */
static void assert_all_well(const char *check)
{
	char command[512];
	const char *tool = getenv("DROVER_LAB_TOOL");

	snprintf(command, sizeof command, "found=$(%s %s 2>&1) || { echo \"$found\"; exit 1; }", tool ? tool : "../lab/lab", check);
	if (system(command) != 0)
		fail_msg("%s found something wrong", check);
}

/* --- asking --- */

static void on_wake(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lab.mutex);
	lab.woken = true;
	pthread_cond_signal(&lab.cond);
	pthread_mutex_unlock(&lab.mutex);
}

static void on_reply(void *self, struct hv_reply *reply)
{
	(void)self;
	assert_true(reply->tag > 0 && reply->tag < PENDING_MAX);
	assert_false(lab.answered[reply->tag]); /* exactly one reply a request */
	lab.answered[reply->tag] = true;
	lab.replies[reply->tag] = *reply;
}

static void on_note(void *self, const struct hv_note *note)
{
	(void)self;
	if (lab.n_notes == NOTES_MAX)
		return;
	struct seen_note *seen = &lab.notes[lab.n_notes++];
	seen->kind = note->kind;
	snprintf(seen->host, sizeof seen->host, "%s", note->host);
	snprintf(seen->guest, sizeof seen->guest, "%s", note->guest ? note->guest : "");
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void drain_until_wake(int64_t deadline)
{
	struct timespec until = { .tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000 };

	pthread_mutex_lock(&lab.mutex);
	while (!lab.woken && now_ms() < deadline)
		pthread_cond_timedwait(&lab.cond, &lab.mutex, &until);
	lab.woken = false;
	pthread_mutex_unlock(&lab.mutex);
	libvirt_hv_drain(lab.hypervisor);
}

static uint64_t send_request(struct hv_request request)
{
	request.tag = ++lab.last_tag;
	assert_true(request.tag < PENDING_MAX);
	lab.hypervisor->submit(lab.hypervisor, &request);
	return request.tag;
}

static struct hv_reply *await_reply(uint64_t tag)
{
	int64_t deadline = now_ms() + ANSWER_MS;

	while (!lab.answered[tag] && now_ms() < deadline)
		drain_until_wake(deadline);
	assert_true(lab.answered[tag]);
	return &lab.replies[tag];
}

static struct hv_reply *ask(struct hv_request request)
{
	return await_reply(send_request(request));
}

static struct hv_reply *ask_well(struct hv_request request)
{
	struct hv_reply *reply = ask(request);

	if (reply->error.code != ERR_NONE)
		print_error("%s: %s\n", hv_kind_name(request.kind), reply->error.message);
	assert_int_equal(reply->error.code, ERR_NONE);
	return reply;
}

static bool has_note(enum hv_note_kind kind, const char *host, const char *guest)
{
	for (size_t i = 0; i < lab.n_notes; i++)
		if (lab.notes[i].kind == kind && strcmp(lab.notes[i].host, host) == 0 && strcmp(lab.notes[i].guest, guest) == 0)
			return true;
	return false;
}

static void await_note(enum hv_note_kind kind, const char *host, const char *guest)
{
	int64_t deadline = now_ms() + ANSWER_MS;

	while (!has_note(kind, host, guest) && now_ms() < deadline)
		drain_until_wake(deadline);
	assert_true(has_note(kind, host, guest));
}

/* --- a move --- */

static struct hv_request request_of(enum hv_kind kind, const char *guest)
{
	struct hv_request request = {
		.kind = kind, .guest = guest, .uuid = "", .host = lab.names[0], .target = lab.names[1],
		.target_address = lab.addresses[1], .persistent = true, .autostart = true,
		.job = { .run = "0d9f2f0e-7a56-4f0a-9ad8-000000000001", .move = 42, .epoch = 1 },
	};

	snprintf(request.job.target, sizeof request.job.target, "%s", lab.names[1]);
	return request;
}

static struct hv_request at_target(enum hv_kind kind, const char *guest)
{
	struct hv_request request = request_of(kind, guest);

	request.host = lab.names[1];
	request.target = NULL;
	return request;
}

static struct hv_request with_disks(struct hv_request request, const struct hv_reply *prepared)
{
	request.disks = prepared->disks;
	request.n_disks = prepared->n_disks;
	return request;
}

/* Pre-flight and preparation; returns the latter's reply. */
static struct hv_reply *make_ready(const char *guest, size_t n_disks)
{
	struct hv_reply *checked = ask_well(request_of(HV_PREFLIGHT, guest));
	struct hv_request request = request_of(HV_PREPARE, guest);

	assert_int_equal(checked->preflight.n_disks, n_disks);
	assert_true(checked->preflight.persistent);
	assert_true(checked->preflight.target_free_memory_bytes > 0);
	request.disks = checked->preflight.disks;
	request.n_disks = checked->preflight.n_disks;
	struct hv_reply *prepared = ask_well(request);
	assert_int_equal(prepared->n_disks, n_disks);
	for (size_t i = 0; i < n_disks; i++) {
		assert_true(prepared->disks[i].was_created);
		assert_non_null(prepared->disks[i].target_path);
	}
	return prepared;
}

static struct hv_where where(const char *host, const char *guest)
{
	struct hv_request request = request_of(HV_WHERE, guest);

	request.host = host;
	return ask_well(request)->where;
}

static void finish(const char *guest, const struct hv_reply *prepared)
{
	ask_well(at_target(HV_FINISH_TARGET, guest));
	ask_well(with_disks(request_of(HV_FINISH_SOURCE, guest), prepared));
}

/* Polls a running migration as the engine does. */
static struct hv_stats poll_job(const char *guest)
{
	struct timespec pause = { .tv_nsec = 100000000 };

	nanosleep(&pause, NULL);
	return ask_well(request_of(HV_STATS, guest))->stats;
}

static struct hv_stats poll_until(const char *guest, enum hv_phase phase)
{
	struct hv_stats stats;

	for (int i = 0; i < 300; i++) {
		stats = poll_job(guest);
		if (stats.phase >= phase)
			return stats;
	}
	fail_msg("the migration of %s did not reach phase %d", guest, (int)phase);
	return stats;
}

static void set_rate(const char *guest, uint64_t rate)
{
	struct hv_request request = request_of(HV_SET_RATE, guest);

	request.rate_bytes_per_s = rate;
	ask_well(request);
}

static void make_guest(const char *name, const char *options)
{
	char arguments[256];

	snprintf(arguments, sizeof arguments, "guest %s --host %s %s", name, lab.names[0], options);
	assert_int_equal(run_tool(arguments), 0);
	/* Beats of an earlier guest of that name are not this one's, and it beats again before anything is asked of it. */
	assert_int_equal(run_tool("reset-beats"), 0);
	for (int i = 0; i < 50 && run_tool(CHECK) != 0; i++)
		;
	assert_all_well(CHECK);
}

static void remove_guest(const char *name)
{
	char arguments[256];

	snprintf(arguments, sizeof arguments, "remove %s", name);
	assert_int_equal(run_tool(arguments), 0);
}

/* --- the claims --- */

static void a_probe_finds_the_host_and_its_guests(void **state)
{
	(void)state;
	make_guest("lvprobe", "--disk raw:16 --disk qcow2:24 --net br-lan --autostart");
	struct hv_reply *reply = ask_well(request_of(HV_PROBE, ""));
	assert_int_equal(reply->inventory->n_hosts, 1);
	const struct host *host = &reply->inventory->hosts[0];
	assert_string_equal(host->name, lab.names[0]);
	assert_true(host->cpus > 0 && host->memory_bytes > 0);
	assert_true(host_pool(host, "images") && host_pool(host, "images")->available_bytes > 0);
	const struct guest *guest = NULL;
	for (size_t i = 0; i < reply->inventory->n_guests; i++)
		if (strcmp(reply->inventory->guests[i].name, "lvprobe") == 0)
			guest = &reply->inventory->guests[i];
	assert_non_null(guest);
	assert_int_equal(guest->state, GUEST_RUNNING);
	assert_true(guest->persistent && guest->autostart);
	assert_true(guest->used_memory_bytes > 0 && guest->used_memory_bytes <= guest->memory_bytes);
	assert_null(guest->unmovable);
	assert_int_equal(guest->n_interfaces, 1);
	assert_string_equal(guest->interfaces[0], "br-lan");
	assert_int_equal(guest->n_disks, 2);
	assert_string_equal(guest->disks[0].pool, "images");
	assert_int_equal(guest->disks[0].capacity_bytes, 16 * MIB);
	assert_int_equal(guest->disks[1].format, DISK_QCOW2);
	assert_int_equal(guest->disks[1].capacity_bytes, 24 * MIB);
	remove_guest("lvprobe");
}

static void a_guest_with_disks_moves_and_leaves_nothing_behind(void **state)
{
	(void)state;
	make_guest("lvmove", "--disk raw:48:1 --disk qcow2:32 --net br-lan --autostart");
	struct hv_reply *prepared = make_ready("lvmove", GUEST_DISKS);
	assert_true(where(lab.names[0], "lvmove").has_tag);
	struct hv_reply *moved = ask_well(with_disks(request_of(HV_MIGRATE, "lvmove"), prepared));
	assert_false(moved->outcome_unknown);
	assert_true(moved->stats.memory_processed_bytes > 0);
	assert_true(moved->stats.downtime_ms > 0);
	await_note(HV_NOTE_GUEST_SUSPENDED, lab.names[0], "lvmove");
	struct hv_where there = where(lab.names[1], "lvmove");
	assert_int_equal(there.presence, HV_RUNNING);
	assert_true(there.persistent && there.has_tag);
	assert_int_equal(there.job_tag.move, 42);
	assert_string_equal(there.job_tag.target, lab.names[1]);
	assert_int_equal(where(lab.names[0], "lvmove").presence, HV_ABSENT);
	finish("lvmove", prepared);
	assert_false(where(lab.names[1], "lvmove").has_tag);
	/* The lab's own judge: beats unbroken, disks right, no file left where the guest is not. */
	assert_all_well(CHECK " --deep");
	struct hv_reply *probe = ask_well(at_target(HV_PROBE, ""));
	assert_true(probe->inventory->n_guests == 1 && probe->inventory->guests[0].autostart);
	remove_guest("lvmove");
}

/* QEMU sends the first 16 MiB of each mirror at once and paces it after that. */
static void a_rate_holds_in_the_disk_and_the_memory_phase(void **state)
{
	enum { BURST = GUEST_DISKS * 16 * MIB };
	struct hv_stats stats;

	(void)state;
	make_guest("lvrate", "--fill 64 --disk raw:96 --disk raw:64");
	struct hv_reply *prepared = make_ready("lvrate", GUEST_DISKS);
	struct hv_request request = with_disks(request_of(HV_MIGRATE, "lvrate"), prepared);
	request.rate_bytes_per_s = 2 * MIB;
	uint64_t tag = send_request(request);
	stats = poll_until("lvrate", HV_PHASE_DISKS);
	for (int i = 0; i < 30; i++)
		stats = poll_job("lvrate");
	/* Unthrottled, 160 MiB would be over after these 3 s. */
	assert_int_equal(stats.phase, HV_PHASE_DISKS);
	assert_int_equal(stats.rate_limit_bytes_per_s, 2 * MIB);
	assert_true(stats.disk_processed_bytes <= BURST + 8 * MIB);
	set_rate("lvrate", 0);
	stats = poll_until("lvrate", HV_PHASE_MEMORY);
	assert_int_equal(stats.phase, HV_PHASE_MEMORY);
	/* The migrate call said 1 MiB/s (its share of a disk); the memory phase must not be held to it. */
	assert_true(stats.elapsed_ms < 15000);
	set_rate("lvrate", 4 * MIB);
	struct hv_request downtime = request_of(HV_SET_DOWNTIME, "lvrate");
	downtime.downtime_ms = 450;
	ask_well(downtime);
	for (int i = 0; i < 20; i++)
		stats = poll_job("lvrate");
	char command[128];
	snprintf(command, sizeof command, "virsh %s migrate-getmaxdowntime lvrate | grep -qx 450", lab.names[0]);
	assert_int_equal(run_tool(command), 0);
	assert_int_equal(stats.phase, HV_PHASE_MEMORY);
	assert_int_equal(stats.rate_limit_bytes_per_s, 4 * MIB);
	uint64_t left = stats.memory_remaining_bytes;
	for (int i = 0; i < 10; i++)
		stats = poll_job("lvrate");
	assert_int_equal(stats.phase, HV_PHASE_MEMORY);
	assert_true(stats.memory_remaining_bytes < left && left - stats.memory_remaining_bytes <= 8 * MIB);
	set_rate("lvrate", 0);
	assert_int_equal(await_reply(tag)->error.code, ERR_NONE);
	finish("lvrate", prepared);
	assert_all_well(CHECK);
	remove_guest("lvrate");
}

static void an_abort_leaves_the_guest_on_its_source(void **state)
{
	(void)state;
	make_guest("lvabort", "--disk raw:64");
	struct hv_reply *prepared = make_ready("lvabort", 1);
	struct hv_request request = with_disks(request_of(HV_MIGRATE, "lvabort"), prepared);
	request.rate_bytes_per_s = MIB;
	uint64_t tag = send_request(request);
	poll_until("lvabort", HV_PHASE_DISKS);
	ask_well(request_of(HV_ABORT, "lvabort"));
	struct hv_reply *ended = await_reply(tag);
	assert_int_equal(ended->error.code, ERR_MIGRATE_ABORTED);
	assert_false(ended->outcome_unknown);
	struct hv_where here = where(lab.names[0], "lvabort");
	assert_int_equal(here.presence, HV_RUNNING);
	assert_int_equal(here.job, HV_JOB_NONE);
	assert_int_equal(where(lab.names[1], "lvabort").presence, HV_ABSENT);
	ask_well(with_disks(at_target(HV_REMOVE_VOLUMES, "lvabort"), prepared));
	/* Removing what is gone already is no error: a restart may ask twice. */
	ask_well(with_disks(at_target(HV_REMOVE_VOLUMES, "lvabort"), prepared));
	ask_well(request_of(HV_CLEAR_TAG, "lvabort"));
	assert_false(where(lab.names[0], "lvabort").has_tag);
	assert_all_well(CHECK);
	remove_guest("lvabort");
}

static void an_abort_before_the_job_appears_is_not_lost(void **state)
{
	(void)state;
	make_guest("lvearly", "--disk raw:64");
	struct hv_reply *prepared = make_ready("lvearly", 1);
	struct hv_request request = with_disks(request_of(HV_MIGRATE, "lvearly"), prepared);
	request.rate_bytes_per_s = MIB;
	uint64_t tag = send_request(request);
	ask_well(request_of(HV_ABORT, "lvearly"));
	assert_int_equal(await_reply(tag)->error.code, ERR_MIGRATE_ABORTED);
	assert_int_equal(where(lab.names[0], "lvearly").presence, HV_RUNNING);
	ask_well(with_disks(at_target(HV_REMOVE_VOLUMES, "lvearly"), prepared));
	remove_guest("lvearly");
}

static void a_running_guest_loses_nothing_to_a_mistaken_cleanup(void **state)
{
	(void)state;
	make_guest("lvguard", "--disk raw:16");
	struct hv_reply *checked = ask_well(request_of(HV_PREFLIGHT, "lvguard"));
	struct hv_request request = request_of(HV_FINISH_SOURCE, "lvguard");
	request.disks = checked->preflight.disks;
	request.n_disks = checked->preflight.n_disks;
	assert_int_equal(ask(request)->error.code, ERR_VERIFY_FAILED);
	/* Even when the request names nobody's guest, the volume is in use. */
	request.guest = "nobody";
	assert_int_equal(ask(request)->error.code, ERR_LEFTOVER);
	struct hv_disk mistaken = checked->preflight.disks[0];

	mistaken.was_created = true; /* even so: a running guest uses it */
	mistaken.target_pool = mistaken.source_pool;
	mistaken.target_volume = mistaken.source_volume;
	mistaken.target_path = mistaken.source_path;
	request = request_of(HV_REMOVE_VOLUMES, "lvguard");
	request.disks = &mistaken;
	request.n_disks = 1;
	assert_int_equal(ask(request)->error.code, ERR_LEFTOVER);
	assert_all_well(CHECK);
	/* Paused by an operator, and without our tag: not ours to resume. */
	ask_well(request_of(HV_SUSPEND, "lvguard"));
	assert_int_equal(ask(request_of(HV_RESUME, "lvguard"))->error.code, ERR_VERIFY_FAILED);
	remove_guest("lvguard");
}

static void a_preflight_says_what_the_target_lacks(void **state)
{
	struct name_map net = { (char *)"br-lan", (char *)"br-none" }, pool = { (char *)"", (char *)"nowhere" };

	(void)state;
	make_guest("lvcheck", "--disk raw:16 --net br-lan");
	struct hv_request request = request_of(HV_PREFLIGHT, "lvcheck");
	request.pools = &pool;
	request.n_pools = 1;
	struct hv_reply *reply = ask(request);
	assert_int_equal(reply->error.code, ERR_TARGET_POOL_MISSING);
	assert_non_null(strstr(reply->error.message, "nowhere"));
	request.n_pools = 0;
	struct hv_reply *prepared = make_ready("lvcheck", 1);
	assert_int_equal(ask(request)->error.code, ERR_TARGET_VOLUME_EXISTS);
	struct hv_request again = with_disks(request_of(HV_PREPARE, "lvcheck"), prepared);
	struct hv_reply *second = ask(again);
	assert_int_equal(second->error.code, ERR_TARGET_VOLUME_EXISTS);
	assert_int_equal(second->n_disks, 1);
	assert_false(second->disks[0].was_created);
	ask_well(with_disks(at_target(HV_REMOVE_VOLUMES, "lvcheck"), prepared));
	request.nets = &net;
	request.n_nets = 1;
	reply = ask(request);
	/* Only a host that can list its devices can say so; the lab's has no udev, then it stays unproven. */
	if (reply->error.code != ERR_NONE)
		assert_int_equal(reply->error.code, ERR_TARGET_NETWORK_MISSING);
	struct hv_request nobody = request_of(HV_PREFLIGHT, "nobody");
	assert_int_equal(ask(nobody)->error.code, ERR_GUEST_GONE);
	remove_guest("lvcheck");
}

static void a_paused_handover_waits_for_the_resume(void **state)
{
	(void)state;
	make_guest("lvpause", "");
	make_ready("lvpause", 0);
	struct hv_request request = request_of(HV_MIGRATE, "lvpause");
	request.paused_handover = true;
	ask_well(request);
	struct hv_where there = where(lab.names[1], "lvpause");
	assert_int_equal(there.presence, HV_PAUSED);
	assert_int_equal(there.pause_reason, HV_PAUSE_USER);
	struct hv_request finish_request = at_target(HV_FINISH_TARGET, "lvpause");
	finish_request.paused_handover = true;
	assert_int_equal(ask(finish_request)->error.code, ERR_VERIFY_FAILED);
	ask_well(at_target(HV_RESUME, "lvpause"));
	ask_well(finish_request);
	assert_int_equal(where(lab.names[1], "lvpause").presence, HV_RUNNING);
	remove_guest("lvpause");
}

static void two_guests_move_at_once(void **state)
{
	static const char *const names[] = { "lvtwo1", "lvtwo2" };
	uint64_t tags[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		make_guest(names[i], "");
	for (int i = 0; i < 2; i++) {
		make_ready(names[i], 0);
		tags[i] = send_request(request_of(HV_MIGRATE, names[i]));
	}
	/* The same guest again, while it moves. */
	assert_int_equal(ask(request_of(HV_MIGRATE, names[1]))->error.code, ERR_GUEST_BUSY);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(await_reply(tags[i])->error.code, ERR_NONE);
		ask_well(at_target(HV_FINISH_TARGET, names[i]));
		remove_guest(names[i]);
	}
}

static void a_dead_host_is_reported_and_holds_up_nobody(void **state)
{
	char arguments[128];

	(void)state;
	lab.n_notes = 0;
	snprintf(arguments, sizeof arguments, "kill-libvirtd %s", lab.names[1]);
	assert_int_equal(run_tool(arguments), 0);
	await_note(HV_NOTE_HOST_DOWN, lab.names[1], "");
	struct hv_request request = at_target(HV_WHERE, "nobody");
	assert_int_equal(ask(request)->error.code, ERR_HOST_UNREACHABLE);
	request.host = lab.names[0];
	assert_int_equal(ask_well(request)->where.presence, HV_ABSENT);
	snprintf(arguments, sizeof arguments, "start-libvirtd %s", lab.names[1]);
	assert_int_equal(run_tool(arguments), 0);
	await_note(HV_NOTE_HOST_UP, lab.names[1], "");
	request.host = lab.names[1];
	assert_int_equal(ask_well(request)->where.presence, HV_ABSENT);
	request.host = "h99";
	assert_int_equal(ask(request)->error.code, ERR_UNKNOWN_HOST);
}

/* Nobody has that address: packets vanish, and the kernel would try for two minutes. */
static void a_host_that_never_answers_fails_its_own_requests_only(void **state)
{
	const struct hv_listener listener = { NULL, on_reply, on_note };
	struct libvirt_host hosts[] = { { .name = lab.names[0], .uri = lab.uris[0], .insecure = true }, { .name = "gone", .uri = "qemu+tcp://10.83.1.250/system", .insecure = true } };
	struct hypervisor *shared = lab.hypervisor;
	struct hv_request lost = request_of(HV_WHERE, "nobody"), fine = request_of(HV_WHERE, "nobody");

	(void)state;
	lab.hypervisor = libvirt_hv_new(hosts, 2, NULL, &listener, on_wake, NULL, NULL);
	assert_non_null(lab.hypervisor);
	lost.host = "gone";
	uint64_t tag = send_request(lost);
	assert_int_equal(ask_well(fine)->where.presence, HV_ABSENT);
	assert_int_equal(await_reply(tag)->error.code, ERR_HOST_UNREACHABLE);
	lab.hypervisor->free(lab.hypervisor);
	lab.hypervisor = shared;
}

/* --- life --- */

static int open_hypervisor(void **state)
{
	struct libvirt_host hosts[HOSTS_MAX] = { 0 };
	const struct hv_listener listener = { NULL, on_reply, on_note };
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < lab.n_hosts; i++)
		hosts[i] = (struct libvirt_host){ .name = lab.names[i], .uri = lab.uris[i], .insecure = true };
	lab.hypervisor = libvirt_hv_new(hosts, lab.n_hosts, NULL, &listener, on_wake, NULL, &err);
	return lab.hypervisor ? 0 : -1;
}

static int close_hypervisor(void **state)
{
	(void)state;
	lab.hypervisor->free(lab.hypervisor);
	for (uint64_t i = 0; i <= lab.last_tag; i++)
		hv_reply_clear(&lab.replies[i]);
	return 0;
}

int main(void)
{
	const char *path = getenv("DROVER_LAB_CONF");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_finds_the_host_and_its_guests),
		cmocka_unit_test(a_guest_with_disks_moves_and_leaves_nothing_behind),
		cmocka_unit_test(a_rate_holds_in_the_disk_and_the_memory_phase),
		cmocka_unit_test(an_abort_leaves_the_guest_on_its_source),
		cmocka_unit_test(an_abort_before_the_job_appears_is_not_lost),
		cmocka_unit_test(a_running_guest_loses_nothing_to_a_mistaken_cleanup),
		cmocka_unit_test(a_preflight_says_what_the_target_lacks),
		cmocka_unit_test(a_paused_handover_waits_for_the_resume),
		cmocka_unit_test(two_guests_move_at_once),
		cmocka_unit_test(a_dead_host_is_reported_and_holds_up_nobody),
		cmocka_unit_test(a_host_that_never_answers_fails_its_own_requests_only),
	};

	signal(SIGPIPE, SIG_IGN); /* as drover does: libvirt writes to hosts that may be gone */

	char made[64] = "";
	if (!path && (path = own_lab(made)) == NULL)
		return 77;
	int failed = 77;
	if (read_conf(path))
		failed = cmocka_run_group_tests(tests, open_hypervisor, close_hypervisor);
	else
		printf("SKIPPED: %s names no lab of two hosts\n", path);
	if (made[0]) {
		unlink(made);
		run_tool("down");
	}
	return failed;
}
