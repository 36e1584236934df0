/* The hypervisor seam on real libvirt hosts.
 *
 * Knows no event loop: `wake` is called from any thread when replies or notes
 * are queued (uv_async_send fits), and the loop's thread then calls
 * libvirt_hv_drain, which hands them to the listener. Every other call belongs to the loop's
 * thread as well.
 *
 * Threads: one event thread for the whole process, which lives as long as the
 * process because libvirt's callbacks may fire after a close; per host a keeper,
 * which opens connections and notices their loss, two workers for slow calls and two
 * for the control of running migrations, each pair on its own connection; one
 * thread with its own connection per running migration. No thread is shared between
 * hosts, so that a dead host holds up nobody else.
 *
 * A migration cannot be interrupted by ending drover: free leaves its thread
 * behind, detached, and the peer-to-peer migration goes on between the hosts. free waits a second
 * or two at most for the other threads. Do not call it from inside a listener.
 */
#ifndef DROVER_LIBVIRT_HV_H
#define DROVER_LIBVIRT_HV_H

#include "drover/hypervisor.h"

/* uri is how this process reaches the host, peer_uri how other hosts reach it
 * (NULL = uri). insecure: plain TCP without authentication is accepted. Strings are copied. */
struct libvirt_host {
	const char *name;
	const char *uri;
	const char *peer_uri;
	bool insecure;
	const char *shell; /* words before ss that run it on the host; NULL = none */
};

struct libvirt_options {
	/* Direct migrations: both connections are this process's, with its caller's credentials, and the migration
	 * dies with them. Otherwise peer to peer: the source reaches the target with its own. */
	bool is_direct;
	bool allows_mixed; /* hosts that authenticate in different ways may move guests to each other */
	enum stream_tls stream_tls;
};

/* options NULL = all off, TLS by the URIs. NULL with err set when a host is given twice or threads cannot be made. Connecting
 * happens behind the scenes: HOST_UP or HOST_DOWN notes tell how it went. */
struct hypervisor *libvirt_hv_new(const struct libvirt_host *hosts, size_t n, const struct libvirt_options *options,
				  const struct hv_listener *listener,
				  void (*wake)(void *arg), void *wake_arg, struct error *err);

/* Delivers what is queued; returns how many replies and notes that were. */
size_t libvirt_hv_drain(struct hypervisor *hypervisor);

#endif
