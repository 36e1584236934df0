/* Commands that move guests: plan, show, ask, run, follow. The same words again after an interruption go on
 * with the batch that they began. */
#include <stdlib.h>
#include <string.h>

#include "ask_networks.h"
#include "cmd.h"
#include "output.h"
#include "run.h"
#include "say.h"
#include "show.h"
#include "want.h"
#include "xalloc.h"

static const struct batch_record *unfinished_batch(const struct store_image *image, const char *title)
{
	size_t i;

	for (i = 0; i < image->n_batches; i++)
		if (!batch_state_is_end(image->batches[i].state) && (title == NULL || strcmp(image->batches[i].title, title) == 0))
			return &image->batches[i];
	return NULL;
}

static void say_others(const struct store_image *image, const char *title)
{
	size_t i;

	for (i = 0; i < image->n_batches; i++) {
		const struct batch_record *batch = &image->batches[i];

		if (batch_state_is_end(batch->state) || strcmp(batch->title, title) == 0)
			continue;
		if (batch->state == BATCH_PAUSED)
			say_note("Batch %llu (%s) is paused and stays so; drover resume %llu goes on with it.",
				(unsigned long long)batch->id, batch->title, (unsigned long long)batch->id);
		else
			say_note("Batch %llu (%s) was not finished and goes on too.", (unsigned long long)batch->id, batch->title);
	}
}

/* What libvirt carries on by itself otherwise is lost then. */
static void say_who_carries(const struct site *site)
{
	if (site->config->credentials == CREDENTIALS_CALLER && site->world != NULL && !world_is_simulated(site->world))
		say_warning("credentials = caller: drover itself carries the moves; one that is under way fails, and its guest stays where it is, "
			"when drover is killed or loses a host");
}

static int go_on(struct site *site, const struct batch_record *batch)
{
	struct run_wish wish = {.batch = batch->id, .title = batch->title};
	size_t i, done = 0, all = 0;

	for (i = 0; i < site->image->n_moves; i++) {
		if (site->image->moves[i].batch != batch->id)
			continue;
		/* A guest that goes by way of a third host has come when its second leg is done. */
		all += site->image->moves[i].leg != LEG_FIRST;
		done += site->image->moves[i].leg != LEG_FIRST && site->image->moves[i].state == MOVE_DONE;
	}
	/* A pause outlives whoever asked for it; what was on its way when drover died is seen to its end all the same. */
	wish.ends_when_quiet = batch->state == BATCH_PAUSED;
	if (wish.ends_when_quiet)
		say_note("Batch %llu (%s) is paused, nothing more starts: %zu of %zu guests are moved.", (unsigned long long)batch->id,
			batch->title, done, all);
	else
		say_note("Going on with batch %llu (%s): %zu of %zu guests are moved.", (unsigned long long)batch->id, batch->title,
			done, all);
	say_others(site->image, batch->title);
	say_who_carries(site);
	return run_engine(site, &wish);
}

static int refuse_all(const struct args *args, const struct plan *plan)
{
	struct error err;
	size_t i;

	if (plan->n_blocked == 1) {
		err = plan->blocked[0].error;
		return say_error(&err);
	}
	for (i = 0; i < plan->n_blocked && !output_is_table(args); i++)
		say_note("%s: %s", plan->blocked[i].name, plan->blocked[i].error.message);
	error_set(&err, ERR_INFEASIBLE, "none of the %zu guests can be moved; nothing was done", plan->n_blocked);
	return say_error(&err);
}

static int run_plan(struct site *site, const struct request *request, const struct plan *plan, const char *title)
{
	struct run_wish wish = {.request = request, .plan = plan, .title = title};
	bool is_for_people = output_is_table(site->args);
	struct error err;
	char *question;
	bool is_agreed;

	if (is_for_people)
		show_plan(site->args, plan, site->inventory, request);
	if (plan->n_moves == 0 && plan->n_blocked > 0)
		return refuse_all(site->args, plan);
	if (plan->n_moves == 0 && request->kind != REQUEST_DRAIN && request->kind != REQUEST_RETURN) {
		if (!is_for_people)
			show_plan(site->args, plan, site->inventory, request);
		return EXIT_DONE;
	}
	if (plan->n_moves > 0) {
		say_who_carries(site);
		question = xprintf("Move %zu guest%s now?", plan->n_moves, plan->n_moves == 1 ? "" : "s");
		is_agreed = say_ask(site->args, question, &err);
		free(question);
		if (!is_agreed)
			return say_error(&err);
	}
	say_others(site->image, title);
	return run_engine(site, &wish);
}

/* A guest may need several networks, so that one answer can raise the next question; each asks for another name. */
static int plan_asking(const struct want *want, const struct site *site, struct plan **ret_plan)
{
	int result = want_plan(want, site, ret_plan);

	while (result == EXIT_DONE && ask_networks(site, *ret_plan, want->request)) {
		plan_free(*ret_plan);
		*ret_plan = NULL;
		result = want_plan(want, site, ret_plan);
	}
	return result;
}

int cmd_drain(const struct args *args)
{
	size_t n_words = args->n_words + 1, i;
	const char **words = xcalloc(n_words, sizeof *words);
	const struct batch_record *batch = NULL;
	struct want want = {0};
	struct plan *plan = NULL;
	struct site site = {0};
	struct error err;
	int result = EXIT_DONE;

	words[0] = args->command->name;
	for (i = 1; i < n_words; i++)
		words[i] = args->words[i - 1];
	if (!want_check(args, words, n_words, &err))
		result = say_error(&err);
	if (result == EXIT_DONE)
		result = site_open(&site, args, SITE_STORE | SITE_INVENTORY);
	if (result == EXIT_DONE)
		result = want_read(&want, &site, words, n_words);
	if (result == EXIT_DONE)
		batch = unfinished_batch(site.image, want.title);
	if (result == EXIT_DONE && batch == NULL)
		result = plan_asking(&want, &site, &plan);
	if (result == EXIT_DONE)
		result = batch != NULL ? go_on(&site, batch) : run_plan(&site, want.request, plan, want.title);
	plan_free(plan);
	want_clear(&want);
	site_close(&site);
	free(words);
	return result;
}

/* The words that would have made this request, as far as there are any. */
static char *title_of_request(const struct request *request, const char *file)
{
	char *title, *longer;
	size_t i;

	if (request->n_hosts == 0 || request->n_moves > 0)
		return xprintf("apply %s", file);
	title = xstrdup(request_kind_name(request->kind));
	for (i = 0; i < request->n_hosts; i++) {
		longer = xprintf("%s %s", title, request->hosts[i]);
		free(title);
		title = longer;
	}
	return title;
}

int cmd_apply(const struct args *args)
{
	struct request *request = NULL;
	struct plan *plan = NULL;
	char *title = NULL;
	struct site site;
	struct error err;
	int result = site_open(&site, args, SITE_STORE | SITE_INVENTORY);

	if (result == EXIT_DONE && !plan_read(args->words[0], site.inventory, &plan, &request, &err))
		result = say_error(&err);
	if (result == EXIT_DONE) {
		title = title_of_request(request, args->words[0]);
		if (unfinished_batch(site.image, title) != NULL)
			result = go_on(&site, unfinished_batch(site.image, title));
		else
			result = run_plan(&site, request, plan, title);
	}
	free(title);
	plan_free(plan);
	request_free(request);
	site_close(&site);
	return result;
}
