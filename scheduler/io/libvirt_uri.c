/* URIs and what they say about authentication. See libvirt_uri.h. */
#include "libvirt_uri.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/uri.h>

#include "xalloc.h"

/* Query parameters of libvirt's remote driver that name files or programs of the machine that connects. */
static const char *const client_parameters[] = { "pkipath", "keyfile", "sshauth", "known_hosts", "known_hosts_verify", "command",
						 "netcat", NULL };

static bool has_suffix(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && strcmp(text + n - m, suffix) == 0;
}

static bool is_named(const char *parameter, size_t n, const char *name)
{
	return n > strlen(name) && strncmp(parameter, name, strlen(name)) == 0 && parameter[strlen(name)] == '=';
}

static bool has_parameter(const char *query, const char *name)
{
	for (const char *at = query; at && *at; at += strcspn(at, "&;")) {
		at += strspn(at, "&;");
		if (is_named(at, strcspn(at, "&;"), name))
			return true;
	}
	return false;
}

static bool is_client_parameter(const char *parameter, size_t n)
{
	for (size_t i = 0; client_parameters[i]; i++)
		if (is_named(parameter, n, client_parameters[i]))
			return true;
	return false;
}

static enum lv_transport transport_of(const xmlURI *uri, bool insecure)
{
	const char *plus = uri->scheme ? strchr(uri->scheme, '+') : NULL;

	if (!plus)
		return uri->server ? LV_TLS : LV_LOCAL; /* libvirt takes TLS where nothing is said */
	if (strcmp(plus, "+tls") == 0)
		return LV_TLS;
	if (strcmp(plus, "+tcp") == 0)
		return insecure && !has_parameter(uri->query_raw, "auth") ? LV_PLAIN : LV_SASL;
	if (strcmp(plus, "+ssh") == 0 || strcmp(plus, "+libssh") == 0 || strcmp(plus, "+libssh2") == 0)
		return LV_SSH;
	return strcmp(plus, "+unix") == 0 ? LV_LOCAL : LV_OTHER;
}

enum lv_transport lv_transport_of(const char *uri, bool insecure)
{
	xmlURIPtr parsed = xmlParseURIRaw(uri, 1);
	enum lv_transport transport = parsed ? transport_of(parsed, insecure) : LV_OTHER;

	xmlFreeURI(parsed);
	return transport;
}

const char *lv_transport_name(enum lv_transport transport)
{
	switch (transport) {
	case LV_LOCAL: return "the local socket";
	case LV_TLS: return "certificates (TLS)";
	case LV_SASL: return "SASL over TCP (Kerberos)";
	case LV_SSH: return "ssh keys";
	case LV_PLAIN: return "plain TCP without authentication";
	case LV_OTHER: break;
	}
	return "a transport of its own";
}

/* The URI with its query: what is left of the old one, and the addition. */
static char *with_query(const char *uri, bool for_peer, const char *addition)
{
	size_t n = strcspn(uri, "?");
	char *out = xprintf("%.*s", (int)n, uri);
	const char *separator = "?";

	for (const char *at = uri[n] ? uri + n + 1 : ""; *at; at += strcspn(at, "&;")) {
		at += strspn(at, "&;");
		size_t length = strcspn(at, "&;");
		if (length == 0 || (for_peer && is_client_parameter(at, length)))
			continue;
		char *longer = xprintf("%s%s%.*s", out, separator, (int)length, at);
		free(out);
		out = longer;
		separator = "&";
	}
	if (!addition)
		return out;
	char *whole = xprintf("%s%s%s", out, separator, addition);
	free(out);
	return whole;
}

static char *complete(const char *uri, bool insecure, bool for_peer)
{
	xmlURIPtr parsed = xmlParseURIRaw(uri, 1);
	const char *addition = NULL;

	if (parsed) {
		enum lv_transport transport = transport_of(parsed, insecure);
		if (transport == LV_SASL && !has_parameter(parsed->query_raw, "auth"))
			addition = "auth=sasl";
		else if (transport == LV_SSH && has_suffix(parsed->scheme, "+ssh") && !has_parameter(parsed->query_raw, "no_tty"))
			addition = "no_tty=1";
	}
	xmlFreeURI(parsed);
	return with_query(uri, for_peer, addition);
}

char *lv_uri_own(const char *uri, bool insecure)
{
	return complete(uri, insecure, false);
}

char *lv_uri_peer(const char *uri, bool insecure)
{
	return complete(uri, insecure, true);
}

char *lv_uri_at(const char *uri, const char *address)
{
	xmlURIPtr parsed = xmlParseURIRaw(uri, 1);
	bool is_v6 = strchr(address, ':') != NULL;
	/* Behind ssh the answer of the network cannot be told from that of ssh. */
	bool is_tls = parsed && transport_of(parsed, false) == LV_TLS;
	char port[16] = "";

	if (parsed && parsed->port > 0 && transport_of(parsed, false) != LV_SSH)
		snprintf(port, sizeof port, ":%d", parsed->port);
	xmlFreeURI(parsed);
	return xprintf("qemu+%s://%s%s%s%s/system", is_tls ? "tls" : "tcp", is_v6 ? "[" : "", address, is_v6 ? "]" : "", port);
}

char *lv_uri_host(const char *uri)
{
	xmlURIPtr parsed = xmlParseURIRaw(uri, 1);
	char *host = NULL;

	if (parsed && parsed->server && parsed->server[0]) {
		const char *name = parsed->server;
		size_t n = strlen(name);
		host = name[0] == '[' && name[n - 1] == ']' ? xprintf("%.*s", (int)n - 2, name + 1) : xstrdup(name);
	}
	xmlFreeURI(parsed);
	return host;
}

char *lv_uri_login(const char *uri)
{
	xmlURIPtr parsed = xmlParseURIRaw(uri, 1);
	char *host = lv_uri_host(uri);
	char *login = host && parsed && parsed->user ? xprintf("%s@%s", parsed->user, host) : xstrdup(host);

	free(host);
	xmlFreeURI(parsed);
	return login;
}

char *lv_uri_parameter(const char *uri, const char *name)
{
	const char *query = strchr(uri, '?');

	for (const char *at = query ? query + 1 : ""; *at; at += strcspn(at, "&;")) {
		at += strspn(at, "&;");
		size_t n = strcspn(at, "&;");
		if (is_named(at, n, name))
			return xprintf("%.*s", (int)(n - strlen(name) - 1), at + strlen(name) + 1);
	}
	return NULL;
}

unsigned lv_uri_port(const char *uri)
{
	static const unsigned own[] = { [LV_TLS] = 16514, [LV_SASL] = 16509, [LV_PLAIN] = 16509, [LV_SSH] = 22, [LV_LOCAL] = 0, [LV_OTHER] = 0 };
	xmlURIPtr parsed = xmlParseURIRaw(uri, 1);
	unsigned port = parsed ? own[transport_of(parsed, false)] : 0;

	if (parsed && parsed->port > 0)
		port = (unsigned)parsed->port;
	xmlFreeURI(parsed);
	return port;
}
