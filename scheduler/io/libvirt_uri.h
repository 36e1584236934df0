/* What a libvirt URI says about authentication, and what has to be added to it so that it says it
 * strictly. Pure: nothing is opened.
 *
 *   qemu+tls   certificates on both sides; libvirt checks them
 *   qemu+tcp   with insecure = no: SASL is demanded from the server (auth=sasl), so that one without is refused;
 *              libvirt encrypts it then. With insecure = yes: taken as it is
 *   qemu+ssh   keys; never a question on a terminal (no_tty=1)
 *   qemu:///   the machine itself
 */
#ifndef DROVER_LIBVIRT_URI_H
#define DROVER_LIBVIRT_URI_H

#include <stdbool.h>

enum lv_transport { LV_LOCAL, LV_TLS, LV_SASL, LV_SSH, LV_PLAIN, LV_OTHER };

/* insecure: plain TCP without authentication is accepted. */
enum lv_transport lv_transport_of(const char *uri, bool insecure);
/* "certificates (TLS)" */
const char *lv_transport_name(enum lv_transport transport);

/* New strings, free() them. As drover itself opens it. */
char *lv_uri_own(const char *uri, bool insecure);
/* As another host opens it: without what speaks of files on the machine that runs drover. */
char *lv_uri_peer(const char *uri, bool insecure);
/* The same service at another address of the host, to see whether the address answers: the transport's port, no credentials. */
char *lv_uri_at(const char *uri, const char *address);
/* Name of the host, as certificates and tickets bear it; NULL when the URI has none. */
char *lv_uri_host(const char *uri);
/* "root@h1", for ssh; NULL when the URI has no host. */
char *lv_uri_login(const char *uri);
/* The value of a query parameter; NULL when it is not there. */
char *lv_uri_parameter(const char *uri, const char *name);
/* The port that it leads to: its own or the transport's; 0 = none. */
unsigned lv_uri_port(const char *uri);

#endif
