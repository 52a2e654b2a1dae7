// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of lib/interval_tree.c that a kernel without iommufd leaves out. The rest of it is in the kernel, and exported
 * by it alone.
 */
#include <linux/export.h>

#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL_GPL(name)
#define CONFIG_INTERVAL_TREE_SPAN_ITER 1
#include "interval_tree.c"
