/* Who has to prove what to whom. A move needs three connections: this process to the source, to the target, and the
 * source to the target. The last is opened by the source's libvirtd with its own credentials, which nobody can hand on
 * to it (the double hop); so it is tried before, from there, in a way that has no effect.
 *
 * That way: the source is asked for a peer-to-peer migration with a combination of flags that it refuses, but only after
 * it has opened the target's libvirtd. Its refusal is the proof. What libvirt says instead when the connection fails is
 * sorted by its code and errno, never by its text.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_internal.h"

/* --- why a connection could not be opened --- */

enum failure { FAILURE_OTHER, FAILURE_CREDENTIALS, FAILURE_NETWORK };

/* A file of credentials that cannot be read is a matter of credentials; an errno of a socket is none, except
 * that ssh ends without a word in libvirt's own protocol when it is refused. */
static enum failure sort_errno(int number, enum lv_transport transport)
{
	switch (number) {
	case ENOENT:
		return transport == LV_LOCAL ? FAILURE_OTHER : FAILURE_CREDENTIALS; /* its socket: no libvirtd runs */
	case EACCES:
	case EPERM:
		return FAILURE_CREDENTIALS;
	case EIO: /* the other side has closed the TLS session: it does not want our certificate */
		return transport == LV_TLS ? FAILURE_CREDENTIALS : FAILURE_OTHER;
	case ECONNRESET:
	case EPIPE:
		return transport == LV_SSH ? FAILURE_CREDENTIALS : FAILURE_NETWORK;
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENETUNREACH:
	case ENETDOWN:
	case ETIMEDOUT:
	case EADDRNOTAVAIL:
		return FAILURE_NETWORK;
	default:
		return FAILURE_OTHER;
	}
}

static enum failure sort_failure(const virError *last, enum lv_transport transport)
{
	if (!last)
		return FAILURE_OTHER;
	if (lv_error_code(last->code, ERR_NONE) == ERR_HOST_AUTH)
		return FAILURE_CREDENTIALS;
	if (last->code == VIR_ERR_SYSTEM_ERROR)
		return sort_errno(last->int1, transport);
	/* The socket was open, and the two could not agree on what follows: TLS session, SASL, certificate turned down. */
	if (last->code == VIR_ERR_RPC && (transport == LV_TLS || transport == LV_SASL))
		return FAILURE_CREDENTIALS;
	return FAILURE_OTHER;
}

/* The very command that has to work, with its user and the key that the uri names; and how the host becomes known. */
static void hint_ssh(struct error *err, const char *hop, const char *uri, const char *name)
{
	LV_AUTO(text_free) char *login = lv_uri_login(uri);
	LV_AUTO(text_free) char *key = lv_uri_parameter(uri, "keyfile");
	LV_AUTO(text_free) char *host = lv_uri_host(uri);

	error_hint(err, "%s: this has to work: ssh -o BatchMode=yes %s%s%s%s true. Its host key belongs in known_hosts (ssh-keyscan %s), "
		   "the public key in its authorized_keys", hop, key ? "-i " : "", key ? key : "", key ? " " : "", login ? login : name,
		   host ? host : name);
}

static void hint_own(struct error *err, const struct lv_host *to)
{
	char hop[NAME_BYTES_MAX + 16];

	switch (to->transport) {
	case LV_TLS:
		error_hint(err, "drover > %s: check certificate, key and CA here (/etc/pki, or pkipath= in the uri), and tls_allowed_dn_list there; "
				"the name in the uri has to be in its certificate", to->name);
		break;
	case LV_SASL:
		error_hint(err, "drover > %s: get a ticket here (kinit, or KRB5_CLIENT_KTNAME); there: auth_tcp = \"sasl\" and sasl_allowed_username_list. "
				"insecure = yes in [host %s] does without", to->name, to->name);
		break;
	case LV_SSH:
		snprintf(hop, sizeof hop, "drover > %s", to->name);
		hint_ssh(err, hop, to->uri, to->name);
		break;
	case LV_LOCAL:
	case LV_PLAIN:
	case LV_OTHER:
		error_hint(err, "drover > %s: try: virsh -c '%s' version", to->name, to->uri);
		break;
	}
}

