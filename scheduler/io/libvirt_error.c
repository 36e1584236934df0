/* libvirt's errors as ours. Libvirt's codes are coarse (OPERATION_FAILED is
 * everything else), so its text always stands in the message, and nothing is decided from the text.
 * Whether an outcome is known is decided by whether the connection lives, not here.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "libvirt_internal.h"

static const struct {
	int libvirt_code;
	enum error_code code;
} codes[] = {
	{ VIR_ERR_AUTH_FAILED, ERR_HOST_AUTH },
	{ VIR_ERR_AUTH_CANCELLED, ERR_HOST_AUTH },
	{ VIR_ERR_AUTH_UNAVAILABLE, ERR_HOST_AUTH },
	{ VIR_ERR_ACCESS_DENIED, ERR_HOST_AUTH },
	{ VIR_ERR_CPU_INCOMPATIBLE, ERR_TARGET_CPU_MODEL },
	{ VIR_ERR_OPERATION_ABORTED, ERR_MIGRATE_ABORTED },
	{ VIR_ERR_OPERATION_TIMEOUT, ERR_TIMEOUT },
	{ VIR_ERR_CONFIG_UNSUPPORTED, ERR_UNSUPPORTED },
	{ VIR_ERR_OPERATION_UNSUPPORTED, ERR_UNSUPPORTED },
	{ VIR_ERR_ARGUMENT_UNSUPPORTED, ERR_UNSUPPORTED },
	{ VIR_ERR_NO_SUPPORT, ERR_UNSUPPORTED },
	{ VIR_ERR_INVALID_ARG, ERR_UNSUPPORTED },
	{ VIR_ERR_MIGRATE_UNSAFE, ERR_GUEST_DISK },
	{ VIR_ERR_NO_DOMAIN, ERR_GUEST_GONE },
	{ VIR_ERR_NO_MEMORY, ERR_MEMORY },
};

enum error_code lv_error_code(int libvirt_code, enum error_code fallback)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i].libvirt_code == libvirt_code)
			return codes[i].code;
	return fallback;
}

int lv_last_code(void)
{
	virErrorPtr last = virGetLastError();

	return last ? last->code : VIR_ERR_OK;
}

bool lv_error(struct error *err, enum error_code fallback, const char *format, ...)
{
	char words[ERROR_MESSAGE_SIZE];
	virErrorPtr last = virGetLastError();
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	if (!last || last->code == VIR_ERR_OK)
		return error_set(err, fallback, "%s", words);
	return error_set(err, lv_error_code(last->code, fallback), "%s: %s (libvirt error %d)", words,
			 last->message ? last->message : "no message", last->code);
}

static void swallow(void *arg, virErrorPtr error)
{
	(void)arg;
	(void)error;
}

void lv_error_silence(void)
{
	virSetErrorFunc(NULL, swallow);
}

void lv_text_free(char **text)
{
	free(*text);
}
