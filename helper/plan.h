/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an act would write, in order, as far as it can be said without acting: for `nvfio explain` and --dry-run.
 */
#ifndef NVFIO_PLAN_H
#define NVFIO_PLAN_H

#include "json.h"
#include "judge.h"

/* What bind.c would write to put it on this driver; json is NULL for lines of "    VALUE > PATH". */
void plan_bind(struct json *json, const struct judgement *j, const char *driver);

/* What release.c would write; `to` as for release_function(). */
void plan_release(struct json *json, const struct judgement *j, const char *to);

#endif