/* For whatever failed: only the source can say more. */
static void hint_peer(struct error *err, const struct lv_host *from, const struct lv_host *to)
{
	char hop[3 * NAME_BYTES_MAX + 80];

	switch (to->peer_transport) {
	case LV_TLS:
		error_hint(err, "%s > %s: %s needs /etc/pki/libvirt/clientcert.pem that %s accepts (CA, tls_allowed_dn_list). On %s: "
				"virsh -c '%s' version", from->name, to->name, from->name, to->name, from->name, to->peer_uri);
		break;
	case LV_SASL:
		error_hint(err, "%s > %s: libvirtd of %s needs a keytab of its own, KRB5_CLIENT_KTNAME in its unit, and %s has to allow it in "
				"sasl_allowed_username_list", from->name, to->name, from->name, to->name);
		break;
	case LV_SSH:
		/* libvirt 9.0's own helper ends at once when a libvirtd has called it. */
		snprintf(hop, sizeof hop, "%s > %s, as root of %s (End of file only: add proxy=netcat to peer_uri)", from->name, to->name, from->name);
		hint_ssh(err, hop, to->peer_uri, to->name);
		break;
	case LV_LOCAL:
		error_hint(err, "%s is known by a local uri only: give peer_uri in [host %s]", to->name, to->name);
		break;
	case LV_PLAIN:
	case LV_OTHER:
		error_hint(err, "%s > %s: try on %s: virsh -c '%s' version", from->name, to->name, from->name, to->peer_uri);
		break;
	}
}

void lv_explain_open(struct error *err, const struct lv_host *from, const struct lv_host *to)
{
	enum failure failure = sort_failure(virGetLastError(), from ? to->peer_transport : to->transport);

	/* Whatever else failed, the host was not reached. */
	err->code = failure == FAILURE_CREDENTIALS ? ERR_HOST_AUTH : ERR_HOST_UNREACHABLE;
	if (from)
		hint_peer(err, from, to);
	else if (err->code == ERR_HOST_AUTH)
		hint_own(err, to);
	else
		error_hint(err, "%s", error_code_hint(err->code));
}

/* --- all hosts alike --- */

static enum lv_transport kind_of(const struct lv_host *host)
{
	return host->lv->options.is_direct ? host->transport : host->peer_transport;
}

static size_t count_kind(const struct lv *lv, enum lv_transport kind)
{
	size_t n = 0;

	for (size_t i = 0; i < lv->n_hosts; i++)
		n += kind_of(&lv->hosts[i]) == kind;
	return n;
}

bool lv_check_alike(const struct lv_host *source, const struct lv_host *target, struct error *err)
{
	const struct lv *lv = source->lv;
	const struct lv_host *odd = target, *usual = source;

	if (lv->options.allows_mixed || kind_of(source) == kind_of(target))
		return true;
	/* With a direct migration the hosts themselves never meet: how this machine is reached does not matter then. */
	if (lv->options.is_direct && (source->transport == LV_LOCAL || target->transport == LV_LOCAL))
		return true;
	if (count_kind(lv, kind_of(source)) < count_kind(lv, kind_of(target))) {
		odd = source;
		usual = target;
	}
	error_set(err, ERR_HOST_AUTH, "hop %s > %s: host %s authenticates by %s, %zu of %zu hosts by %s", source->name, target->name,
		  odd->name, lv_transport_name(kind_of(odd)), count_kind(lv, kind_of(usual)), lv->n_hosts, lv_transport_name(kind_of(usual)));
	error_hint(err, "set up %s like the others and change its uri in [host %s]; mixed_authentication = yes in [scheduler] allows it as it is",
		   odd->name, odd->name);
	return false;
}

bool lv_is_stream_encrypted(const struct lv_host *source, const struct lv_host *target)
{
	switch (source->lv->options.stream_tls) {
	case STREAM_TLS_YES:
		return true;
	case STREAM_TLS_NO:
		return false;
	case STREAM_TLS_AUTO:
		break;
	}
	return kind_of(source) == LV_TLS && kind_of(target) == LV_TLS;
}

