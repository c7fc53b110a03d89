/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* The map `scopes`, shared by all objects of a session: what each thread of the target is doing. The loader brings
 * user_fault and user_write along for every probe that has this map, because they keep it. */
#pragma once

#include "probe.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct probe_scope);
} scopes SEC(".maps");

/* A fault inside a write (its source was not mapped) is a fault. */
PROBE_FUNCTION u32 scope_of(struct probe_control *c, struct task_struct *task)
{
  struct probe_scope *scope = bpf_task_storage_get(&scopes, task, 0, 0);
  if (!scope)
    return SCOPE_OTHER;
  if (scope->fault_begun_ns > c->since_ns)
    return SCOPE_FAULT;
  return scope->write_begun_ns > c->since_ns ? SCOPE_WRITE : SCOPE_OTHER;
}

PROBE_FUNCTION struct probe_scope *own_scope(void)
{
  struct probe_scope *scope =
      bpf_task_storage_get(&scopes, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!scope)
    count_lost();
  return scope;
}
