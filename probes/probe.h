/* What the BPF programs and their loader share: plain structs, usable from C (BPF) and C++.
 *
 * Invariants:
 * 1. There is one `control` per session; every object's map of that name is the same kernel map, mapped by the loader.
 *    The loader writes `tgid` and `since_ns` and may write `phase` and `ranges`; programs write `phase`, `marks` and `ranges` on behalf
 *    of the target's USDT points.
 * 2. Histograms and counters are per-CPU arrays of PROBE_PHASES * kinds entries, indexed phase * kinds + kind. An
 *    operation belongs to the phase in which it ends.
 * 3. Their kinds are named by the enum that is the map's key type: H_pmem_read is reported as "pmem_read".
 */
#pragma once

#include <linux/types.h>

#define PROBE_PHASES 4  /* as trace.h's phase_mark: outside, warm-up, measured, paused */
#define PROBE_SLOTS 40  /* log2 of ns: the last one holds everything from nine minutes up */
#define PROBE_RANGES 64 /* mapped pmem ranges known at one time; more are counted in ranges_lost */
#define PROBE_NOBODY 0xffffffffu

struct probe_range {
  __u64 begin; /* 0: a free entry */
  __u64 end;
};

struct probe_control {
  __u32 tgid; /* the target as the initial pid namespace numbers it; PROBE_NOBODY: account nothing */
  __u32 phase;
  __u32 marks;       /* phase marks that arrived from the target */
  __u32 ranges_lost; /* ranges announced while the table was full */
  __u32 range_count; /* entries in use are below this one */
  __u32 unused;
  __u64 since_ns; /* CLOCK_MONOTONIC when the session turned to this target */
  struct probe_range ranges[PROBE_RANGES];
};

/* The number of values is the sum of the slots; slot i counts values in [2^i, 2^(i+1)), slot 0 also 0. */
struct probe_hist {
  __u64 sum;
  __u64 max;
  __u64 slots[PROBE_SLOTS];
};

/* What a thread of the target is doing at user level: kept by user_fault and user_write, read by probes that attribute
 * waits. Zero: not in one. */
struct probe_scope {
  __u64 fault_begun_ns;
  __u64 write_begun_ns;
  __u32 fault_is_write;
  __u32 unused;
};

/* LockScope of engines/base/mutex.h. */
enum probe_scope_kind { SCOPE_OTHER = 0, SCOPE_FAULT = 1, SCOPE_WRITE = 2 };

/* One span of the recording that `daxlab trace` draws (recording.bpf.c). */
enum probe_span {
  SPAN_PMEM_FAULT, SPAN_OTHER_FAULT, SPAN_BLOCKED, SPAN_PREEMPTED, SPAN_USER_FAULT, SPAN_USER_WRITE, SPAN_LOCK_WAIT, SPAN_FSYNC,
  SPAN_COMMIT, SPAN_KINDS
};
struct probe_event {
  __u64 begun_ns; /* CLOCK_MONOTONIC */
  __u64 duration_ns;
  __u32 tid;  /* as the initial pid namespace numbers it */
  __u32 kind; /* enum probe_span */
};

#define PROBE_STACK_DEPTH 64
/* Where a thread was, as identifiers into the stack map; negative: no such stack. */
struct probe_stack {
  __s32 user;
  __s32 kernel;
  __u32 off_cpu; /* 0: samples on a CPU, 1: ns off it */
};