/* --- the hop from host to host --- */

static struct lv_proof *proof_of(struct lv_host *source, const struct lv_host *target)
{
	return &source->proofs[target - source->lv->hosts];
}

void lv_forget_hops(struct lv_host *source, const struct lv_host *target)
{
	pthread_mutex_lock(&source->lv->mutex);
	proof_of(source, target)->control_ms = proof_of(source, target)->address_ms = 0;
	pthread_mutex_unlock(&source->lv->mutex);
}

static bool is_recent(int64_t then_ms)
{
	return then_ms != 0 && lv_now_ms() - then_ms < LV_PROOF_MS;
}

/* Offline needs a persistent destination, and without one the source refuses, once the destination is open. */
static int try_open(virDomainPtr domain, const char *uri)
{
	virResetLastError();
	if (virDomainMigrateToURI3(domain, uri, NULL, 0, VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_OFFLINE) == 0)
		return VIR_ERR_OK;
	return lv_last_code();
}

/* The source's own refusals, which come before or after the connection and are none of it. */
static bool is_no_failure_to_open(int code)
{
	return code == VIR_ERR_OPERATION_INVALID || code == VIR_ERR_OPERATION_UNSUPPORTED || code == VIR_ERR_NO_SUPPORT ||
	       code == VIR_ERR_ARGUMENT_UNSUPPORTED || code == VIR_ERR_INVALID_ARG || code == VIR_ERR_CONFIG_UNSUPPORTED ||
	       code == VIR_ERR_OK;
}

bool lv_prove_control(const struct lv_host *source, const struct lv_host *target, virDomainPtr domain, struct error *err)
{
	int code = try_open(domain, target->peer_uri);

	if (is_no_failure_to_open(code))
		return true;
	lv_error(err, ERR_HOST_UNREACHABLE, "hop %s > %s: host %s cannot connect to %s", source->name, target->name, source->name,
		 target->peer_uri);
	if (code == VIR_ERR_OPERATION_TIMEOUT)
		return false; /* somebody else has the guest: not a matter of hosts */
	lv_explain_open(err, source, target);
	return false;
}

/* Any answer will do, a refused connection too: the address is reached. */
bool lv_prove_address(const struct lv_host *source, const struct lv_host *target, virDomainPtr domain, const char *address,
		      struct error *err)
{
	char *uri = lv_uri_at(target->peer_uri, address);
	int code = try_open(domain, uri);
	virErrorPtr last = virGetLastError();
	bool is_down = code == VIR_ERR_SYSTEM_ERROR && last && sort_errno(last->int1, LV_OTHER) == FAILURE_NETWORK;

	free(uri);
	if (!is_down)
		return true;
	lv_error(err, ERR_NETWORK_DOWN, "host %s gets no answer from %s, the address of %s for moves", source->name, address, target->name);
	return false;
}

bool lv_check_hops(struct lv_host *source, struct lv_host *target, virConnectPtr conn, const struct hv_request *request,
		   struct error *err)
{
	struct lv *lv = source->lv;
	const char *address = request->check_address ? request->target_address : NULL;

	pthread_mutex_lock(&lv->mutex);
	struct lv_proof *proof = proof_of(source, target);
	bool has_control = lv->options.is_direct || is_recent(proof->control_ms);
	bool has_address = !address || (proof->address && strcmp(proof->address, address) == 0 && is_recent(proof->address_ms));
	pthread_mutex_unlock(&lv->mutex);
	if (has_control && has_address)
		return true;
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain_must(conn, request, err);
	if (!domain || (!has_control && !lv_prove_control(source, target, domain, err)) ||
	    (!has_address && !lv_prove_address(source, target, domain, address, err)))
		return false;
	virResetLastError();
	pthread_mutex_lock(&lv->mutex);
	proof->control_ms = lv_now_ms();
	if (!has_address) {
		free(proof->address);
		proof->address = xstrdup(address);
		proof->address_ms = proof->control_ms;
	}
	pthread_mutex_unlock(&lv->mutex);
	return true;
}
