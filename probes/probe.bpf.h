/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* What every probe is made of: the target filter, phases, log2 histograms, counters, per-thread state.
 *
 * A probe is one file. It states its question and its attach choices, best first; the build puts them into the catalogue.
 * The programs of choice N have names that end in __N (__12: of choices 1 and 2). It lists what it reports in
 * `enum hist_kind` and `enum count_kind` and says PROBE_HISTS; PROBE_COUNTS; after them.
 *
 * Values are added atomically: programs may be preempted by one another on one CPU, and counts must be exact.
 */
#pragma once

#include "core.bpf.h"
#include "probe.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Read by the build (catalogue.cmake), one to a line, so they leave nothing in the object. */
#define PROBE_QUESTION(text) _Static_assert(sizeof(text) > 1, "a probe has a question")
#define PROBE_CHOICE(label) _Static_assert(sizeof(label) > 1, "an attach choice has a label")
#define PROBE_ON_REQUEST _Static_assert(1, "not in the default set")

#define PROBE_FUNCTION static __always_inline __attribute__((unused))

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, u32);
  __type(value, struct probe_control);
} control SEC(".maps");

/* Events of the target that could not be accounted. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, u64);
} lost SEC(".maps");

PROBE_FUNCTION struct probe_control *session(void)
{
  u32 zero = 0;
  return bpf_map_lookup_elem(&control, &zero);
}

/* The session's control when the current task belongs to the target, else 0. */
PROBE_FUNCTION struct probe_control *target(void)
{
  struct probe_control *c = session();
  if (!c || c->tgid != (u32)(bpf_get_current_pid_tgid() >> 32))
    return 0;
  return c;
}

PROBE_FUNCTION void count_lost(void)
{
  u32 zero = 0;
  u64 *value = bpf_map_lookup_elem(&lost, &zero);
  if (value)
    __sync_fetch_and_add(value, 1);
}

PROBE_FUNCTION u32 log2_slot(u64 value)
{
  u32 slot = 0;
  if (value >> 32) { value >>= 32; slot += 32; }
  if (value >> 16) { value >>= 16; slot += 16; }
  if (value >> 8) { value >>= 8; slot += 8; }
  if (value >> 4) { value >>= 4; slot += 4; }
  if (value >> 2) { value >>= 2; slot += 2; }
  slot += (u32)(value >> 1);
  return slot < PROBE_SLOTS ? slot : PROBE_SLOTS - 1;
}

/* Is the address inside a mapped pmem range of the target? */
PROBE_FUNCTION bool in_pmem(struct probe_control *c, u64 address)
{
  u32 count = c->range_count;
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < PROBE_RANGES; i++) {
    if (i >= count)
      break;
    if (address - c->ranges[i].begin < c->ranges[i].end - c->ranges[i].begin)
      return 1;
  }
  return 0;
}

/* After `enum hist_kind {..., H_KINDS}`: defines record(), which counts the time since begun_ns in the current
 * phase. What began before the session turned to this target (since_ns) belongs to nobody. */
#define PROBE_HISTS                                                                                             \
  struct {                                                                                                      \
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                                                    \
    __uint(max_entries, PROBE_PHASES * H_KINDS);                                                                \
    __type(key, enum hist_kind);                                                                                \
    __type(value, struct probe_hist);                                                                           \
  } hists SEC(".maps");                                                                                         \
  PROBE_FUNCTION void record(struct probe_control *c, u32 kind, u64 begun_ns)                                   \
  {                                                                                                             \
    u32 key = (c->phase & (PROBE_PHASES - 1)) * H_KINDS + kind;                                                 \
    u64 now = bpf_ktime_get_ns();                                                                               \
    if (begun_ns < c->since_ns || now < begun_ns)                                                               \
      return;                                                                                                   \
    u64 ns = now - begun_ns;                                                                                    \
    struct probe_hist *hist = bpf_map_lookup_elem(&hists, &key);                                                \
    if (!hist)                                                                                                  \
      return;                                                                                                   \
    __sync_fetch_and_add(&hist->slots[log2_slot(ns)], 1);                                                       \
    __sync_fetch_and_add(&hist->sum, ns);                                                                       \
    if (ns > hist->max)                                                                                         \
      hist->max = ns;                                                                                           \
  }                                                                                                             \
  _Static_assert(1, "")

/* After `enum count_kind {..., C_KINDS}`: defines count(kind, by). */
#define PROBE_COUNTS                                                                                            \
  struct {                                                                                                      \
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                                                    \
    __uint(max_entries, PROBE_PHASES * C_KINDS);                                                                \
    __type(key, enum count_kind);                                                                               \
    __type(value, u64);                                                                                         \
  } counts SEC(".maps");                                                                                        \
  PROBE_FUNCTION void count(struct probe_control *c, u32 kind, u64 by)                                          \
  {                                                                                                             \
    u32 key = (c->phase & (PROBE_PHASES - 1)) * C_KINDS + kind;                                                 \
    u64 *value = bpf_map_lookup_elem(&counts, &key);                                                            \
    if (value)                                                                                                  \
      __sync_fetch_and_add(value, by);                                                                          \
  }                                                                                                             \
  _Static_assert(1, "")

/* Defines thread_state(), this probe's own state of the current thread: 0 (and a lost event) only without memory. */
#define PROBE_THREAD_STATE(per_thread)                                                                          \
  struct {                                                                                                      \
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);                                                                    \
    __uint(map_flags, BPF_F_NO_PREALLOC);                                                                       \
    __type(key, int);                                                                                           \
    __type(value, per_thread);                                                                                  \
  } threads SEC(".maps");                                                                                       \
  PROBE_FUNCTION per_thread *state_of(struct task_struct *task)                                                 \
  {                                                                                                             \
    per_thread *state = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);                \
    if (!state)                                                                                                 \
      count_lost();                                                                                             \
    return state;                                                                                               \
  }                                                                                                             \
  PROBE_FUNCTION per_thread *thread_state(void) { return state_of(bpf_get_current_task_btf()); }                \
  _Static_assert(1, "")

struct begun {
  u64 at_ns; /* 0: nothing has begun */
};
