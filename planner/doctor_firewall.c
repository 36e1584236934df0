/* Firewall rules as text, nft's or iptables': does one close a port? Only rules that name ports are judged: the first that
 * names one and decides on it counts, as in the firewall. */
#include <stdlib.h>
#include <string.h>

#include "doctor_impl.h"

static bool has_word(const char *line, const char *word)
{
	static const char blanks[] = " \t{},;";
	size_t n = strlen(word);

	while (*(line += strspn(line, blanks)) != '\0') {
		size_t length = strcspn(line, blanks);

		if (length == n && strncasecmp(line, word, n) == 0)
			return true;
		line += length;
	}
	return false;
}

/* "49152-49215", "49152:49215" or "22" at *at; moves on behind it. */
static bool next_range(const char **at, unsigned long *ret_first, unsigned long *ret_last)
{
	char *end;

	*at += strspn(*at, " \t{,");
	*ret_first = strtoul(*at, &end, 10);
	if (end == *at)
		return false;
	*ret_last = *ret_first;
	*at = end;
	if (**at == '-' || **at == ':') {
		*ret_last = strtoul(*at + 1, &end, 10);
		*at = end;
	}
	return true;
}

/* Whether the rule names ports, and any from first to last. */
static bool names_port(const char *line, uint16_t first, uint16_t last)
{
	const char *at = strstr(line, "dport");
	unsigned long from, to;

	if (at == NULL || has_word(line, "udp"))
		return false;
	at += strlen("dport");
	at += strspn(at, "s=");
	at += strspn(at, " \t");
	if (strncmp(at, "!=", 2) == 0 || *at == '!')
		return false;
	while (next_range(&at, &from, &to))
		if (from <= last && to >= first)
			return true;
	return false;
}

char *doctor_closing_rule(char *const *rules, size_t n, uint16_t first, uint16_t last)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!names_port(rules[i], first, last))
			continue;
		if (has_word(rules[i], "drop") || has_word(rules[i], "reject"))
			return xstrdup(rules[i] + strspn(rules[i], " \t"));
		if (has_word(rules[i], "accept"))
			return NULL;
	}
	return NULL;
}
