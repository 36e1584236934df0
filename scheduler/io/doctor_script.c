/* The scripts that a check-up runs on hosts, and reading what they print: a line for each fact, its kind as the first word.
 * Plain sh and what a libvirt host has anyway; a tool that is missing leaves its facts unknown. They change nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_internal.h"

enum { DAY_SECONDS = 86400, CAP_SYS_PTRACE_BIT = 19 };

static const char preamble[] =
	"export LC_ALL=C PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"\n"
	"has() { command -v \"$1\" >/dev/null 2>&1; }\n"
	"tell() { sed \"s|^|$1 |\"; }\n";

/* certificate CA FILE NAME...: what is wrong with it */
static const char certificate_functions[] =
	"certificate() {\n"
	"  [ -r \"$2\" ] || return 0\n"
	"  ca=$1 file=$2\n"
	"  shift 2\n"
	"  echo \"certificate $file $(openssl x509 -in \"$file\" -noout -enddate 2>/dev/null | sed 's/notAfter=//')\"\n"
	"  if said=$(openssl verify -CAfile \"$ca\" \"$file\" 2>&1); then\n"
	"    openssl x509 -in \"$file\" -noout -checkend $soon >/dev/null || echo \"soon $file\"\n"
	"  else\n"
	"    said=$(echo \"$said\" | sed -n 's/^error .* lookup: *//p' | head -n 1)\n"
	"    echo \"trouble $file ${said:-not verified by $ca}\"\n"
	"  fi\n"
	"  for name in \"$@\"; do\n"
	"    case $name in *[!0-9.]*) by=-checkhost ;; *) by=-checkip ;; esac\n"
	"    openssl x509 -in \"$file\" -noout $by \"$name\" 2>/dev/null | grep -q 'does match' || echo \"lacking $file $name\"\n"
	"  done\n"
	"}\n";

static const char host_script[] =
	"echo \"clock $(date +%s%N)\"\n"
	"if has ip; then\n"
	"  echo has addresses\n"
	"  ip -o -4 addr show 2>/dev/null | tell address\n"
	"  ip -o link show 2>/dev/null | tell link\n"
	"fi\n"
	"if has virt-admin; then\n"
	"  for daemon in virtqemud libvirtd; do\n"
	"    timeout 5 virt-admin -c $daemon:///system srv-threadpool-info $daemon 2>/dev/null && break\n"
	"  done | tell workers\n"
	"fi\n"
	"if [ -r /etc/libvirt/qemu.conf ]; then\n"
	"  echo has qemu.conf\n"
	"  sed -n 's/^[ \\t]*\\(migration_port_min\\|migration_port_max\\|lock_manager\\|user\\)[ \\t]*=[ \\t]*\"*\\([^\" \\t]*\\).*/conf \\1 \\2/p' /etc/libvirt/qemu.conf\n"
	"fi\n"
	"if has virt-host-validate; then\n"
	"  echo has validate\n"
	"  timeout 10 virt-host-validate qemu 2>&1 | sed -n 's/^ *\\(.*FAIL.*\\)/failure \\1/p'\n"
	"fi\n"
	"echo \"kernel $(uname -r)\"\n"
	"[ ! -r /proc/sys/vm/unprivileged_userfaultfd ] || tell userfaultfd </proc/sys/vm/unprivileged_userfaultfd\n"
	"[ ! -e /dev/userfaultfd ] || echo has /dev/userfaultfd\n"
	"for pid in $(pidof qemu-kvm \"qemu-system-$(uname -m)\"); do\n"
	"  sed -n 's/^CapEff:[ \\t]*/qemu /p' \"/proc/$pid/status\" 2>/dev/null && break\n"
	"done\n"
	"if { has nft && rules=$(nft list ruleset 2>/dev/null); } || { has iptables && rules=$(iptables -S 2>/dev/null); }; then\n"
	"  echo has firewall\n"
	"  echo \"$rules\" | tell rule\n"
	"fi\n"
	"if has openssl; then\n"
	"  echo has openssl\n"
	"  certificate /etc/pki/CA/cacert.pem /etc/pki/CA/cacert.pem\n"
	"  certificate /etc/pki/CA/cacert.pem /etc/pki/libvirt/servercert.pem $names\n"
	"  certificate /etc/pki/CA/cacert.pem /etc/pki/libvirt/clientcert.pem\n"
	"  for folder in /etc/pki/qemu /etc/pki/libvirt-migrate; do\n"
	"    certificate $folder/ca-cert.pem $folder/server-cert.pem\n"
	"    certificate $folder/ca-cert.pem $folder/client-cert.pem\n"
	"  done\n"
	"fi\n"
	"echo end\n";

