/* Counters of hosts by commands of the operator. See traffic.h. */
#include "traffic.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum { OUTPUT_BYTES_MAX = 4096 }; /* of one run: two numbers a line, a line for each address */

struct reader {
	struct traffic *traffic;
	const struct traffic_command *command;
	uv_process_t process;
	uv_pipe_t out;
	bool is_running, has_exited, is_at_end;
	unsigned n_open; /* handles of this run that are not closed yet */
	int64_t status;
	uint64_t begun_ms;
	bool is_too_slow, has_failed;
	char text[OUTPUT_BYTES_MAX];
	size_t n;
};

struct traffic {
	uv_loop_t *uv;
	uv_timer_t timer;
	struct traffic_listener listener;
	struct reader *readers;
	size_t n_readers;
	bool is_closing, is_timer_closed;
};

static void free_when_closed(struct traffic *traffic)
{
	size_t i;

	if (!traffic->is_closing || !traffic->is_timer_closed)
		return;
	for (i = 0; i < traffic->n_readers; i++)
		if (traffic->readers[i].n_open > 0)
			return;
	free(traffic->readers);
	free(traffic);
}

static void fail(struct reader *reader, const char *why)
{
	struct error err;

	if (reader->has_failed)
		return;
	reader->has_failed = true;
	error_set(&err, ERR_CONFIG, "host %s: traffic_command %s: what others send over its links is not known", reader->command->host, why);
	error_hint(&err, "it has to print a line RECEIVED SENT (bytes) for each address: %s", reader->command->command);
	reader->traffic->listener.on_failure(reader->traffic->listener.self, &err);
}

/* One note for each line; false when a line is not two numbers. */
static bool tell(struct reader *reader)
{
	struct hv_note note = {.kind = HV_NOTE_TRAFFIC, .host = reader->command->host};
	const char *at = reader->text;

	reader->text[reader->n] = '\0';
	while (*at != '\0') {
		unsigned long long received, sent;
		int used = 0;

		if (sscanf(at, "%llu %llu%n", &received, &sent, &used) != 2 || (at[used] != '\n' && at[used] != '\0'))
			return false;
		note.received_bytes = received;
		note.sent_bytes = sent;
		reader->traffic->listener.on_note(reader->traffic->listener.self, &note);
		note.link++;
		at += used + (at[used] == '\n');
	}
	return note.link > 0;
}

static void judge(struct reader *reader)
{
	if (reader->is_too_slow)
		fail(reader, "took too long");
	else if (reader->status != 0)
		fail(reader, "failed");
	else if (!tell(reader))
		fail(reader, "printed something else");
	else
		reader->has_failed = false;
}

static void on_closed(uv_handle_t *handle)
{
	struct reader *reader = handle->data;

	if (--reader->n_open > 0)
		return;
	reader->is_running = false;
	free_when_closed(reader->traffic);
}

static void end_if_over(struct reader *reader)
{
	if (!reader->has_exited || !reader->is_at_end)
		return;
	if (!reader->traffic->is_closing)
		judge(reader);
	uv_close((uv_handle_t *)&reader->process, on_closed);
	uv_close((uv_handle_t *)&reader->out, on_closed);
}

static void on_ended(uv_process_t *process, int64_t status, int number)
{
	struct reader *reader = process->data;

	reader->has_exited = true;
	reader->status = status != 0 ? status : number;
	end_if_over(reader);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct reader *reader = handle->data;
	size_t left = sizeof reader->text - 1 - reader->n;

	(void)suggested;
	*buffer = uv_buf_init(reader->text + reader->n, (unsigned)left);
}

/* End of file, or more than any counters are: that is no output of ours to wait for. */
static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct reader *reader = stream->data;

	(void)buffer;
	if (n >= 0) {
		reader->n += (size_t)n;
		return;
	}
	uv_read_stop(stream);
	reader->is_at_end = true;
	end_if_over(reader);
}

static void start(struct reader *reader)
{
	char *arguments[] = {(char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)reader->command->command, NULL};
	uv_stdio_container_t stdio[3] = {
		{.flags = UV_IGNORE},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&reader->out},
		{.flags = UV_IGNORE},
	};
	uv_process_options_t options = {
		.file = "/bin/sh", .args = arguments, .stdio = stdio, .stdio_count = 3, .flags = UV_PROCESS_DETACHED, .exit_cb = on_ended,
	};

	reader->n = 0;
	reader->has_exited = reader->is_at_end = reader->is_too_slow = false;
	reader->begun_ms = uv_now(reader->traffic->uv);
	uv_pipe_init(reader->traffic->uv, &reader->out, 0);
	reader->process.data = reader->out.data = reader;
	reader->n_open = 2;
	reader->is_running = true;
	if (uv_spawn(reader->traffic->uv, &reader->process, &options) != 0) {
		fail(reader, "cannot be started");
		uv_close((uv_handle_t *)&reader->process, on_closed);
		uv_close((uv_handle_t *)&reader->out, on_closed);
		return;
	}
	uv_read_start((uv_stream_t *)&reader->out, give_room, on_output);
}

/* The whole group: ssh, or whatever the shell has started. */
static void end_command(struct reader *reader)
{
	if (reader->is_running && !reader->has_exited)
		uv_kill(-uv_process_get_pid(&reader->process), SIGKILL);
}

static void on_timer(uv_timer_t *timer)
{
	struct traffic *traffic = timer->data;
	size_t i;

	for (i = 0; i < traffic->n_readers; i++) {
		struct reader *reader = &traffic->readers[i];

		if (reader->is_running && uv_now(traffic->uv) - reader->begun_ms >= TRAFFIC_LIMIT_MS) {
			reader->is_too_slow = true;
			end_command(reader);
		} else if (!reader->is_running && traffic->listener.is_wanted(traffic->listener.self, reader->command->host)) {
			start(reader);
		}
	}
}

struct traffic *traffic_open(uv_loop_t *uv, const struct traffic_command *commands, size_t n, const struct traffic_listener *listener)
{
	struct traffic *traffic = xcalloc(1, sizeof *traffic);
	size_t i;

	traffic->uv = uv;
	traffic->listener = *listener;
	traffic->n_readers = n;
	traffic->readers = xcalloc(n, sizeof *traffic->readers);
	for (i = 0; i < n; i++)
		traffic->readers[i] = (struct reader){.traffic = traffic, .command = &commands[i]};
	uv_timer_init(uv, &traffic->timer);
	traffic->timer.data = traffic;
	uv_timer_start(&traffic->timer, on_timer, 0, TRAFFIC_EVERY_MS);
	return traffic;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct traffic *traffic = handle->data;

	traffic->is_timer_closed = true;
	free_when_closed(traffic);
}

void traffic_close(struct traffic *traffic)
{
	size_t i;

	if (traffic == NULL)
		return;
	traffic->is_closing = true;
	for (i = 0; i < traffic->n_readers; i++)
		end_command(&traffic->readers[i]);
	uv_close((uv_handle_t *)&traffic->timer, on_timer_closed);
}
