/* Guests that do not go live: asked to shut down, their disks copied through this process and read back, defined and started.
 *
 * The copy is a stream from the one libvirtd and a stream into the other, holes as holes. What was read is hashed on the way, then
 * the target is read from its beginning to its end and must give the same hash: only then is the copy said to be one. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nettle/sha2.h>

#include "libvirt_internal.h"
#include "libvirt_xml.h"

enum { CHUNK_BYTES = 1 << 18 };

/* ---- one guest on one host ---- */

static bool has_tag(virDomainPtr domain, const struct hv_request *request)
{
	LV_AUTO(text_free) char *xml = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, LV_TAG_URI, VIR_DOMAIN_AFFECT_CONFIG);
	struct job_tag tag = { 0 };
	bool is_tagged = xml && lv_xml_tag_read(xml, &tag);

	virResetLastError();
	if (request->job.epoch == 0)
		return !is_tagged;
	return is_tagged && tag.move == request->job.move && tag.epoch == request->job.epoch && strcmp(tag.run, request->job.run) == 0;
}

bool lv_shutdown(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain_must(conn, request, err);

	if (!domain)
		return false;
	if (virDomainShutdown(domain) == 0 || virDomainIsActive(domain) == 0) {
		virResetLastError();
		return true;
	}
	return lv_error(err, ERR_GUEST_DEVICE, "guest %s cannot be asked to shut down", request->guest);
}

bool lv_start(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain_must(conn, request, err);

	if (!domain)
		return false;
	if (virDomainIsActive(domain) == 1)
		return true;
	/* A late request of an attempt that is over must not start what its successor copies. */
	if (!has_tag(domain, request))
		return error_set(err, ERR_VERIFY_FAILED, "guest %s is not started: its definition is not of this attempt", request->guest);
	if (virDomainCreate(domain) == 0 || virDomainIsActive(domain) == 1) {
		virResetLastError();
		return true;
	}
	return lv_error(err, ERR_VERIFY_FAILED, "guest %s cannot be started", request->guest);
}

bool lv_define(virConnectPtr source, virConnectPtr target, const struct hv_request *request, struct error *err)
{
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain_must(source, request, err);
	struct lv_nets nets;

	if (!domain)
		return false;
	if (virDomainIsActive(domain) != 0 || !has_tag(domain, request))
		return error_set(err, ERR_VERIFY_FAILED, "guest %s runs on %s, or is not tagged by this attempt: it is not defined on %s",
				 request->guest, request->host, request->target);
	LV_AUTO(text_free) char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_MIGRATABLE);
	if (!xml)
		return lv_error(err, ERR_VERIFY_FAILED, "guest %s: its XML cannot be read", request->guest);
	lv_nets_read(target, &nets);
	nets.maps = request->nets;
	nets.n_maps = request->n_nets;
	/* The tag stays in it: it says that the disks are complete. */
	LV_AUTO(text_free) char *there = lv_xml_for_target(xml, request->disks, request->n_disks, &nets, false, err);
	lv_nets_clear(&nets);
	if (!there)
		return false;
	virDomainPtr defined = virDomainDefineXML(target, there);
	if (!defined)
		return lv_error(err, ERR_VERIFY_FAILED, "guest %s cannot be defined on %s", request->guest, request->target);
	virDomainFree(defined);
	return true;
}

/* ---- the copy ---- */

struct copy {
	struct lv_host *host, *target;
	struct hv_request *request;
	virConnectPtr from, to;
	uint64_t bytes;
	int64_t began_ms;
};

static bool is_cancelled(const struct copy *copy)
{
	struct lv *lv = copy->host->lv;

	pthread_mutex_lock(&lv->mutex);
	struct lv_move *move = lv_move_find(lv, copy->host->name, copy->request->guest, false);
	bool is = lv->stopping || !move || move->cancelled;
	pthread_mutex_unlock(&lv->mutex);
	return is;
}

static void hash_hole(struct sha256_ctx *hash, long long length)
{
	static const uint8_t zeros[CHUNK_BYTES];

	for (; length > 0; length -= CHUNK_BYTES)
		sha256_update(hash, length < CHUNK_BYTES ? (size_t)length : CHUNK_BYTES, zeros);
}

