// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Errors and warnings of the operator's command. Unlike nvfio-udev it has a person or a script in front of it, and no log.
 */
#include "say.h"

#include <stdarg.h>
#include "json.h"

static bool as_json;

void say_setup(bool json)
{
	as_json = json;
}

static void print_plain(FILE *to, const char *text)
{
	for (; *text; text++)
		putc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
}

void say_plain(const char *text)
{
	print_plain(stdout, text);
}

_printf_(4, 0) static void say(const char *kind, const char *code, const char *about, const char *format, va_list args)
{
	struct json j = { .to = stderr };
	char message[1024];

	vsnprintf(message, sizeof(message), format, args);
	if (!as_json) {
		fputs("nvfio: ", stderr);
		print_plain(stderr, about ? about : "");
		fputs(about ? ": " : "", stderr);
		print_plain(stderr, message);
		putc('\n', stderr);
		return;
	}
	json_open(&j, NULL, '{');
	json_open(&j, kind, '{');
	json_string(&j, "code", code);
	json_string(&j, "about", about);
	json_string(&j, "message", message);
	json_close(&j, '}');
	json_close(&j, '}');
	putc('\n', stderr);
}

void say_error(const char *code, const char *about, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("error", code, about, format, args);
	va_end(args);
}

void say_warning(const char *code, const char *about, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("warning", code, about, format, args);
	va_end(args);
}

int say_flush(void)
{
	int r = 0;

	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		r = errno ? -errno : -EIO;
	if (r < 0)
		say_error("output", NULL, "cannot write to standard output: %s", strerror(-r));
	return r;
}
