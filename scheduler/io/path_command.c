/* Asking for connections and reading them. See path_command.h. */
#include "path_command.h"

#include <stdlib.h>
#include <string.h>

#include "doctor_internal.h"
#include "xalloc.h"

enum { BYTES_MIN = 64 * 1024 }; /* less is talk between libvirts, not a guest */

/* "10.8.0.1:49152", "[::ffff:10.8.0.1]:49152", "[fe80::1%eth0]:22". False when it is no address with a port. */
static bool read_end(const char *word, char address[static ADDRESS_TEXT_SIZE], unsigned *ret_port)
{
	const char *colon = strrchr(word, ':');
	char *end;

	if (!colon || colon == word || colon[1] < '0' || colon[1] > '9')
		return false;
	*ret_port = (unsigned)strtoul(colon + 1, &end, 10);
	if (*end != '\0')
		return false;
	size_t n = (size_t)(colon - word);
	if (word[0] == '[' && word[n - 1] == ']') {
		word++;
		n -= 2;
	}
	if (strncmp(word, "::ffff:", 7) == 0 && memchr(word, '.', n)) {
		word += 7;
		n -= 7;
	}
	if (memchr(word, '%', n))
		n = strcspn(word, "%");
	if (n >= ADDRESS_TEXT_SIZE)
		return false;
	memcpy(address, word, n);
	address[n] = '\0';
	return true;
}

/* libvirt's and ssh's own ports: control, not guests. */
static bool is_control(unsigned port)
{
	return port == 22 || port == 16509 || port == 16514;
}

static uint64_t count_of(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* The line of a connection: local and peer end are its first two words that are addresses. */
static bool is_wanted(char *line, const char *target_address, char ret_source[static ADDRESS_TEXT_SIZE])
{
	char source[ADDRESS_TEXT_SIZE] = "", peer[ADDRESS_TEXT_SIZE] = "", *rest = NULL;
	unsigned port = 0;

	for (char *word = strtok_r(line, " \t", &rest); word && !peer[0]; word = strtok_r(NULL, " \t", &rest))
		if (!source[0])
			(void)read_end(word, source, &port);
		else
			(void)read_end(word, peer, &port);
	if (strcmp(peer, target_address) != 0 || is_control(port))
		return false;
	memcpy(ret_source, source, ADDRESS_TEXT_SIZE);
	return true;
}

void path_command_read(const char *text, const char *target_address, struct hv_path *ret)
{
	char *copy = xstrdup(text), *rest = NULL, source[ADDRESS_TEXT_SIZE] = "";

	*ret = (struct hv_path){ .bytes = 0 };
	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] != ' ' && line[0] != '\t') {
			if (!is_wanted(line, target_address, source))
				source[0] = '\0';
			continue;
		}
		uint64_t bytes = count_of(line, "bytes_sent:");
		if (bytes == 0)
			bytes = count_of(line, "bytes_acked:"); /* ss before 5.0 */
		if (source[0] && bytes >= BYTES_MIN && bytes > ret->bytes) {
			memcpy(ret->source_address, source, sizeof source);
			ret->bytes = bytes;
		}
	}
	free(copy);
}

bool path_command_run(const char *host, const char *shell, const char *target_address, struct hv_path *ret, struct error *err)
{
	struct shell_output output = { .text = NULL };
	char *why = NULL;

	if (!shell || !target_address)
		return error_set(err, ERR_UNSUPPORTED, "host %s has no shell in its section", host);
	if (!shell_run(shell, "exec ss -Htin\n", &output, &why)) {
		error_set(err, ERR_FILE, "host %s: its connections: %s", host, why);
		free(why);
		return false;
	}
	path_command_read(output.text, target_address, ret);
	free(output.text);
	return true;
}
