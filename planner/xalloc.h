/* Allocation that cannot fail: a scheduler without memory for a name has no
 * sensible way on, and a process that stops is always safe here, because moves
 * in flight belong to the hosts and are adopted at the next start.
 */
#ifndef DROVER_XALLOC_H
#define DROVER_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc_array(void *old, size_t n, size_t size);
char *xstrdup(const char *text); /* NULL stays NULL */
char *xprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for one more element in an array that grows by doubling; capacity is
 * implied: arrays grow when n is a power of two. Returns the array. */
void *xgrow(void *array, size_t n, size_t size);

#endif
