/* This machine, and names and ports as seen from it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include "doctor_internal.h"
#include "libvirt_uri.h"

enum { PORT_TIMEOUT_MS = 4000 }; /* a host that nobody answers for is given up by the kernel after 3 s */

int64_t local_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void gather_uri(const char *uri, bool insecure, struct uri_parts *ret)
{
	static const enum uri_transport transports[] = {[LV_LOCAL] = TRANSPORT_LOCAL, [LV_TLS] = TRANSPORT_TLS, [LV_SASL] = TRANSPORT_SASL,
		[LV_SSH] = TRANSPORT_SSH, [LV_PLAIN] = TRANSPORT_PLAIN, [LV_OTHER] = TRANSPORT_OTHER};
	enum lv_transport transport = lv_transport_of(uri, insecure);

	*ret = (struct uri_parts){.transport = transports[transport], .manner = lv_transport_name(transport), .host = lv_uri_host(uri),
		.port = (uint16_t)lv_uri_port(uri)};
}

/* ---- the state file ---- */

static const struct {
	long magic;
	const char *name;
	bool is_remote, is_volatile;
} file_systems[] = {
	{NFS_SUPER_MAGIC, "NFS", true, false}, {0xFF534D42, "CIFS", true, false}, {0xFE534D42, "SMB", true, false},
	{SMB_SUPER_MAGIC, "SMB", true, false}, {AFS_SUPER_MAGIC, "AFS", true, false}, {0x00C36400, "CephFS", true, false},
	{0x65735546, "FUSE", true, false}, {0x7461636F, "OCFS2", true, false}, {0x01161970, "GFS2", true, false},
	{0x0BD00BD0, "Lustre", true, false}, {V9FS_MAGIC, "9p", true, false}, {TMPFS_MAGIC, "tmpfs", false, true},
	{RAMFS_MAGIC, "ramfs", false, true}, {EXT4_SUPER_MAGIC, "ext", false, false}, {0x58465342, "XFS", false, false},
	{BTRFS_SUPER_MAGIC, "btrfs", false, false}, {OVERLAYFS_SUPER_MAGIC, "overlay", false, false},
};

/* The nearest folder above that exists: drover makes the rest. */
static char *existing_folder(const char *path)
{
	char *at = xstrdup(path), *parent;

	do {
		parent = xstrdup(dirname(at));
		free(at);
		at = parent;
	} while (access(at, F_OK) != 0 && strcmp(at, "/") != 0 && strcmp(at, ".") != 0);
	return at;
}

static void look_at_state(const char *state, struct here_facts *ret)
{
	char *folder = existing_folder(state);
	struct statfs system;
	size_t i;

	ret->can_write = access(folder, W_OK) == 0 && (access(state, F_OK) != 0 || access(state, W_OK) == 0);
	if (statfs(folder, &system) == 0) {
		ret->state_free_bytes = (uint64_t)system.f_bavail * (uint64_t)system.f_bsize;
		for (i = 0; i < sizeof file_systems / sizeof *file_systems; i++) {
			if ((uint32_t)system.f_type != (uint32_t)file_systems[i].magic)
				continue;
			ret->state_kind = xstrdup(file_systems[i].name);
			ret->is_state_remote = file_systems[i].is_remote;
			ret->is_state_volatile = file_systems[i].is_volatile;
			break;
		}
		if (ret->state_kind == NULL)
			ret->state_kind = xprintf("file system 0x%lx", (unsigned long)system.f_type);
	}
	free(folder);
}

void gather_here(const char *state, struct here_facts *ret)
{
	struct timex kernel = {.modes = 0};
	int said = adjtimex(&kernel);

	ret->state = xstrdup(state);
	look_at_state(state, ret);
	ret->is_clock_known = said >= 0;
	ret->is_clock_kept = said != TIME_ERROR && (kernel.status & STA_UNSYNC) == 0;
}

/* ---- names ---- */

static void add_address(struct lookup *ret, const struct addrinfo *info)
{
	char text[NI_MAXHOST];
	size_t i;

	if (getnameinfo(info->ai_addr, info->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
		return;
	for (i = 0; i < ret->n_addresses; i++)
		if (strcmp(ret->addresses[i], text) == 0)
			return;
	strings_add(&ret->addresses, &ret->n_addresses, text);
}

void local_look_up(const char *name, struct lookup *ret)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL, *info;
	int failed = getaddrinfo(name, NULL, &hints, &list);

	ret->name = xstrdup(name);
	if (failed != 0)
		ret->error = xstrdup(gai_strerror(failed));
	for (info = failed == 0 ? list : NULL; info != NULL; info = info->ai_next)
		add_address(ret, info);
	if (failed == 0)
		freeaddrinfo(list);
}

/* An address as the system's calls want it. */
static struct addrinfo *numeric(const char *address, uint16_t port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *info = NULL;
	char service[8];

	snprintf(service, sizeof service, "%u", port);
	return getaddrinfo(address, service, &hints, &info) == 0 ? info : NULL;
}

char *local_name_of(const char *address)
{
	struct addrinfo *info = numeric(address, 0);
	char name[NI_MAXHOST];
	bool has_name = info != NULL && getnameinfo(info->ai_addr, info->ai_addrlen, name, sizeof name, NULL, 0, NI_NAMEREQD) == 0;

	if (info != NULL)
		freeaddrinfo(info);
	return has_name ? xstrdup(name) : NULL;
}

/* ---- ports ---- */

static enum port_state state_of(int error)
{
	switch (error) {
	case 0: return PORT_OPEN;
	case ECONNREFUSED: return PORT_REFUSED;
	case ETIMEDOUT: return PORT_SILENT;
	default: return PORT_NO_ROUTE;
	}
}

static enum port_state try_address(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof error;

	if (fd < 0)
		return PORT_UNKNOWN;
	if (connect(fd, info->ai_addr, info->ai_addrlen) != 0) {
		error = errno;
		if (error == EINPROGRESS) {
			error = ETIMEDOUT;
			if (poll(&wait, 1, PORT_TIMEOUT_MS) == 1)
				getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
		}
	}
	close(fd);
	return state_of(error);
}

enum port_state local_try_port(const char *const *addresses, size_t n, uint16_t port)
{
	enum port_state first = PORT_UNKNOWN, state;
	size_t i;

	for (i = 0; i < n; i++) {
		struct addrinfo *info = numeric(addresses[i], port);

		state = info != NULL ? try_address(info) : PORT_UNKNOWN;
		if (info != NULL)
			freeaddrinfo(info);
		if (state == PORT_OPEN)
			return state;
		if (i == 0)
			first = state;
	}
	return first;
}