/* The first folder that has a certificate for us, as libvirt looks for it. */
static const char here_script[] =
	"if has openssl; then\n"
	"  echo has openssl\n"
	"  for folder in \"$pkipath\" \"$HOME/.pki/libvirt\"; do\n"
	"    [ -n \"$folder\" ] && [ -r \"$folder/clientcert.pem\" ] || continue\n"
	"    certificate \"$folder/cacert.pem\" \"$folder/clientcert.pem\"\n"
	"    echo end\n"
	"    exit 0\n"
	"  done\n"
	"  certificate /etc/pki/CA/cacert.pem /etc/pki/libvirt/clientcert.pem\n"
	"fi\n"
	"echo end\n";
static const char ticket_script[] =
	"if has klist; then\n"
	"  echo has klist\n"
	"  klist -s && echo has ticket || echo \"cache ${KRB5CCNAME:-default}\"\n"
	"fi\n"
	"[ -z \"$KRB5_CLIENT_KTNAME\" ] || [ ! -r \"${KRB5_CLIENT_KTNAME#FILE:}\" ] || echo has ticket\n";

/* ask NUMBER NAME ADDRESS PORT...; "-" = none */
static const char pair_functions[] =
	"port() {\n"
	"  out=$(timeout 5 bash -c \": </dev/tcp/$2/$3\" 2>&1)\n"
	"  case $?:$out in\n"
	"  0:*) echo \"port $1 $3 open\" ;;\n"
	"  124:*) echo \"port $1 $3 silent\" ;;\n"
	"  *refused*) echo \"port $1 $3 refused\" ;;\n"
	"  *) echo \"port $1 $3 no-route\" ;;\n"
	"  esac\n"
	"}\n"
	"ask() {\n"
	"  n=$1 name=$2 address=$3\n"
	"  shift 3\n"
	"  if [ \"$name\" != - ]; then\n"
	"    echo \"asked $n $name\"\n"
	"    getent ahosts \"$name\" | sed \"s|^\\([^ ]*\\).*|name $n \\1|\" | sort -u\n"
	"  fi\n"
	"  [ \"$address\" != - ] || return 0\n"
	"  route=$(ip -o route get \"$address\" 2>&1) && echo \"route $n $route\" || { has ip && echo \"no-route $n $route\"; }\n"
	"  if has bash; then for p in \"$@\"; do port \"$n\" \"$address\" \"$p\" & done; fi\n"
	"  dev=$(echo \"$route\" | sed -n 's|.* dev \\([^ ]*\\).*|\\1|p')\n"
	"  mtu=$(cat \"/sys/class/net/$dev/mtu\" 2>/dev/null)\n"
	"  if has ping && [ -n \"$mtu\" ] && [ \"$mtu\" -le 65507 ]; then\n"
	"    small=no full=no\n"
	"    if ping -n -q -c 2 -i 0.3 -W 2 \"$address\" >/dev/null 2>&1; then\n"
	"      small=yes\n"
	"      if ping -n -q -c 2 -i 0.3 -W 2 -M do -s $((mtu - 28)) \"$address\" >/dev/null 2>&1; then full=yes; fi\n"
	"    fi\n"
	"    echo \"ping $n $mtu $small $full\"\n"
	"  fi\n"
	"  wait\n"
	"}\n";

/* Names and addresses come from the configuration; only what cannot mean anything to a shell is sent. */
static const char *harmless(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:/";

	return text != NULL && text[0] != '\0' && text[0] != '-' && strspn(text, letters) == strlen(text) ? text : "-";
}

/* The names that its certificate has to bear. */
static char *names_of(const struct host_facts *host)
{
	const char *own = host->control.transport == TRANSPORT_TLS ? harmless(host->control.host) : "-";
	const char *peer = host->peer.transport == TRANSPORT_TLS ? harmless(host->peer.host) : "-";

	if (strcmp(own, peer) == 0)
		peer = "-";
	return xprintf("%s %s", strcmp(own, "-") == 0 ? "" : own, strcmp(peer, "-") == 0 ? "" : peer);
}

