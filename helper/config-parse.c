// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A text into sections. libinih splits `key = value`, but tells its handler no line number and
 * takes mistakes in silence: an indented key continues the value above, lines are cut at 200 bytes,
 * section names at 50, ':' is as good as '='. So every line passes through a reader of ours first,
 * which counts, refuses what inih would misread, and opens the sections (of an empty one inih says
 * nothing).
 */
#include "config-internal.h"

#include <ini.h>
#include <stdarg.h>

#define BLANK " \t"

/* INI_MAX_LINE is 200 where nobody changed it; newline and NUL take two. */
#define LINE_BYTES_MAX 198

/* Enough for every function of a large host; a file gone wild cannot have all the memory. */
#define SECTIONS_MAX 4096

struct parser {
	struct config *cfg;
	const char *file;
	const char *rest, *end;      /* of the text */
	unsigned int line;
	size_t first_section;        /* of this file */
	int result;                  /* sticks: the first error is the one to report */
	char *error;
	size_t error_size;
};

_printf_(2, 3) static int fail(struct parser *p, const char *format, ...)
{
	va_list args;
	int n;

	if (p->result < 0)
		return p->result;
	p->result = -EINVAL;
	n = snprintf(p->error, p->error_size, "%s:%u: ", p->file, p->line);
	if (n < 0 || (size_t)n >= p->error_size)
		return p->result;
	va_start(args, format);
	(void)vsnprintf(p->error + n, p->error_size - (size_t)n, format, args);
	va_end(args);
	return p->result;
}

static int fail_memory(struct parser *p)
{
	(void)fail(p, "out of memory");
	p->result = -ENOMEM;
	return p->result;
}

static struct section *current_section(const struct parser *p)
{
	size_t n = p->cfg->n_sections;

	return n == p->first_section ? NULL : &p->cfg->sections[n - 1];
}

/* name is what stands between the brackets. */
static int parse_section_name(struct parser *p, const char *name, struct section *ret)
{
	const char *of;
	int r;

	if (streq(name, "policy")) {
		ret->level = LEVEL_POLICY;
		return 0;
	}
	if (!startswith(name, "device "))
		return fail(p, "unknown section [%s]: expected [policy] or [device ...]", name);
	of = name + strlen("device ");
	if (pci_parse_bdf(of, &ret->bdf) == 0) {
		ret->level = LEVEL_ADDRESS;
		return 0;
	}
	r = config_parse_ids(of, &ret->ids);
	if (r < 0)
		return fail(p, "[%s]: expected a BDF (0000:41:00.0) or ids (10de:2331 or "
			    "10de:2331:10de:1626)", name);
	ret->level = r == 4 ? LEVEL_SUBSYSTEM : LEVEL_MODEL;
	return 0;
}

static int add_section(struct parser *p, const struct section *new)
{
	struct config *cfg = p->cfg;

	if (cfg->n_sections == SECTIONS_MAX)
		return fail(p, "more than %d sections", SECTIONS_MAX);
	if (cfg->n_sections == cfg->room) {
		size_t room = cfg->room ? cfg->room * 2 : 8;
		struct section *grown = reallocarray(cfg->sections, room, sizeof(*grown));

		if (!grown)
			return fail_memory(p);
		cfg->sections = grown;
		cfg->room = room;
	}
	cfg->sections[cfg->n_sections++] = *new;
	return 0;
}

static int open_section(struct parser *p, char *line)
{
	struct section new = { .file = p->file, .line = p->line };
	char *close = strchr(line, ']');
	size_t i;

	if (!close)
		return fail(p, "section header without ]");
	if (close[1 + strspn(close + 1, BLANK)] != '\0')
		return fail(p, "text after ]");
	close[0] = '\0';
	if (parse_section_name(p, line + 1, &new) < 0)
		return p->result;
	memcpy(close, "]", 2); /* inih reads the line next */

	for (i = p->first_section; i < p->cfg->n_sections; i++) {
		const struct section *old = &p->cfg->sections[i];

		if (old->level == new.level && config_same_bdf(&old->bdf, &new.bdf) &&
		    config_same_ids(&old->ids, &new.ids))
			return fail(p, "%s again, first at line %u", line, old->line);
	}
	return add_section(p, &new);
}

/* As inih has it by default: a ';' after a blank begins a comment. */
static void cut_comment(char *line)
{
	char *s;

	for (s = line; (s = strchr(s, ';')); s++) {
		if (s > line && strchr(BLANK, s[-1])) {
			*s = '\0';
			return;
		}
	}
}

static int check_assignment(struct parser *p, const char *line)
{
	size_t key_len = strcspn(line, "=:");

	if (line[key_len] == ':')
		return fail(p, "expected key = value, found ':' before any '='");
	if (line[key_len] == '\0')
		return fail(p, "expected key = value or a [section]");
	if (key_len == 0)
		return fail(p, "no key before '='");
	if (!current_section(p))
		return fail(p, "key outside a section: [policy] or [device ...] comes first");
	return 0;
}

