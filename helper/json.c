// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON without a library: a few objects of strings are all there is to write, and the tables are libsmartcols' business.
 */
#include "json.h"

/* Bytes of the UTF-8 character at s, 0 if it is none (RFC 3629; overlong forms and surrogates are let through). */
static size_t utf8_length(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0, i;

	for (i = 1; i < len; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

static void quote(struct json *j, const char *s)
{
	putc('"', j->to);
	while (*s) {
		unsigned char c = (unsigned char)*s;
		size_t len = utf8_length(s);

		if (c == '"' || c == '\\')
			fprintf(j->to, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			fprintf(j->to, "\\u%04x", c);
		else if (len == 0)
			fputs("\\ufffd", j->to);
		else
			fwrite(s, 1, len, j->to);
		s += len ? len : 1;
	}
	putc('"', j->to);
}

static void begin(struct json *j, const char *name)
{
	if (j->comma)
		putc(',', j->to);
	j->comma = true;
	if (name) {
		quote(j, name);
		putc(':', j->to);
	}
}

void json_open(struct json *j, const char *name, char bracket)
{
	begin(j, name);
	putc(bracket, j->to);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	putc(bracket, j->to);
	j->comma = true;
}

void json_string(struct json *j, const char *name, const char *value)
{
	begin(j, name);
	if (value)
		quote(j, value);
	else
		fputs("null", j->to);
}

void json_number(struct json *j, const char *name, unsigned int value)
{
	begin(j, name);
	fprintf(j->to, "%u", value);
}

void json_bool(struct json *j, const char *name, bool value)
{
	begin(j, name);
	fputs(value ? "true" : "false", j->to);
}
