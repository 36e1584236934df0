/* Reading whole files with a bound, and UTF-8: iniparser opens a directory as an empty
 * configuration and takes any bytes, so that every reader of ours goes through here instead. */
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xalloc.h"

enum { READ_CHUNK = 65536 };

static bool file_is_readable_kind(int fd, const char *file, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return error_set(err, ERR_FILE, "%s: %s", file, strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		error_set(err, ERR_FILE, "%s: is a directory, not a file", file);
		error_hint(err, "name a file in it");
		return false;
	}
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return error_set(err, ERR_FILE, "%s: is not a regular file", file);
	return true;
}

/* One byte more than the limit tells a full file from a cut one. */
static bool read_all(int fd, const char *file, size_t limit, struct text *ret_text, struct error *err)
{
	char *data = xmalloc(READ_CHUNK + 1);
	size_t n = 0, room = READ_CHUNK;

	while (n <= limit) {
		size_t want = room - n < limit + 1 - n ? room - n : limit + 1 - n;
		ssize_t got = read(fd, data + n, want);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(data);
			return error_set(err, ERR_FILE, "%s: %s", file, strerror(errno));
		}
		if (got == 0)
			break;
		n += (size_t)got;
		if (n == room) {
			room *= 2;
			data = xrealloc_array(data, room + 1, 1);
		}
	}
	ret_text->was_cut = n > limit;
	ret_text->n = n > limit ? limit : n;
	ret_text->data = data;
	data[ret_text->n] = '\0';
	return true;
}

bool text_read(const char *file, size_t limit, struct text *ret_text, struct error *err)
{
	bool is_stdin = strcmp(file, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return error_set(err, ERR_FILE, "%s: %s", file, strerror(errno));
	ok = file_is_readable_kind(fd, file, err) && read_all(fd, file, limit, ret_text, err);
	if (!is_stdin)
		close(fd);
	return ok;
}

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t utf8_step(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t length;

	if (u[0] < 0x80)
		return 1;
	length = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
	if (u[0] < 0xc2 || u[0] > 0xf4 || n < length)
		return 0;
	for (size_t i = 1; i < length; i++)
		if (!is_tail(u[i]))
			return 0;
	/* Overlong forms, surrogates and what lies beyond U+10FFFF. */
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
		(u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return length;
}

size_t utf8_bad(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t step = utf8_step(s + i, n - i);

		if (step == 0)
			return i;
		i += step;
	}
	return n;
}

char *text_beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	size_t n;
	char *path;

	if (name[0] == '/' || slash == NULL)
		return xstrdup(name);
	n = (size_t)(slash - file) + 1;
	path = xmalloc(n + strlen(name) + 1);
	memcpy(path, file, n);
	strcpy(path + n, name);
	return path;
}

char *text_trimmed(const char *start, size_t n)
{
	char *copy;

	while (n > 0 && (start[0] == ' ' || start[0] == '\t')) {
		start++;
		n--;
	}
	while (n > 0 && (start[n - 1] == ' ' || start[n - 1] == '\t'))
		n--;
	copy = xmalloc(n + 1);
	memcpy(copy, start, n);
	copy[n] = '\0';
	return copy;
}