char *script_for_host(const struct host_facts *host)
{
	char *names = names_of(host);
	char *script = xprintf("%s%ssoon=%d names='%s'\n%s", preamble, certificate_functions, CERTIFICATE_DAYS_MIN * DAY_SECONDS, names, host_script);

	free(names);
	return script;
}

char *script_for_here(const char *pkipath)
{
	const char *folder = harmless(pkipath);

	return xprintf("%s%ssoon=%d pkipath='%s'\n%s%s", preamble, certificate_functions, CERTIFICATE_DAYS_MIN * DAY_SECONDS,
		strcmp(folder, "-") == 0 ? "" : folder, ticket_script, here_script);
}

char *script_for_pairs(const struct doctor_facts *facts, uint32_t source)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	uint32_t target;

	fprintf(out, "%s%s", preamble, pair_functions);
	for (target = 0; target < facts->inventory->n_hosts; target++) {
		const struct shell_facts *there = &facts->hosts[target].shell;
		struct doctor_path path = {0};

		if (!doctor_wants_pair(facts, source, target))
			continue;
		if (!doctor_path(facts->inventory, source, target, &path, NULL))
			path = (struct doctor_path){0};
		fprintf(out, "ask %u %s %s %u %u %u &\n", target, harmless(facts->hosts[target].peer.host), harmless(path.target_address),
			there->port_min, (unsigned)(there->port_min + there->port_max) / 2, there->port_max);
		doctor_path_clear(&path);
	}
	fputs("wait\necho end\n", out);
	fclose(out);
	return text;
}

/* ---- reading ---- */

/* The next line, cut out of *rest; NULL = no more. */
static char *next_line(char **rest)
{
	char *line = *rest, *end;

	if (line == NULL || *line == '\0')
		return NULL;
	end = strchr(line, '\n');
	*rest = end != NULL ? end + 1 : NULL;
	if (end != NULL)
		*end = '\0';
	return line;
}