static bool send_all(virStreamPtr stream, const char *bytes, size_t n)
{
	while (n > 0) {
		int sent = virStreamSend(stream, bytes, n);

		if (sent < 0)
			return false;
		bytes += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* Slower than the link would go, where the operator set a limit. */
static void pace(const struct copy *copy)
{
	uint64_t rate = copy->request->rate_bytes_per_s;
	int64_t due_ms = rate == 0 ? 0 : copy->began_ms + (int64_t)(copy->bytes * 1000 / rate), now_ms = lv_now_ms();

	if (due_ms > now_ms)
		usleep((useconds_t)(due_ms - now_ms) * 1000);
}

/* Reads a stream to its end, hashes it, and passes it on when `to` is given. */
static bool pump(struct copy *copy, virStreamPtr from, virStreamPtr to, struct sha256_ctx *hash, struct error *err)
{
	LV_AUTO(text_free) char *buffer = xmalloc(CHUNK_BYTES);

	for (;;) {
		long long hole = 0;
		int n = virStreamRecvFlags(from, buffer, CHUNK_BYTES, VIR_STREAM_RECV_STOP_AT_HOLE);

		if (n == -3) {
			if (virStreamRecvHole(from, &hole, 0) < 0 || (to && virStreamSendHole(to, hole, 0) < 0))
				return lv_error(err, ERR_PREPARE_FAILED, "a hole of %lld bytes", hole);
			hash_hole(hash, hole);
			continue;
		}
		if (n < 0)
			return lv_error(err, ERR_PREPARE_FAILED, "it cannot be read");
		if (n == 0)
			return true;
		sha256_update(hash, (size_t)n, (const uint8_t *)buffer);
		if (to) {
			copy->bytes += (uint64_t)n;
			pace(copy);
		}
		if (to && !send_all(to, buffer, (size_t)n))
			return lv_error(err, ERR_PREPARE_FAILED, "it cannot be written");
		if (is_cancelled(copy))
			return error_set(err, ERR_MIGRATE_ABORTED, "the copy was cancelled");
	}
}

static bool finish(virStreamPtr stream, bool ok, struct error *err)
{
	if (ok && virStreamFinish(stream) == 0)
		return true;
	if (ok)
		return lv_error(err, ERR_PREPARE_FAILED, "its stream did not end well");
	virStreamAbort(stream);
	virResetLastError();
	return false;
}

static bool read_back(struct copy *copy, virStorageVolPtr volume, uint8_t *ret_digest, struct error *err)
{
	virStreamPtr stream = virStreamNew(copy->to, 0);
	struct sha256_ctx hash;

	sha256_init(&hash);
	bool ok = stream && virStorageVolDownload(volume, stream, 0, 0, VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM) == 0;
	if (!ok)
		lv_error(err, ERR_PREPARE_FAILED, "it cannot be read back");
	else
		ok = finish(stream, pump(copy, stream, NULL, &hash, err), err);
	if (stream)
		virStreamFree(stream);
	sha256_digest(&hash, SHA256_DIGEST_SIZE, ret_digest);
	return ok;
}

static bool send_volume(struct copy *copy, virStorageVolPtr source, virStorageVolPtr target, uint8_t *ret_digest, struct error *err)
{
	virStreamPtr from = virStreamNew(copy->from, 0), to = virStreamNew(copy->to, 0);
	struct sha256_ctx hash;
	bool ok = from && to && virStorageVolDownload(source, from, 0, 0, VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM) == 0 &&
		  virStorageVolUpload(target, to, 0, 0, VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM) == 0;

	sha256_init(&hash);
	if (!ok) {
		lv_error(err, ERR_PREPARE_FAILED, "its copy cannot begin");
	} else {
		ok = pump(copy, from, to, &hash, err);
		/* Both are ended in any case: a stream left open keeps its connection. */
		bool from_ok = finish(from, ok, err);
		ok = finish(to, from_ok, err);
	}
	if (from)
		virStreamFree(from);
	if (to)
		virStreamFree(to);
	sha256_digest(&hash, SHA256_DIGEST_SIZE, ret_digest);
	return ok;
}

static bool copy_disk(struct copy *copy, const struct hv_disk *disk, struct error *err)
{
	uint8_t sent[SHA256_DIGEST_SIZE], found[SHA256_DIGEST_SIZE];
	bool is_absent;
	LV_AUTO(volume_unref) virStorageVolPtr source = lv_volume(copy->from, disk->source_pool, disk->source_volume, &is_absent, err);

	if (!source)
		return !is_absent ? false : error_set(err, ERR_GUEST_DISK, "volume %s of pool %s is not on the source any more",
						      disk->source_volume, disk->source_pool);
	LV_AUTO(volume_unref) virStorageVolPtr target = lv_volume(copy->to, disk->target_pool, disk->target_volume, &is_absent, err);
	if (!target)
		return !is_absent ? false : error_set(err, ERR_PREPARE_FAILED, "volume %s of pool %s is not on the target",
						      disk->target_volume, disk->target_pool);
	if (!send_volume(copy, source, target, sent, err) || !read_back(copy, target, found, err))
		return false;
	if (memcmp(sent, found, sizeof sent) == 0)
		return true;
	return error_set(err, ERR_VERIFY_FAILED, "what was read back from the target (sha256 %02x%02x%02x%02x...) is not what was sent "
			 "(%02x%02x%02x%02x...)", found[0], found[1], found[2], found[3], sent[0], sent[1], sent[2], sent[3]);
}

static bool copy_all(struct copy *copy, struct error *err)
{
	const struct hv_request *request = copy->request;
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain_must(copy->from, request, err);

	if (!domain)
		return false;
	if (virDomainIsActive(domain) != 0)
		return error_set(err, ERR_GUEST_BUSY, "guest %s runs: its disks are not copied", request->guest);
	copy->began_ms = lv_now_ms();
	for (size_t i = 0; i < request->n_disks; i++)
		if (!copy_disk(copy, &request->disks[i], err))
			return error_wrap(err, "guest %s: disk %s", request->guest, request->disks[i].target);
	return true;
}

static void *run(void *arg)
{
	struct copy *copy = arg;
	struct lv *lv = copy->host->lv;
	struct hv_reply reply = { .tag = copy->request->tag, .kind = HV_COPY };

	copy->from = lv_open(copy->host, &reply.error);
	copy->to = copy->from ? lv_open(copy->target, &reply.error) : NULL;
	if (copy->to && copy_all(copy, &reply.error)) {
		reply.stats.disk_processed_bytes = copy->bytes;
		reply.stats.phase = HV_PHASE_DONE;
	}
	if (copy->to)
		virConnectClose(copy->to);
	if (copy->from)
		virConnectClose(copy->from);
	if (reply.error.code != ERR_NONE)
		error_wrap(&reply.error, "host %s", copy->host->name);
	pthread_mutex_lock(&lv->mutex);
	lv_move_drop(lv, copy->host->name, copy->request->guest);
	pthread_mutex_unlock(&lv->mutex);
	hv_request_free(copy->request);
	free(copy);
	lv_reply(lv, &reply);
	lv_unref(lv);
	return NULL;
}

void lv_copy_start(struct lv_host *host, const struct hv_request *request)
{
	struct hv_reply reply = { .tag = request->tag, .kind = HV_COPY };
	struct lv_host *target = lv_find_host(host->lv, request->target);

	if (!target) {
		error_set(&reply.error, ERR_UNKNOWN_HOST, "guest %s: its target %s is not a known host", request->guest,
			  request->target ? request->target : "(none)");
	} else {
		struct copy *copy = xcalloc(1, sizeof *copy);

		*copy = (struct copy){ .host = host, .target = target, .request = hv_request_copy(request) };
		pthread_mutex_lock(&host->lv->mutex);
		lv_move_find(host->lv, host->name, request->guest, true)->cancelled = false;
		pthread_mutex_unlock(&host->lv->mutex);
		if (lv_thread(host->lv, run, copy, &reply.error))
			return;
		hv_request_free(copy->request);
		free(copy);
	}
	lv_reply(host->lv, &reply);
}
