/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of `nvfio explain` that are not about the verdict. json is NULL where they are to be read by people.
 */
#ifndef NVFIO_EXPLAIN_PARTS_H
#define NVFIO_EXPLAIN_PARTS_H

#include "json.h"
#include "status.h"

/* Its IOMMU group: viable or not, and each member with its driver. */
void explain_group(struct json *json, const struct status *s);

/* Who uses it. Looks for them where policy had no need to. */
void explain_users(struct json *json, struct status *s);

/* What taking it writes, in order: what bind.c would do with what is known now. */
void explain_writes(struct json *json, struct status *s);

#endif
