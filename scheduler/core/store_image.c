/* Records of the store as values: copied in one place, so that every store implementation and every
 * test agrees on who owns which string. Pure. */
#include "store_image.h"

#include "xalloc.h"

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

void store_image_copy_batch(struct batch_record *ret, const struct batch_record *record)
{
	*ret = *record;
	ret->title = copy_text(record->title);
	ret->reason = copy_text(record->reason);
	ret->who = copy_text(record->who);
	ret->hosts = copy_text(record->hosts);
	ret->request_json = copy_text(record->request_json);
}

void store_image_copy_move(struct move_record *ret, const struct move_record *record)
{
	*ret = *record;
	ret->guest = copy_text(record->guest);
	ret->source = copy_text(record->source);
	ret->target = copy_text(record->target);
	ret->network = copy_text(record->network);
	ret->path_source = copy_text(record->path_source);
	ret->path_target = copy_text(record->path_target);
	ret->reason = copy_text(record->reason);
	ret->disks = record->n_disks > 0 ? hv_disks_copy(record->disks, record->n_disks) : NULL;
}
