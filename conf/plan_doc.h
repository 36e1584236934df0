/* Parts of plan, report and request documents that several of them share. */
#ifndef CONF_PLAN_DOC_H
#define CONF_PLAN_DOC_H

#include "drover/config.h"
#include "json.h"

/* Writes the members of a request into an object under key (NULL = the document itself). */
void request_write(struct json_writer *writer, const char *key, const struct request *request);
/* NULL on error. */
struct request *request_read(struct json_reader *reader, const json_t *object);

/* What of an inventory a plan rests on, so that a stale plan can say what changed: a flat object for each host
 * and guest. */
void brief_write(struct json_writer *writer, const char *key, const struct inventory *inventory);
/* ERR_PLAN_STALE with the differences between a brief that was read and the inventory of now. */
bool brief_differs(const json_t *brief, const struct inventory *inventory, const char *name, struct error *err);

/* plan_read of a text. */
bool plan_parse(const char *text, size_t n, const char *name, const struct inventory *inventory, struct plan **ret_plan,
	struct request **ret_request, struct error *err);

#endif
