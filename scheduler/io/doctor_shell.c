/* Runs a script on a host by its shell: words, then `sh -s`, the script on its standard input. In a session of its own,
 * so that nothing in between can ask on the terminal; what does not end in time is killed with all that it started. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor_internal.h"

enum { WORDS_MAX = 32, OUTPUT_BYTES_MAX = 4 << 20, COMPLAINT_BYTES_MAX = 300 };

extern char **environ;

struct pipes {
	int in[2], out[2], err[2];
};

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_pipes(struct pipes *pipes)
{
	int i;

	for (i = 0; i < 2; i++) {
		close_one(&pipes->in[i]);
		close_one(&pipes->out[i]);
		close_one(&pipes->err[i]);
	}
}

static bool open_pipes(struct pipes *pipes)
{
	*pipes = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
	if (pipe2(pipes->in, O_CLOEXEC) == 0 && pipe2(pipes->out, O_CLOEXEC) == 0 && pipe2(pipes->err, O_CLOEXEC) == 0)
		return true;
	close_pipes(pipes);
	return false;
}

static int start(const char *shell, const struct pipes *pipes, pid_t *ret_pid)
{
	char *line = xstrdup(shell), *words[WORDS_MAX + 3], *rest = line, *word;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	size_t n = 0;
	int failed;

	while ((word = strtok_r(n == 0 ? line : NULL, " \t", &rest)) != NULL && n < WORDS_MAX)
		words[n++] = word;
	words[n++] = (char[]){"sh"};
	words[n++] = (char[]){"-s"};
	words[n] = NULL;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, pipes->in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, pipes->out[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, pipes->err[1], STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE); /* ignored here; pipes in the script count on it */
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF);
	failed = posix_spawnp(ret_pid, words[0], &files, &attributes, words, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	free(line);
	return failed;
}

struct talk {
	struct pipes pipes;
	const char *script;
	size_t n_sent;
	struct shell_output output;
	size_t n_text;
	char complaint[COMPLAINT_BYTES_MAX + 1];
	size_t n_complaint;
};

static void send_script(struct talk *talk)
{
	ssize_t n = write(talk->pipes.in[1], talk->script + talk->n_sent, strlen(talk->script + talk->n_sent));

	if (n > 0)
		talk->n_sent += (size_t)n;
	if ((n < 0 && errno != EAGAIN) || talk->script[talk->n_sent] == '\0')
		close_one(&talk->pipes.in[1]);
}

static void take_output(struct talk *talk)
{
	char buffer[65536];
	ssize_t n = read(talk->pipes.out[0], buffer, sizeof buffer);

	if (n <= 0 || talk->n_text + (size_t)n > OUTPUT_BYTES_MAX) {
		close_one(&talk->pipes.out[0]);
		return;
	}
	if (talk->n_text == 0)
		talk->output.first_wall_ms = local_wall_ms();
	talk->output.text = xrealloc_array(talk->output.text, talk->n_text + (size_t)n + 1, 1);
	memcpy(talk->output.text + talk->n_text, buffer, (size_t)n);
	talk->n_text += (size_t)n;
	talk->output.text[talk->n_text] = '\0';
}

static void take_complaint(struct talk *talk)
{
	char buffer[4096];
	ssize_t n = read(talk->pipes.err[0], buffer, sizeof buffer);
	size_t room = COMPLAINT_BYTES_MAX - talk->n_complaint;

	if (n <= 0) {
		close_one(&talk->pipes.err[0]);
		return;
	}
	room = (size_t)n < room ? (size_t)n : room;
	memcpy(talk->complaint + talk->n_complaint, buffer, room);
	talk->n_complaint += room;
	talk->complaint[talk->n_complaint] = '\0';
}

/* Until both outputs are closed. False when time is up. */
static bool converse(struct talk *talk, int64_t deadline_ms)
{
	while (talk->pipes.out[0] >= 0 || talk->pipes.err[0] >= 0) {
		struct pollfd files[] = {{.fd = talk->pipes.in[1], .events = POLLOUT}, {.fd = talk->pipes.out[0], .events = POLLIN},
			{.fd = talk->pipes.err[0], .events = POLLIN}};
		int64_t left = deadline_ms - local_wall_ms();

		if (left <= 0 || (poll(files, 3, (int)left) < 0 && errno != EINTR))
			return false;
		if (files[0].revents != 0)
			send_script(talk);
		if (files[1].revents != 0)
			take_output(talk);
		if (files[2].revents != 0)
			take_complaint(talk);
	}
	return true;
}

static char *why_it_failed(const char *shell, const struct talk *talk, int status, bool has_ended)
{
	size_t n = strcspn(talk->complaint, "\r\n");

	if (!has_ended)
		return xprintf("%s sh -s: no end after %d s", shell, SHELL_TIMEOUT_MS / 1000);
	if (n > 0)
		return xprintf("%s sh -s: %.*s", shell, (int)n, talk->complaint);
	return xprintf("%s sh -s: exit code %d", shell, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

bool shell_run(const char *shell, const char *script, struct shell_output *ret, char **ret_why)
{
	struct talk talk = {.script = script};
	int failed, status = 0;
	bool has_ended;
	pid_t pid;

	if (!open_pipes(&talk.pipes)) {
		*ret_why = xprintf("%s sh -s: %s", shell, strerror(errno));
		return false;
	}
	talk.output.started_wall_ms = local_wall_ms();
	failed = start(shell, &talk.pipes, &pid);
	close_one(&talk.pipes.in[0]);
	close_one(&talk.pipes.out[1]);
	close_one(&talk.pipes.err[1]);
	if (failed != 0) {
		close_pipes(&talk.pipes);
		*ret_why = xprintf("%s sh -s: %s", shell, strerror(failed));
		return false;
	}
	fcntl(talk.pipes.in[1], F_SETFL, O_NONBLOCK);
	has_ended = converse(&talk, talk.output.started_wall_ms + SHELL_TIMEOUT_MS);
	close_pipes(&talk.pipes);
	if (!has_ended)
		kill(-pid, SIGKILL); /* its session, which is its process group too */
	waitpid(pid, &status, 0);
	if (has_ended && WIFEXITED(status) && WEXITSTATUS(status) == 0 && talk.n_text > 0) {
		*ret = talk.output;
		return true;
	}
	*ret_why = why_it_failed(shell, &talk, status, has_ended);
	free(talk.output.text);
	return false;
}