/* Cuts comments from the line and refuses what inih would take for something else. */
static int check_line(struct parser *p, char *line, size_t len)
{
	size_t i, start;

	/* NUL hides the rest of its line, a lone CR may make one comment of a whole file. */
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return fail(p, "control character 0x%02x", c);
	}
	if (p->line == 1 && startswith(line, "\xef\xbb\xbf"))
		return fail(p, "byte order mark: save the file as UTF-8 without one");
	start = strspn(line, BLANK);
	if (strchr("#;", line[start])) { /* finds the end of the line, too */
		line[0] = '\0';
		return 0;
	}
	if (start > 0)
		return fail(p, "indented: a key or section begins in the first column");
	cut_comment(line);
	/* A no-break space out of a web page could not be seen in a message about the value. */
	for (i = 0; line[i]; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c >= 0x80)
			return fail(p, "byte 0x%02x: outside of comments only ASCII is used", c);
	}
	return line[0] == '[' ? open_section(p, line) : check_assignment(p, line);
}

/* The fgets() of ini_parse_stream(): the next line, fit for inih; NULL at the end and on errors. */
static char *read_line(char *buf, int size, void *stream)
{
	struct parser *p = stream;
	const char *newline;
	size_t len;

	if (p->result < 0 || p->rest == p->end)
		return NULL;
	newline = memchr(p->rest, '\n', (size_t)(p->end - p->rest));
	len = (size_t)((newline ? newline : p->end) - p->rest);
	p->line++;
	/* Other builds of inih may have a smaller buffer: its size is the last word. */
	if (len > LINE_BYTES_MAX || len + 2 > (size_t)size) {
		(void)fail(p, "line longer than %d bytes", LINE_BYTES_MAX);
		return NULL;
	}
	memcpy(buf, p->rest, len);
	p->rest = newline ? newline + 1 : p->end;
	if (len > 0 && buf[len - 1] == '\r')
		len--;
	buf[len] = '\0';
	if (check_line(p, buf, len) < 0)
		return NULL;
	len = strlen(buf);
	memcpy(buf + len, "\n", 2);
	return buf;
}

/* `id`: whatever sits at the address must still be this, or the section is not meant. */
static int set_guard(struct parser *p, struct section *section, const char *value)
{
	struct pci_ids ids;

	if (section->level != LEVEL_ADDRESS)
		return fail(p, "id is a key of [device BDF] only");
	if (section->guard_line)
		return fail(p, "id again, first at line %u", section->guard_line);
	if (config_parse_ids(value, &ids) != 2)
		return fail(p, "id = %s: expected vendor and device like 10de:2331", value);
	section->guard = ids;
	section->guard_line = p->line;
	return 0;
}

static int set_key(struct parser *p, struct section *section, const char *name, const char *value)
{
	struct setting setting = { .level = section->level, .file = p->file, .line = p->line };
	enum config_key key;

	if (config_key_find(name, &key) < 0)
		return fail(p, "unknown key %s", name);
	if (config_key_is_policy_only(key) && section->level != LEVEL_POLICY)
		return fail(p, "%s is a key of [policy] only", name);
	if (section->key[key].file)
		return fail(p, "%s again, first at line %u", name, section->key[key].line);
	if (config_key_parse(key, value, &setting) < 0)
		return fail(p, "%s = %s: expected %s", name, value, config_key_expects(key));
	setting.text = config_keep(p->cfg, setting.text);
	if (!setting.text)
		return fail_memory(p);
	section->key[key] = setting;
	return 0;
}

/*
 * inih calls this for the line it was just given. Its idea of the section may be cut short, ours is
 * not. A build with INI_CALL_HANDLER_ON_NEW_SECTION calls without a name.
 */
static int take_key(void *user, _unused_ const char *section, const char *name, const char *value)
{
	struct parser *p = user;
	struct section *at;

	if (p->result < 0 || !name || !value)
		return p->result == 0;
	/* check_assignment() has refused that; should inih see a key where we saw none, nothing is taken. */
	at = current_section(p);
	if (!at)
		return fail(p, "%s: key outside a section", name) == 0;
	if (streq(name, "id"))
		return set_guard(p, at, value) == 0;
	return set_key(p, at, name, value) == 0;
}

int config_parse(struct config *cfg, const char *name, const char *text, size_t len, char *error,
		 size_t error_size)
{
	struct parser p = {
		.cfg = cfg, .file = config_keep(cfg, name), .rest = text, .end = text + len,
		.first_section = cfg->n_sections, .error = error, .error_size = error_size,
	};
	int r;

	if (!p.file) {
		(void)snprintf(error, error_size, "%s: out of memory", name);
		return -ENOMEM;
	}
	r = ini_parse_stream(read_line, &p, take_key, &p);
	/* -2 is inih's ENOMEM, in a build that keeps its line on the heap. */
	if (p.result == 0 && r < 0)
		(void)fail_memory(&p);
	else if (p.result == 0 && r > 0)
		(void)fail(&p, "libinih does not understand the line");
	if (p.result < 0)
		cfg->n_sections = p.first_section; /* all of a file or nothing */
	return p.result;
}
