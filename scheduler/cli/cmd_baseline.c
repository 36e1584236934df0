/* preflight --baseline: the CPU that guests should have so that each host can take them. */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "libvirt_baseline.h"
#include "output.h"
#include "say.h"
#include "site.h"
#include "xalloc.h"

static const char *const baseline_keys[] = {"hosts", "virt_type", "cpu", NULL};

static const struct config_host *find(const struct site *site, const char *name)
{
	size_t i;

	for (i = 0; i < site->config->n_hosts; i++)
		if (strcmp(site->config->hosts[i].name, name) == 0)
			return &site->config->hosts[i];
	return NULL;
}

/* The named hosts, or all. *ret_hosts with free(). */
static bool choose(const struct site *site, struct libvirt_host **ret_hosts, size_t *ret_n, struct error *err)
{
	const struct args *args = site->args;
	size_t n = args->n_words > 0 ? args->n_words : site->config->n_hosts, i;
	struct libvirt_host *hosts = xcalloc(n, sizeof *hosts);

	for (i = 0; i < n; i++) {
		const struct config_host *host = args->n_words > 0 ? find(site, args->words[i]) : &site->config->hosts[i];

		if (host == NULL)
			error_set(err, ERR_UNKNOWN_HOST, "no host is named %s", args->words[i]);
		else if (host->uri == NULL || strncmp(host->uri, "sim:", 4) == 0)
			error_set(err, ERR_UNSUPPORTED, "host %s is simulated and has no CPU features to compare", host->name);
		else {
			hosts[i] = (struct libvirt_host){.name = host->name, .uri = host->uri, .peer_uri = host->peer_uri};
			continue;
		}
		free(hosts);
		return false;
	}
	*ret_hosts = hosts;
	*ret_n = n;
	return n > 0 || error_set(err, ERR_CONFIG, "no hosts are configured");
}

static void show(const struct args *args, const struct libvirt_host *hosts, size_t n, const struct baseline *baseline)
{
	json_t *names = json_array(), *document;
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(names, json_string(hosts[i].name));
	document = json_pack("{s:s, s:[{s:o, s:s, s:s}]}", "schema", "drover/baseline/1", "baselines", "hosts", names, "virt_type",
		baseline->virt_type, "cpu", baseline->cpu);
	if (output_is_table(args)) {
		fputs(baseline->cpu, stdout);
		say_note("The CPU that guests of type %s can have on all of these hosts (%zu): put it into the guest's XML and start it anew.",
			baseline->virt_type, n);
	} else {
		output_document(args, document, "baselines", baseline_keys);
	}
	json_decref(document);
}

int cmd_baseline(const struct args *args)
{
	struct libvirt_host *hosts = NULL;
	struct baseline baseline = {0};
	struct site site = {0};
	struct error err;
	size_t n = 0;
	int result = site_open(&site, args, SITE_CONFIG);

	if (result == EXIT_DONE) {
		if (choose(&site, &hosts, &n, &err) && libvirt_baseline(hosts, n, &baseline, &err))
			show(args, hosts, n, &baseline);
		else
			result = say_error(&err);
	}
	free(baseline.cpu);
	free(hosts);
	site_close(&site);
	return result;
}
