/* The control socket: how `status`, `watch`, `cancel` and the like reach a drover that runs in another terminal.
 *
 * Bounds: PEERS_MAX connections, one line of LINE_MAX bytes each; who sends more is cut off. A peer that does not read
 * holds only its own answer. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "xalloc.h"

enum {
	PEERS_MAX = 32,
	LINE_BYTES_MAX = 64 * 1024,
	ANSWER_BYTES_MAX = 256 * 1024 * 1024, /* the status of a million moves */
	ANSWER_WAIT_MS = 10000,
};

struct control_peer {
	uv_pipe_t pipe;
	struct control *control;
	struct control_peer *next;
	char *line;
	size_t n;
	bool is_closing;
};

struct control {
	uv_pipe_t pipe;
	char *path;
	void (*on_line)(void *self, struct control_peer *peer, const char *line);
	void *self;
	struct control_peer *peers;
	unsigned n_peers;
	bool is_closing, is_closed;
};

struct answer {
	uv_write_t write;
	char *text;
};

static void free_when_over(struct control *control)
{
	if (!control->is_closed || control->n_peers > 0)
		return;
	free(control->path);
	free(control);
}

static void on_peer_closed(uv_handle_t *handle)
{
	struct control_peer *peer = handle->data, **at;
	struct control *control = peer->control;

	for (at = &control->peers; *at != peer; at = &(*at)->next)
		continue;
	*at = peer->next;
	control->n_peers--;
	free(peer->line);
	free(peer);
	free_when_over(control);
}

static void peer_close(struct control_peer *peer)
{
	if (peer->is_closing)
		return;
	peer->is_closing = true;
	uv_close((uv_handle_t *)&peer->pipe, on_peer_closed);
}

static void on_written(uv_write_t *write, int status)
{
	struct answer *answer = write->data;

	(void)status;
	free(answer->text);
	free(answer);
}

void control_say(struct control_peer *peer, const char *line)
{
	struct answer *answer;
	uv_buf_t buffer;

	if (peer->is_closing)
		return;
	answer = xcalloc(1, sizeof *answer);
	answer->text = xprintf("%s\n", line);
	answer->write.data = answer;
	buffer = uv_buf_init(answer->text, (unsigned)strlen(answer->text));
	if (uv_write(&answer->write, (uv_stream_t *)&peer->pipe, &buffer, 1, on_written) != 0) {
		on_written(&answer->write, -1);
		peer_close(peer);
	}
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct control_peer *peer = handle->data;

	(void)suggested;
	buffer->base = peer->line + peer->n;
	buffer->len = LINE_BYTES_MAX - 1 - peer->n;
}

/* Every whole line that has come; what is left over moves to the front. */
static void take_lines(struct control_peer *peer)
{
	char *end;

	while (!peer->is_closing && (end = memchr(peer->line, '\n', peer->n)) != NULL) {
		size_t used = (size_t)(end - peer->line) + 1;

		*end = '\0';
		peer->control->on_line(peer->control->self, peer, peer->line);
		memmove(peer->line, peer->line + used, peer->n - used);
		peer->n -= used;
	}
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct control_peer *peer = stream->data;

	(void)buffer;
	if (n < 0) { /* also when the line does not fit */
		peer_close(peer);
		return;
	}
	peer->n += (size_t)n;
	take_lines(peer);
}

static void on_connection(uv_stream_t *server, int status)
{
	struct control *control = server->data;
	struct control_peer *peer;

	if (status < 0 || control->is_closing)
		return;
	peer = xcalloc(1, sizeof *peer);
	peer->control = control;
	peer->line = xmalloc(LINE_BYTES_MAX);
	uv_pipe_init(server->loop, &peer->pipe, 0);
	peer->pipe.data = peer;
	peer->next = control->peers;
	control->peers = peer;
	control->n_peers++;
	if (uv_accept(server, (uv_stream_t *)&peer->pipe) != 0 || control->n_peers > PEERS_MAX ||
		uv_read_start((uv_stream_t *)&peer->pipe, on_room, on_read) != 0)
		peer_close(peer);
}

static void on_closed(uv_handle_t *handle)
{
	struct control *control = handle->data;

	control->is_closed = true;
	free_when_over(control);
}

static bool path_fits(const char *path, struct error *err)
{
	struct sockaddr_un address;

	if (strlen(path) < sizeof address.sun_path)
		return true;
	return error_set(err, ERR_FILE, "%s: a socket's path has at most %zu bytes, this one has %zu", path,
		sizeof address.sun_path - 1, strlen(path));
}

struct control *control_listen(uv_loop_t *loop, const char *path,
	void (*on_line)(void *self, struct control_peer *peer, const char *line), void *self, struct error *err)
{
	struct control *control;
	mode_t old;
	int result;

	if (!path_fits(path, err))
		return NULL;
	control = xcalloc(1, sizeof *control);
	*control = (struct control){.path = xstrdup(path), .on_line = on_line, .self = self};
	unlink(path);
	uv_pipe_init(loop, &control->pipe, 0);
	control->pipe.data = control;
	old = umask(0177);
	result = uv_pipe_bind(&control->pipe, path);
	umask(old);
	if (result == 0)
		result = uv_listen((uv_stream_t *)&control->pipe, PEERS_MAX, on_connection);
	if (result == 0)
		return control;
	error_set(err, ERR_FILE, "%s: no control socket: %s", path, uv_strerror(result));
	control_close(control);
	return NULL;
}

void control_close(struct control *control)
{
	struct control_peer *peer;

	if (control == NULL || control->is_closing)
		return;
	control->is_closing = true;
	unlink(control->path);
	for (peer = control->peers; peer != NULL; peer = peer->next)
		peer_close(peer);
	uv_close((uv_handle_t *)&control->pipe, on_closed);
}

/* ---- client ---- */

static int connect_to(const char *path, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	/* Nobody can listen there either. */
	if (!path_fits(path, err)) {
		if (err != NULL)
			err->code = ERR_NO_DAEMON;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	if (errno == ENOENT || errno == ECONNREFUSED)
		error_set(err, ERR_NO_DAEMON, "no drover runs with %s", path);
	else
		error_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
	return -1;
}

static bool send_line(int fd, const char *line)
{
	size_t n = strlen(line), sent = 0;

	while (sent < n) {
		ssize_t part = send(fd, line + sent, n - sent, MSG_NOSIGNAL);

		if (part < 0)
			return false;
		sent += (size_t)part;
	}
	return send(fd, "\n", 1, MSG_NOSIGNAL) == 1;
}

static char *receive_line(int fd)
{
	size_t n = 0, room = 4096;
	char *text = xmalloc(room);

	while (n < ANSWER_BYTES_MAX) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		ssize_t part;

		if (n + 1 == room)
			text = xrealloc_array(text, room *= 2, 1);
		if (poll(&poll_fd, 1, ANSWER_WAIT_MS) <= 0)
			break;
		part = recv(fd, text + n, room - 1 - n, 0);
		if (part <= 0)
			break;
		n += (size_t)part;
		if (text[n - 1] == '\n') {
			text[n - 1] = '\0';
			return text;
		}
	}
	free(text);
	return NULL;
}

bool control_ask(const char *path, const char *line, char **ret_answer, struct error *err)
{
	int fd = connect_to(path, err);
	char *answer = NULL;

	if (fd < 0)
		return false;
	if (send_line(fd, line))
		answer = receive_line(fd);
	close(fd);
	if (answer == NULL)
		return error_set(err, ERR_NO_DAEMON, "the drover behind %s does not answer", path);
	*ret_answer = answer;
	return true;
}
