/* Checks of certificates and tickets: here, and on a host by what its shell told. */
#include <stdlib.h>
#include <string.h>

#include "doctor_impl.h"

static bool is_any_by(const struct examination *x, enum uri_transport transport)
{
	size_t i;

	for (i = 0; i < x->facts->inventory->n_hosts; i++)
		if (x->facts->hosts[i].control.transport == transport)
			return true;
	return false;
}

static void judge(struct examination *x, const struct credential_facts *facts)
{
	size_t i;

	if (!facts->has_openssl) {
		not_checked(x, xstrdup("openssl is not installed there"));
		return;
	}
	for (i = 0; i < facts->n_certificates; i++) {
		const struct certificate_fact *certificate = &facts->certificates[i];

		if (certificate->trouble != NULL)
			fault(x, FINDING_ERROR, xprintf("%s: %s", certificate->file, certificate->trouble), xstrdup("valid"));
		else if (certificate->n_lacking_names > 0)
			fault(x, FINDING_ERROR, xprintf("%s does not bear the name", certificate->file),
				join_texts(certificate->lacking_names, certificate->n_lacking_names, ADDRESSES_SHOWN_MAX));
		else if (certificate->ends_soon)
			fault(x, FINDING_WARNING, xprintf("%s ends on %s", certificate->file, certificate->until != NULL ? certificate->until : "a near day"),
				xprintf("valid for %d days more", CERTIFICATE_DAYS_MIN));
	}
}

void doctor_check_OWN_CERTIFICATE(struct examination *x)
{
	const struct credential_facts *facts = &x->facts->here.credentials;

	if (!is_any_by(x, TRANSPORT_TLS))
		return;
	judge(x, facts);
	if (facts->has_openssl && facts->n_certificates == 0)
		not_checked(x, xstrdup("no certificate is where libvirt looks for it, or it cannot be read"));
}

void doctor_check_TICKET(struct examination *x)
{
	const struct credential_facts *facts = &x->facts->here.credentials;

	if (!is_any_by(x, TRANSPORT_SASL) || facts->has_ticket)
		return;
	if (!facts->has_klist)
		not_checked(x, xstrdup("klist (krb5-user) is not installed here"));
	else
		fault(x, FINDING_OK, xprintf("no valid ticket in %s", facts->ticket_cache != NULL ? facts->ticket_cache : "the default cache"),
			xstrdup("a ticket"));
}

void doctor_check_CERTIFICATE(struct examination *x)
{
	const struct host_facts *facts = host_facts_of(x, x->host);
	const struct shell_facts *shell;

	if (facts->control.transport != TRANSPORT_TLS && facts->peer.transport != TRANSPORT_TLS)
		return;
	shell = need_shell(x, x->host);
	if (shell == NULL)
		return;
	judge(x, &shell->credentials);
	if (shell->credentials.has_openssl && shell->credentials.n_certificates == 0)
		not_checked(x, xstrdup("no certificate is where libvirt looks for it there"));
}

enum check_id doctor_refusal_of(const struct examination *x, uint32_t host, const struct uri_parts *uri, bool is_from_here)
{
	if (uri->transport == TRANSPORT_TLS && has_failed(x, CHECK_CERTIFICATE, host))
		return CHECK_CERTIFICATE;
	if (is_from_here && uri->transport == TRANSPORT_TLS && has_failed(x, CHECK_OWN_CERTIFICATE, INDEX_NONE))
		return CHECK_OWN_CERTIFICATE;
	if (is_from_here && uri->transport == TRANSPORT_SASL && has_failed(x, CHECK_TICKET, INDEX_NONE))
		return CHECK_TICKET;
	return CHECK_COUNT;
}
