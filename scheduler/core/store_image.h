/* Deep copies of what a store holds. For stores, and for whoever keeps a record longer than its owner does. */
#ifndef DROVER_STORE_IMAGE_H
#define DROVER_STORE_IMAGE_H

#include "drover/store.h"

/* *ret is overwritten, not cleared; the copy ends with batch_record_clear / move_record_clear. */
void store_image_copy_batch(struct batch_record *ret, const struct batch_record *record);
/* The disks are copied too. */
void store_image_copy_move(struct move_record *ret, const struct move_record *record);

#endif
