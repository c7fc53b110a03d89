/* SPDX-License-Identifier: GPL-2.0 */
// Shared by the two halves of the module: mappings on request, and log writes under memory pressure.
#pragma once

#include <linux/mm.h>

#include "vmap_probe.h"

// `count` pages of the medium, picked so that no two are neighbours: what a discontiguous buffer looks like.
void vmap_probe_pick(struct page **pages, unsigned int count);

int vmap_log_init(void);
void vmap_log_exit(void);
int vmap_log_writes(struct vmap_request *request);
