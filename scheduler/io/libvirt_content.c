/* Whether a file on two hosts is the same one. A backing file of many gigabytes cannot be read whole on both for each move, or keeping it
 * would cost more than copying: sizes must be equal, and samples from all over it. Two images made
 * apart, or two versions of one, differ in their headers and tables, which are among the samples.
 */
#include <stdlib.h>
#include <string.h>

#include "libvirt_preflight.h"

enum {
	SAMPLES = 16, /* each costs two calls of some milliseconds */
	SAMPLE_BYTES = 64 << 10,
};

static bool read_sample(virConnectPtr conn, virStorageVolPtr volume, uint64_t offset, uint64_t length, char *ret)
{
	virStreamPtr stream = virStreamNew(conn, 0);
	size_t done = 0;
	int n = stream && virStorageVolDownload(volume, stream, offset, length, 0) == 0 ? 1 : -1;

	while (n > 0 && done < length) {
		n = virStreamRecv(stream, ret + done, (size_t)length - done);
		done += n > 0 ? (size_t)n : 0;
	}
	bool is_whole = done == length;
	if (stream && is_whole)
		is_whole = virStreamFinish(stream) == 0;
	else if (stream)
		virStreamAbort(stream);
	if (stream)
		virStreamFree(stream);
	return is_whole;
}

static bool compare_at(virConnectPtr conn_a, virStorageVolPtr a, virConnectPtr conn_b, virStorageVolPtr b, uint64_t offset, uint64_t length,
		       char *buffers, struct error *err)
{
	const char *path = virStorageVolGetKey(a);

	if (!read_sample(conn_a, a, offset, length, buffers) || !read_sample(conn_b, b, offset, length, buffers + SAMPLE_BYTES))
		return lv_error(err, ERR_TARGET_BACKING, "%s cannot be read at byte %llu", path, (unsigned long long)offset);
	if (memcmp(buffers, buffers + SAMPLE_BYTES, (size_t)length) == 0)
		return true;
	return error_set(err, ERR_TARGET_BACKING, "%s has other content from byte %llu on (%llu compared)", path, (unsigned long long)offset,
			 (unsigned long long)length);
}

bool lv_same_content(virConnectPtr conn_a, virStorageVolPtr a, virConnectPtr conn_b, virStorageVolPtr b, struct error *err)
{
	virStorageVolInfo here, there;

	/* With this flag the allocation is the length of the file. */
	if (virStorageVolGetInfoFlags(a, &here, VIR_STORAGE_VOL_GET_PHYSICAL) < 0 ||
	    virStorageVolGetInfoFlags(b, &there, VIR_STORAGE_VOL_GET_PHYSICAL) < 0)
		return lv_error(err, ERR_TARGET_BACKING, "size of %s", virStorageVolGetKey(a));
	if (here.capacity != there.capacity || here.allocation != there.allocation)
		return error_set(err, ERR_TARGET_BACKING, "%s has %llu bytes (capacity %llu) and %llu (capacity %llu) there", virStorageVolGetKey(a),
				 here.allocation, here.capacity, there.allocation, there.capacity);
	uint64_t length = here.allocation < SAMPLE_BYTES ? here.allocation : SAMPLE_BYTES;
	char *buffers = xmalloc(2 * SAMPLE_BYTES);
	bool ok = true;
	for (uint64_t i = 0; ok && i < SAMPLES; i++)
		ok = compare_at(conn_a, a, conn_b, b, (here.allocation - length) / (SAMPLES - 1) * i, length, buffers, err);
	free(buffers);
	return ok;
}
