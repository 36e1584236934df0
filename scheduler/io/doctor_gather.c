/* Who is asked, in parallel: each host has a thread while there are threads, and none waits for another host. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_internal.h"

enum { THREADS_MAX = 64 };

struct gathering {
	struct doctor_facts *facts;
	const char *const *shells;
	void (*ask)(struct gathering *gathering, uint32_t host);
	pthread_mutex_t mutex;
	uint32_t next;
};

/* Hosts that no wanted pair is with are not disturbed. */
static bool is_needed(const struct doctor_facts *facts, uint32_t host)
{
	uint32_t other;

	if (doctor_wants_host(facts, host))
		return true;
	for (other = 0; other < facts->inventory->n_hosts; other++)
		if (doctor_wants_pair(facts, host, other))
			return true;
	return false;
}

static void *work(void *arg)
{
	struct gathering *gathering = arg;
	uint32_t host;

	for (;;) {
		pthread_mutex_lock(&gathering->mutex);
		host = gathering->next++;
		pthread_mutex_unlock(&gathering->mutex);
		if (host >= gathering->facts->inventory->n_hosts)
			return NULL;
		if (is_needed(gathering->facts, host))
			gathering->ask(gathering, host);
	}
}

static void ask_all(struct gathering *gathering)
{
	size_t n = gathering->facts->inventory->n_hosts, started = 0;
	pthread_t threads[THREADS_MAX];

	pthread_mutex_init(&gathering->mutex, NULL);
	while (started < n && started < THREADS_MAX && pthread_create(&threads[started], NULL, work, gathering) == 0)
		started++;
	if (started == 0)
		work(gathering);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	pthread_mutex_destroy(&gathering->mutex);
}

/* ---- a host ---- */

static bool is_numeric(const struct lookup *lookup)
{
	return lookup->n_addresses == 1 && strcmp(lookup->addresses[0], lookup->name) == 0;
}

static void ask_from_here(struct host_facts *host)
{
	if (host->control.host == NULL)
		return;
	local_look_up(host->control.host, &host->name);
	if (host->name.n_addresses == 0)
		return;
	if (!is_numeric(&host->name)) {
		host->name_back = local_name_of(host->name.addresses[0]);
		if (host->name_back != NULL)
			local_look_up(host->name_back, &host->name_again);
	}
	if (host->control.port != 0)
		host->control_port = local_try_port((const char *const *)host->name.addresses, host->name.n_addresses, host->control.port);
}

static void ask_by_shell(struct host_facts *host, const char *shell)
{
	char *script, *why = NULL;
	struct shell_output output;

	host->has_shell = shell != NULL;
	if (shell == NULL) {
		host->shell_unknown = xstrdup("no shell in its [host] section");
		return;
	}
	script = script_for_host(host);
	if (!shell_run(shell, script, &output, &why)) {
		host->shell_unknown = why;
	} else {
		if (!script_read_host(output.text, output.started_wall_ms, output.first_wall_ms, &host->shell))
			host->shell_unknown = xprintf("%s sh -s: what it printed is not whole", shell);
		free(output.text);
	}
	free(script);
}

static void ask_host(struct gathering *gathering, uint32_t host)
{
	ask_from_here(&gathering->facts->hosts[host]);
	ask_by_shell(&gathering->facts->hosts[host], gathering->shells[host]);
}

/* pkipath= of the first URI that has one; with free(), NULL = none has. */
static char *find_pkipath(const struct doctor_facts *facts)
{
	size_t i;

	for (i = 0; i < facts->inventory->n_hosts; i++) {
		const char *at = strstr(facts->hosts[i].uri, "pkipath=");

		if (at != NULL)
			return xprintf("%.*s", (int)strcspn(at + strlen("pkipath="), "&;#"), at + strlen("pkipath="));
	}
	return NULL;
}

static void ask_credentials(struct doctor_facts *facts)
{
	char *pkipath = find_pkipath(facts), *script = script_for_here(pkipath), *why = NULL;
	struct shell_output output;

	if (shell_run("", script, &output, &why)) {
		if (!script_read_here(output.text, &facts->here.credentials))
			credential_facts_clear(&facts->here.credentials);
		free(output.text);
	}
	free(why);
	free(script);
	free(pkipath);
}

void gather_hosts(struct doctor_facts *facts, const char *const *shells)
{
	struct gathering gathering = {.facts = facts, .shells = shells, .ask = ask_host};
	uint32_t host;

	ask_credentials(facts);
	ask_all(&gathering);
	for (host = 0; host < facts->inventory->n_hosts; host++)
		if (!is_needed(facts, host))
			facts->hosts[host].shell_unknown = xstrdup("it was not asked");
}

/* ---- the ways from a host ---- */

static void ask_ways(struct gathering *gathering, uint32_t source)
{
	char *script, *why = NULL;
	struct shell_output output;

	if (gathering->facts->hosts[source].shell_unknown != NULL)
		return;
	script = script_for_pairs(gathering->facts, source);
	if (shell_run(gathering->shells[source], script, &output, &why)) {
		script_read_pairs(output.text, gathering->facts, source);
		free(output.text);
	}
	free(why);
	free(script);
}

void gather_pairs(struct doctor_facts *facts, const char *const *shells)
{
	struct gathering gathering = {.facts = facts, .shells = shells, .ask = ask_ways};

	ask_all(&gathering);
}