/* What stands behind a first word; NULL when it is another one. */
static const char *behind(const char *line, const char *word)
{
	size_t n = strlen(word);

	return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

/* "... word VALUE ..."; with free(), NULL when absent. */
static char *value_of(const char *text, const char *word)
{
	char *key = xprintf(" %s ", word);
	const char *at = strstr(text, key);
	char *value = NULL;

	if (at != NULL) {
		at += strlen(key);
		value = xprintf("%.*s", (int)strcspn(at, " \\\n"), at);
	}
	free(key);
	return value;
}

/* "2: mig    inet 10.83.2.1/24 scope global ..." */
static void read_address(const char *text, struct shell_facts *ret)
{
	char interface[64];
	char *address = value_of(text, "inet");

	if (sscanf(text, "%*d: %63s", interface) != 1 || address == NULL) {
		free(address);
		return;
	}
	ret->addresses = xgrow(ret->addresses, ret->n_addresses, sizeof *ret->addresses);
	ret->addresses[ret->n_addresses++] = (struct address_fact){.interface = xstrdup(interface), .address = address};
}

/* "3: mig@if6: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc ..." */
static void read_link(const char *text, struct shell_facts *ret)
{
	char name[64], flags[256];
	char *mtu = value_of(text, "mtu");

	if (sscanf(text, "%*d: %63[^:@]%*[^<]<%255[^>]>", name, flags) == 2) {
		ret->interfaces = xgrow(ret->interfaces, ret->n_interfaces, sizeof *ret->interfaces);
		ret->interfaces[ret->n_interfaces++] = (struct interface_fact){.name = xstrdup(name),
			.mtu = mtu != NULL ? (uint32_t)strtoul(mtu, NULL, 10) : 0, .has_carrier = strstr(flags, "LOWER_UP") != NULL};
	}
	free(mtu);
}

static void read_conf(const char *text, struct shell_facts *ret)
{
	char key[32], value[128] = "";

	if (sscanf(text, "%31s %127s", key, value) < 1)
		return;
	if (strcmp(key, "lock_manager") == 0) {
		free(ret->lock_manager);
		ret->lock_manager = xstrdup(strcmp(value, "nop") == 0 ? "" : value);
	} else if (strcmp(key, "migration_port_min") == 0) {
		ret->port_min = (uint16_t)strtoul(value, NULL, 10);
	} else if (strcmp(key, "migration_port_max") == 0) {
		ret->port_max = (uint16_t)strtoul(value, NULL, 10);
	} else if (strcmp(key, "user") == 0 && (strcmp(value, "root") == 0 || strcmp(value, "0") == 0 || strcmp(value, "+0") == 0)) {
		ret->is_qemu_privileged = true;
	}
}

static struct certificate_fact *certificate_named(struct credential_facts *ret, const char *text, const char **ret_rest)
{
	size_t n = strcspn(text, " "), i;

	*ret_rest = text + n + (text[n] == ' ');
	for (i = 0; i < ret->n_certificates; i++)
		if (strlen(ret->certificates[i].file) == n && strncmp(ret->certificates[i].file, text, n) == 0)
			return &ret->certificates[i];
	ret->certificates = xgrow(ret->certificates, ret->n_certificates, sizeof *ret->certificates);
	ret->certificates[ret->n_certificates] = (struct certificate_fact){.file = xprintf("%.*s", (int)n, text)};
	return &ret->certificates[ret->n_certificates++];
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = xstrdup(value);
}

/* "FILE TEXT" into that text of the file's certificate. */
static void read_text(struct credential_facts *ret, const char *value, size_t offset)
{
	const char *rest;
	struct certificate_fact *certificate = certificate_named(ret, value, &rest);

	set_text((char **)(void *)((char *)certificate + offset), rest);
}

/* Whether the line was about credentials. */
static bool read_credentials(const char *line, struct credential_facts *ret)
{
	const char *value, *rest;

	if (strcmp(line, "has openssl") == 0)
		ret->has_openssl = true;
	else if (strcmp(line, "has klist") == 0)
		ret->has_klist = true;
	else if (strcmp(line, "has ticket") == 0)
		ret->has_ticket = true;
	else if ((value = behind(line, "cache")) != NULL)
		set_text(&ret->ticket_cache, value);
	else if ((value = behind(line, "certificate")) != NULL)
		read_text(ret, value, offsetof(struct certificate_fact, until));
	else if ((value = behind(line, "soon")) != NULL)
		certificate_named(ret, value, &rest)->ends_soon = true;
	else if ((value = behind(line, "trouble")) != NULL)
		read_text(ret, value, offsetof(struct certificate_fact, trouble));
	else if ((value = behind(line, "lacking")) != NULL) {
		struct certificate_fact *certificate = certificate_named(ret, value, &rest);

		strings_add(&certificate->lacking_names, &certificate->n_lacking_names, rest);
	} else {
		return false;
	}
	return true;
}

static void read_has(const char *what, struct shell_facts *ret)
{
	if (strcmp(what, "addresses") == 0)
		ret->has_addresses = true;
	else if (strcmp(what, "validate") == 0)
		ret->has_validate = true;
	else if (strcmp(what, "firewall") == 0)
		ret->has_firewall = true;
	else if (strcmp(what, "/dev/userfaultfd") == 0)
		ret->has_userfaultfd_device = true;
	else if (strcmp(what, "qemu.conf") == 0 && ret->lock_manager == NULL)
		ret->lock_manager = xstrdup("");
}

/* Nanoseconds since 1970; a date without them prints only seconds. */
static void read_clock(const char *text, int64_t started_wall_ms, int64_t first_wall_ms, struct shell_facts *ret)
{
	size_t digits = strspn(text, "0123456789");
	int64_t there = strtoll(text, NULL, 10);

	if (digits == 0)
		return;
	there = digits > 15 ? there / 1000000 : there * 1000;
	ret->has_clock = true;
	ret->clock_offset_ms = there - (started_wall_ms + first_wall_ms) / 2;
	ret->clock_error_ms = (first_wall_ms - started_wall_ms) / 2 + (digits > 15 ? 0 : 1000);
}

bool script_read_host(const char *text, int64_t started_wall_ms, int64_t first_wall_ms, struct shell_facts *ret)
{
	char *copy = xstrdup(text), *rest = copy, *line;
	const char *value;
	bool is_whole = false;

	while ((line = next_line(&rest)) != NULL) {
		if (read_credentials(line, &ret->credentials))
			continue;
		if ((value = behind(line, "clock")) != NULL)
			read_clock(value, started_wall_ms, first_wall_ms, ret);
		else if ((value = behind(line, "has")) != NULL)
			read_has(value, ret);
		else if ((value = behind(line, "address")) != NULL)
			read_address(value, ret);
		else if ((value = behind(line, "link")) != NULL)
			read_link(value, ret);
		else if ((value = behind(line, "workers")) != NULL)
			sscanf(value, "maxWorkers : %u", &ret->max_workers);
		else if ((value = behind(line, "conf")) != NULL)
			read_conf(value, ret);
		else if ((value = behind(line, "kernel")) != NULL)
			set_text(&ret->kernel, value);
		else if ((value = behind(line, "userfaultfd")) != NULL)
			ret->userfaultfd_switch = atoi(value);
		else if ((value = behind(line, "qemu")) != NULL)
			ret->is_qemu_privileged |= (strtoull(value, NULL, 16) >> CAP_SYS_PTRACE_BIT & 1) != 0;
		else if ((value = behind(line, "failure")) != NULL)
			strings_add(&ret->failures, &ret->n_failures, value);
		else if ((value = behind(line, "rule")) != NULL)
			strings_add(&ret->firewall_rules, &ret->n_firewall_rules, value);
		is_whole = strcmp(line, "end") == 0;
	}
	free(copy);
	return is_whole;
}

bool script_read_here(const char *text, struct credential_facts *ret)
{
	char *copy = xstrdup(text), *rest = copy, *line;
	bool is_whole = false;

	while ((line = next_line(&rest)) != NULL) {
		read_credentials(line, ret);
		is_whole = strcmp(line, "end") == 0;
	}
	free(copy);
	return is_whole;
}

static void read_route(const char *text, struct pair_facts *pair)
{
	pair->has_route = true;
	pair->route_interface = value_of(text, "dev");
	pair->route_source = value_of(text, "src");
	pair->route_gateway = value_of(text, "via");
}

static void read_port(const char *text, struct pair_facts *pair)
{
	static const enum port_state states[] = {PORT_OPEN, PORT_REFUSED, PORT_SILENT};
	struct port_fact port = {.state = PORT_NO_ROUTE};
	char state[16];
	unsigned number;
	size_t i;

	if (sscanf(text, "%u %15s", &number, state) != 2)
		return;
	port.port = (uint16_t)number;
	for (i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(state, port_state_name(states[i])) == 0)
			port.state = states[i];
	pair->ports = xgrow(pair->ports, pair->n_ports, sizeof *pair->ports);
	pair->ports[pair->n_ports++] = port;
}

static void read_ping(const char *text, struct pair_facts *pair)
{
	char small[8], full[8];

	if (sscanf(text, "%u %7s %7s", &pair->ping_bytes, small, full) != 3)
		return;
	pair->small_arrives = strcmp(small, "yes") == 0;
	pair->full_arrives = strcmp(full, "yes") == 0;
}

bool script_read_pairs(const char *text, struct doctor_facts *facts, uint32_t source)
{
	size_t n = facts->inventory->n_hosts;
	char *copy = xstrdup(text), *rest = copy, *line;
	bool is_whole = false;

	while ((line = next_line(&rest)) != NULL) {
		char kind[16];
		unsigned target;
		int at = 0;

		is_whole = strcmp(line, "end") == 0;
		if (sscanf(line, "%15s %u %n", kind, &target, &at) != 2 || at == 0 || target >= n)
			continue;
		struct pair_facts *pair = &facts->pairs[source * n + target];
		const char *value = line + at;

		if (strcmp(kind, "asked") == 0 && pair->name.name == NULL)
			pair->name.name = xstrdup(value);
		else if (strcmp(kind, "name") == 0)
			strings_add(&pair->name.addresses, &pair->name.n_addresses, value);
		else if (strcmp(kind, "route") == 0 && !pair->has_route)
			read_route(value, pair);
		else if (strcmp(kind, "no-route") == 0 && pair->route_error == NULL)
			pair->route_error = xstrdup(value);
		else if (strcmp(kind, "port") == 0)
			read_port(value, pair);
		else if (strcmp(kind, "ping") == 0)
			read_ping(value, pair);
	}
	free(copy);
	return is_whole;
}
