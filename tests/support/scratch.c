/* Scratch folders: see scratch.h. */
#include "scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

static char folder[64];

char *scratch_path(const char *name)
{
	if (folder[0] == '\0') {
		snprintf(folder, sizeof(folder), "/tmp/drover-test-XXXXXX");
		if (!mkdtemp(folder))
			abort();
	}
	return xprintf("%s/%s", folder, name);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

void scratch_clear(void)
{
	if (folder[0] != '\0')
		nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	folder[0] = '\0';
}
