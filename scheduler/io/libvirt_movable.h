/* What in a guest's XML ties it to its host, so that no target can ever take it. Pure: text in, refusal out. */
#ifndef DROVER_LIBVIRT_MOVABLE_H
#define DROVER_LIBVIRT_MOVABLE_H

#include "drover/error.h"

/* False names the guest, what it has, what it may have, and the way out. XML that cannot be read refuses nothing: whoever
 * needs it says so. */
bool lv_movable(const char *xml, const char *guest, const char *host, struct error *err);

/* What a copy of the disks does not bring along, so that the guest cannot be moved shut off either. */
bool lv_movable_cold(const char *xml, const char *guest, const char *host, struct error *err);

#endif
