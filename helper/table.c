// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libsmartcols does widths, terminals, escapes and locales; which line is below which is decided here.
 */
#include "table.h"

#include <libsmartcols/libsmartcols.h>

static int compare(const void *a, const void *b, void *by)
{
	const struct item *x = a, *y = b;
	enum column c = *(enum column *)by;
	int order = column_compare(c, x->text[c], y->text[c]);

	return order ? order : column_compare(COLUMN_BDF, x->bdf, y->bdf);
}

/* What cannot be cut is wider than a narrow terminal only if it is asked for. */
static int add_columns(struct libscols_table *table, const struct table_view *view)
{
	unsigned int i;

	for (i = 0; i < view->n_columns; i++) {
		enum column c = view->column[i];
		int flags = column_is_prose(c) ? SCOLS_FL_TRUNC : 0;

		if (c == COLUMN_GROUP)
			flags |= SCOLS_FL_RIGHT;
		/* The tree hangs on the address, or on what stands first. */
		if (view->tree && i == 0)
			flags |= SCOLS_FL_TREE;
		if (!scols_table_new_column(table, column_name(c), 0, flags))
			return -ENOMEM;
	}
	return 0;
}

static int add_line(struct libscols_table *table, const struct table_view *view, const struct item *item,
		    struct libscols_line **ret)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	unsigned int i;

	if (!line)
		return -ENOMEM;
	for (i = 0; i < view->n_columns; i++) {
		const char *text = item->text[view->column[i]];

		if (text[0] && scols_line_set_data(line, i, text) != 0)
			return -ENOMEM;
	}
	*ret = line;
	return 0;
}

/* In a second pass, as what carries a function may come after it. */
static int add_branches(const struct inventory *inv, struct libscols_line **lines)
{
	size_t i;

	for (i = 0; i < inv->n; i++) {
		const struct item *above = inv->items[i].above[0] ? inventory_find(inv, inv->items[i].above) : NULL;

		if (above && scols_line_add_child(lines[above - inv->items], lines[i]) != 0)
			return -ENOMEM;
	}
	return 0;
}

static int fill(struct libscols_table *table, const struct inventory *inv, const struct table_view *view)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers is what it holds */
	_cleanup_free_ struct libscols_line **lines = calloc(inv->n + 1, sizeof(*lines));
	int r = lines ? add_columns(table, view) : -ENOMEM;
	size_t i;

	for (i = 0; r == 0 && i < inv->n; i++)
		r = add_line(table, view, &inv->items[i], &lines[i]);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the cleanup attribute frees it */
	return r == 0 && view->tree ? add_branches(inv, lines) : r;
}

int table_print(struct inventory *inv, const struct table_view *view)
{
	struct libscols_table *table = scols_new_table();
	enum column by = view->sorted ? view->sort : COLUMN_BDF;
	int r;

	if (!table)
		return -ENOMEM;
	if (inv->n > 0)
		qsort_r(inv->items, inv->n, sizeof(inv->items[0]), compare, &by);
	scols_table_enable_raw(table, view->raw);
	scols_table_enable_export(table, view->pairs);
	scols_table_enable_json(table, view->json);
	scols_table_enable_noheadings(table, view->no_headings);
	scols_table_set_name(table, "functions");
	r = fill(table, inv, view);
	if (r == 0)
		r = scols_print_table(table);
	scols_unref_table(table);
	return r;
}
