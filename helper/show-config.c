// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio config: what holds, in the form of the file it could be read from again, each key with where it was set.
 */
#include "verbs.h"

#include "exit-code.h"
#include "json.h"
#include "say.h"

#define FILE_BYTES_MAX ((size_t)1024 * 1024)

int config_readable(void)
{
	_cleanup_config_ struct config *cfg = NULL;
	char error[512] = "";
	int r = config_load(&cfg, error, sizeof(error));

	if (r == -EACCES) {
		say_error("permission", NULL, "%s; only root can read this configuration", error);
		return EXIT_CODE_FAILED;
	}
	if (r < 0)
		say_warning("configuration", NULL, "%s; nothing is taken until this is mended", error);
	return EXIT_CODE_OK;
}

static void show_key(struct json *j, enum config_key key, const struct setting *s)
{
	char value[512], line[600];

	config_value(key, s, value, sizeof(value));
	if (!j) {
		snprintf(line, sizeof(line), "%s = %s", config_key_name(key), value);
		if (s->file)
			printf("%-40s ; %s:%u\n", line, s->file, s->line);
		else
			printf("%-40s ; default\n", line);
		return;
	}
	json_open(j, NULL, '{');
	json_string(j, "key", config_key_name(key));
	json_string(j, "value", value);
	json_string(j, "file", s->file);
	if (s->file)
		json_number(j, "line", s->line);
	json_close(j, '}');
}

/* [policy] as all files and the defaults together make it. */
static void show_policy(struct json *j, const struct config *cfg)
{
	/* A function that no section can be about: what is left is everybody's. */
	static const struct config_subject nobody = { .bdf = { .domain = UINT32_MAX, .bus = 0xff, .slot = 0xff } };
	struct settings settings;
	unsigned int key;

	config_resolve(cfg, &nobody, &settings);
	if (j)
		json_open(j, "policy", '[');
	else
		puts("[policy]");
	for (key = 0; key < KEY_COUNT; key++)
		show_key(j, (enum config_key)key, &settings.key[key]);
	if (j)
		json_close(j, ']');
}

static void show_section(struct json *j, const struct config_section *s)
{
	char header[64];
	unsigned int key;

	if (j) {
		json_open(j, NULL, '{');
		json_string(j, "section", s->name);
		json_string(j, "file", s->file);
		json_number(j, "line", s->line);
		json_string(j, "id", s->id[0] ? s->id : NULL);
		json_open(j, "keys", '[');
	} else {
		snprintf(header, sizeof(header), "[%s]", s->name);
		printf("\n%-40s ; %s:%u\n", header, s->file, s->line);
		if (s->id[0])
			printf("id = %-35s ; %s:%u\n", s->id, s->file, s->id_line);
	}
	for (key = 0; key < KEY_COUNT; key++) {
		if (s->key[key].file)
			show_key(j, (enum config_key)key, &s->key[key]);
	}
	if (j) {
		json_close(j, ']');
		json_close(j, '}');
	}
}

static void show(struct json *j, const struct config *cfg)
{
	struct config_section section;
	size_t i;

	if (j)
		json_open(j, NULL, '{');
	show_policy(j, cfg);
	if (j)
		json_open(j, "sections", '[');
	for (i = 0; config_section(cfg, i, &section) == 0; i++) {
		if (!streq(section.name, "policy"))
			show_section(j, &section);
	}
	if (j) {
		json_close(j, ']');
		json_close(j, '}');
		putchar('\n');
	}
}

/* The length, -EFBIG or -errno. */
static ssize_t read_file(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");
	ssize_t r;

	if (!file)
		return -errno;
	errno = 0;
	r = (ssize_t)fread(buf, 1, size, file);
	if (ferror(file))
		r = errno ? -errno : -EIO;
	else if ((size_t)r == size)
		r = -EFBIG;
	fclose(file);
	return r;
}

/* A file before it takes its place: read as given, whoever owns it. */
static int check(const char *path)
{
	static char text[FILE_BYTES_MAX + 1];
	_cleanup_config_ struct config *cfg = config_new();
	ssize_t len = cfg ? read_file(path, text, sizeof(text)) : -ENOMEM;
	char error[512] = "";

	if (len < 0) {
		say_error(len == -ENOENT ? "no-such-file" : "failed", path, "%s",
			  len == -EFBIG ? "larger than 1 MiB" : strerror((int)-len));
		return EXIT_CODE_FAILED;
	}
	if (config_parse(cfg, path, text, (size_t)len, error, sizeof(error)) < 0) {
		say_error("configuration", NULL, "%s", error);
		return EXIT_CODE_BAD_DATA;
	}
	return EXIT_CODE_OK;
}

int verb_config(const struct options *opt)
{
	_cleanup_config_ struct config *cfg = NULL;
	struct json json = { .to = stdout };
	char error[512] = "";

	if (opt->check)
		return check(opt->check);
	if (config_load(&cfg, error, sizeof(error)) < 0) {
		say_error("configuration", NULL, "%s; nothing is taken until this is mended", error);
		return EXIT_CODE_BAD_DATA;
	}
	show(opt->json ? &json : NULL, cfg);
	return EXIT_CODE_OK;
}
