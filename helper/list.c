// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio list: from options to an inventory and a view of it.
 */
#include "verbs.h"

#include "exit-code.h"
#include "host.h"
#include "say.h"

static int unknown_column(const char *name, size_t len)
{
	char known[256] = "";
	unsigned int i;

	for (i = 0; i < COLUMN_COUNT; i++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? "," : "",
			 column_name((enum column)i));
	say_error("usage", NULL, "no such column: '%.*s'; there are %s", (int)len, name, known);
	return EXIT_CODE_USAGE;
}

/* --output: a list of columns, or with + in front those to be added to the default ones. */
static int choose_columns(const struct options *opt, struct table_view *view)
{
	unsigned int count = opt->all_columns ? COLUMN_COUNT : COLUMN_DEFAULT_COUNT, i;
	const char *s = opt->columns;
	enum column c;

	if (!s || *s == '+') {
		for (i = 0; i < count; i++)
			view->column[view->n_columns++] = (enum column)i;
		s = s ? s + 1 : "";
		if (!*s && opt->columns)
			return unknown_column(s, 0);
	} else if (!*s) {
		return unknown_column(s, 0);
	}
	while (*s) {
		size_t len = strcspn(s, ",");
		bool twice = false;

		if (column_find(s, len, &c) < 0)
			return unknown_column(s, len);
		/* libsmartcols would print it twice, and JSON would have one name for two values. */
		for (i = 0; i < view->n_columns; i++)
			twice |= view->column[i] == c;
		if (!twice)
			view->column[view->n_columns++] = c;
		s += len;
		if (*s == ',' && *++s == '\0')
			return unknown_column(s, 0);
	}
	return EXIT_CODE_OK;
}

/* Which are read: those shown, the one to sort by, and contradictions, which are warned of. */
static uint32_t read_columns(const struct table_view *view)
{
	uint32_t columns = 1U << COLUMN_BDF | 1U << COLUMN_NOTE;
	unsigned int i;

	for (i = 0; i < view->n_columns; i++)
		columns |= 1U << view->column[i];
	return columns | (view->sorted ? 1U << view->sort : 0);
}

static void warn_of_notes(const struct inventory *inv, const struct table_view *view)
{
	unsigned int c;
	size_t i;

	for (c = 0; c < view->n_columns; c++) {
		if (view->column[c] == COLUMN_NOTE)
			return;
	}
	for (i = 0; i < inv->n; i++) {
		if (inv->items[i].text[COLUMN_NOTE][0])
			say_warning("disagreement", inv->items[i].bdf, "%s", inv->items[i].text[COLUMN_NOTE]);
	}
}

int verb_list(const struct options *opt)
{
	struct table_view view = { .tree = opt->tree, .json = opt->json, .raw = opt->raw, .pairs = opt->pairs,
				   .no_headings = opt->no_headings };
	struct selection selection = { .foreign = opt->foreign, .bridges = opt->tree };
	_cleanup_inventory_ struct inventory inv = { .n = 0 };
	int r;

	r = choose_columns(opt, &view);
	if (r != EXIT_CODE_OK)
		return r;
	view.sorted = opt->sort != NULL;
	if (opt->sort && column_find(opt->sort, strlen(opt->sort), &view.sort) < 0)
		return unknown_column(opt->sort, strlen(opt->sort));
	selection.columns = read_columns(&view);
	r = config_readable();
	if (r != EXIT_CODE_OK)
		return r;
	host_keep(true);
	r = inventory_read(&inv, &selection);
	host_keep(false);
	if (r < 0) {
		say_error("failed", NULL, "cannot list PCI functions: %s", strerror(-r));
		return EXIT_CODE_FAILED;
	}
	if (inv.n == 0 && inv.worst == EXIT_CODE_OK)
		say_warning("none", NULL, "there is no NVIDIA function");
	r = table_print(&inv, &view);
	if (r < 0) {
		say_error("failed", NULL, "cannot print: %s", strerror(-r));
		return EXIT_CODE_FAILED;
	}
	warn_of_notes(&inv, &view);
	return inv.worst;
}
