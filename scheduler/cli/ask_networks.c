/* A network that no possible target has: which other one? What is answered becomes a mapping of the request, the same as one of a
 * [map] section, and is kept with the batch; nothing is remembered beyond it. */
#include "ask_networks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "say.h"
#include "xalloc.h"

struct names {
	char **list;
	size_t n;
};

static bool has(const struct names *names, const char *name)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (strcmp(names->list[i], name) == 0)
			return true;
	return false;
}

static void add(struct names *names, const char *name)
{
	if (!has(names, name))
		strings_add(&names->list, &names->n, name);
}

static void clear(struct names *names)
{
	while (names->n > 0)
		free(names->list[--names->n]);
	free(names->list);
}

static const struct wanted_move *wanted_of(const struct request *request, const struct guest *guest)
{
	size_t i;

	for (i = 0; i < request->n_moves; i++)
		if (strcmp(request->moves[i].guest, guest->name) == 0 || strcmp(request->moves[i].guest, guest->uuid) == 0)
			return &request->moves[i];
	return NULL;
}

static const char *mapped(const struct name_map *maps, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(maps[i].from, name) == 0)
			return maps[i].to;
	return NULL;
}

static bool is_candidate(const struct site *site, const struct request *request, const struct guest *guest,
	const struct wanted_move *wanted, uint32_t at)
{
	const struct host *host = &site->inventory->hosts[at];
	size_t i;

	if (wanted != NULL && wanted->to != NULL)
		return strcmp(wanted->to, host->name) == 0;
	for (i = 0; request->kind == REQUEST_DRAIN && i < request->n_hosts; i++)
		if (strcmp(request->hosts[i], host->name) == 0)
			return false;
	return at != guest->host && host->reachable && host->incoming && !host->cordoned;
}

/* The first of the guest's networks that no candidate has, and in *ret_choices what they have instead. NULL = none is missing
 * everywhere, or nothing is known of them. */
static const char *missing(const struct site *site, const struct request *request, const struct guest *guest, struct names *ret_choices)
{
	const struct wanted_move *wanted = wanted_of(request, guest);
	size_t i, k;
	uint32_t at;

	for (at = 0; at < site->inventory->n_hosts; at++)
		for (k = 0; is_candidate(site, request, guest, wanted, at) && k < site->inventory->hosts[at].n_networks; k++)
			add(ret_choices, site->inventory->hosts[at].networks[k]);
	for (i = 0; ret_choices->n > 0 && i < guest->n_interfaces; i++) {
		const char *name = guest->interfaces[i], *to = wanted != NULL ? mapped(wanted->nets, wanted->n_nets, name) : NULL;

		if (to == NULL)
			to = mapped(request->nets, request->n_nets, name);
		/* What was mapped to a network that is not there is a mistake to be corrected where it was made. */
		if (to == NULL && !has(ret_choices, name))
			return name;
	}
	return NULL;
}

/* NULL = an empty line or the end: the guests that need it stay. */
static char *ask(const char *guest, const char *name, const struct names *choices)
{
	char answer[NAME_BYTES_MAX + 2];
	size_t i;

	fflush(stdout);
	fprintf(stderr, "Guest %s needs network %s, and no host that could take it has one of that name. There are:", guest, name);
	for (i = 0; i < choices->n; i++)
		fprintf(stderr, "%s %s", i > 0 ? "," : "", choices->list[i]);
	fputc('\n', stderr);
	for (;;) {
		fprintf(stderr, "Which one instead, for all guests of this request? (Enter: none, they stay) ");
		if (fgets(answer, sizeof answer, stdin) == NULL || answer[0] == '\n')
			return NULL;
		answer[strcspn(answer, "\n")] = '\0';
		if (has(choices, answer))
			return xstrdup(answer);
		fprintf(stderr, "%s is none of them.\n", answer);
	}
}

bool ask_networks(const struct site *site, const struct plan *plan, struct request *request)
{
	struct names refused = {0};
	bool is_changed = false;
	size_t i;

	if (site->args->yes || site->args->no_input || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO) || !output_is_table(site->args))
		return false;
	for (i = 0; i < plan->n_blocked; i++) {
		struct names choices = {0};
		const struct guest *guest;
		const char *name;

		if (plan->blocked[i].guest == INDEX_NONE || plan->blocked[i].error.code != ERR_TARGET_NETWORK_MISSING)
			continue;
		guest = &site->inventory->guests[plan->blocked[i].guest];
		name = missing(site, request, guest, &choices);
		if (name != NULL && !has(&refused, name)) {
			char *to = ask(guest->name, name, &choices);

			if (to != NULL) {
				name_map_add(&request->nets, &request->n_nets, name, to);
				is_changed = true;
			} else {
				add(&refused, name);
			}
			free(to);
		}
		clear(&choices);
	}
	clear(&refused);
	return is_changed;
}
