// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio check: the table of findings, and how they are shown. To add one, add a line here and a function to the file of its
 * group.
 */
#include "check.h"

#include <sys/ioctl.h>
#include "account.h"
#include "exit-code.h"
#include "json.h"
#include "say.h"
#include "verbs.h"

static const struct {
	const char *name;
	look_fn *look;
	bool of_user;     /* only with --user */
} findings[] = {
	{ "functions", check_functions, false },
	{ "iommu", check_iommu, false },
	{ "translation", check_translation, false },
	{ "groups", check_groups, false },
	{ "interrupts", check_interrupts, false },
	{ "no-iommu-mode", check_noiommu, false },
	{ "acs", check_acs, false },
	{ "kernel", check_kernel, false },
	{ "vfio", check_vfio, false },
	{ "drivers", check_drivers, false },
	{ "grace", check_grace, false },
	{ "signatures", check_signatures, false },
	{ "built-in", check_native, false },
	{ "initramfs", check_initramfs, false },
	{ "rules", check_rules, false },
	{ "udev", check_udev, false },
	{ "switch", check_off, false },
	{ "configuration", check_configuration, false },
	{ "sections", check_sections, false },
	{ "boot", check_boot, false },
	{ "console", check_console, false },
	{ "driverctl", check_driverctl, false },
	{ "libvirt", check_libvirt, false },
	{ "ids", check_ids, false },
	{ "kubernetes", check_kubernetes, false },
	{ "vgpu", check_vgpu, false },
	{ "services", check_services, false },
	{ "other-rules", check_other_rules, false },
	{ "memlock", check_memlock, false },
	{ "node-group", check_node_group, false },
	{ "user-nodes", check_user_nodes, true },
	{ "user-memlock", check_user_memlock, true },
};

#define INDENT 9

static const char *grade_name(enum grade grade)
{
	return grade == GRADE_OK ? "ok" : grade == GRADE_NOTE ? "note" : "problem";
}

static const char *system_name(enum system system)
{
	return system == SYSTEM_DEBIAN ? "Debian" : system == SYSTEM_FEDORA ? "Fedora" : system == SYSTEM_ARCH ? "Arch" : NULL;
}

/* Of the terminal; 0 where there is none, and lines are as long as they are. */
static unsigned int find_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

/* Words of text, on as many lines as it takes; the first begins at column at. */
static void print_wrapped(const char *text, unsigned int at, unsigned int width)
{
	unsigned int column = at;
	bool first = true;

	while (*text) {
		size_t len = strcspn(text, " ");
		char word[1024];

		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		if (!first && width && column + 1 + len > width) {
			printf("\n%*s", INDENT, "");
			column = INDENT;
		} else if (!first) {
			putchar(' ');
			column++;
		}
		say_plain(word);
		column += (unsigned int)strlen(word);
		first = false;
		text += len + strspn(text + len, " ");
	}
	putchar('\n');
}

/* Commands are not wrapped: they are to be copied. */
static void print_mend(const struct mend *m, bool one_system)
{
	const char *name = one_system ? NULL : system_name(m->system);

	printf("%*s-> %s%s", INDENT, "", name ? name : "", name ? ": " : "");
	say_plain(m->text);
	putchar('\n');
}

static void show_plain(const char *name, const struct finding *f, enum system system, unsigned int width)
{
	char line[sizeof(f->text) + 40];
	unsigned int i;

	printf("%-*s", INDENT, grade_name(f->grade));
	snprintf(line, sizeof(line), "%s: %s", name, f->text);
	print_wrapped(line, INDENT, width);
	if (f->means) {
		printf("%*s", INDENT, "");
		print_wrapped(f->means, INDENT, width);
	}
	for (i = 0; i < f->n_mends; i++) {
		if (f->mend[i].system & system)
			print_mend(&f->mend[i], system != SYSTEM_ALL);
	}
}

static void show_json(struct json *j, const char *name, const struct finding *f, enum system system)
{
	unsigned int i;

	json_open(j, NULL, '{');
	json_string(j, "finding", name);
	json_string(j, "grade", grade_name(f->grade));
	json_bool(j, "needs_root", f->needs_root);
	json_string(j, "text", f->text);
	json_string(j, "means", f->means);
	json_open(j, "mend", '[');
	for (i = 0; i < f->n_mends; i++) {
		if (!(f->mend[i].system & system))
			continue;
		json_open(j, NULL, '{');
		json_string(j, "system", system_name(f->mend[i].system));
		json_string(j, "text", f->mend[i].text);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void show_sum(struct json *j, const unsigned int count[3])
{
	if (j) {
		json_close(j, ']');
		json_bool(j, "ready", count[GRADE_PROBLEM] == 0);
		json_number(j, "problems", count[GRADE_PROBLEM]);
		json_number(j, "notes", count[GRADE_NOTE]);
		json_close(j, '}');
		putchar('\n');
		return;
	}
	printf("%s: %u problem%s, %u note%s, %u ok\n", count[GRADE_PROBLEM] ? "not ready" : "ready", count[GRADE_PROBLEM],
	       count[GRADE_PROBLEM] == 1 ? "" : "s", count[GRADE_NOTE], count[GRADE_NOTE] == 1 ? "" : "s", count[GRADE_OK]);
}

static void show_all(const struct host *host, struct json *j, unsigned int count[3])
{
	unsigned int width = find_width(), i;

	if (j) {
		json_open(j, NULL, '{');
		json_open(j, "findings", '[');
	}
	for (i = 0; i < ARRAY_SIZE(findings); i++) {
		struct finding f = { .grade = GRADE_OK };

		if (findings[i].of_user && !host->user)
			continue;
		findings[i].look(host, &f);
		count[f.grade]++;
		if (j)
			show_json(j, findings[i].name, &f, host->system);
		else
			show_plain(findings[i].name, &f, host->system, width);
	}
	show_sum(j, count);
}

int verb_check(const struct options *opt)
{
	struct json writer = { .to = stdout };
	unsigned int count[3] = { 0 };
	struct account account;
	struct host host;
	int r;

	if (opt->user && account_find(opt->user, &account) < 0) {
		say_error("no-such-user", opt->user, "there is no such user");
		return EXIT_CODE_USAGE;
	}
	r = host_read(&host, opt->user);
	if (r < 0) {
		say_error("failed", NULL, "cannot list PCI functions: %s", strerror(-r));
		host_free(&host);
		return EXIT_CODE_FAILED;
	}
	show_all(&host, opt->json ? &writer : NULL, count);
	host_free(&host);
	return count[GRADE_PROBLEM] ? EXIT_CODE_NOT_READY : EXIT_CODE_OK;
}
