/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* From being switched out to being switched in again. A thread that was still runnable was preempted (or yielded); any
 * other blocked. The time a woken thread waits for a CPU is part of its blocked time. */
#include "scope.bpf.h"

PROBE_QUESTION("How long are the target's threads off the CPU, blocked or preempted, in a fault, in a write, elsewhere?");
PROBE_CHOICE("tp_btf:sched_switch");
PROBE_CHOICE("perf:context-switches");

/* blocked_* and preempted_* in the order of probe_scope_kind. */
enum hist_kind {
  H_blocked_elsewhere, H_blocked_in_fault, H_blocked_in_write,
  H_preempted_elsewhere, H_preempted_in_fault, H_preempted_in_write, H_KINDS
};
enum count_kind { C_switches, C_KINDS };
PROBE_HISTS;
PROBE_COUNTS;

struct absence {
  u64 begun_ns;
  u32 preempted;
};
PROBE_THREAD_STATE(struct absence);

SEC("tp_btf/sched_switch")
int BPF_PROG(switch__1, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)
{
  struct probe_control *c = session();
  if (!c)
    return 0;
  if (prev->tgid == c->tgid) {
    struct absence *absence = state_of(prev);
    if (absence) {
      absence->begun_ns = bpf_ktime_get_ns();
      absence->preempted = preempt || prev_state == 0;
    }
    count(c, C_switches, 1);
  }
  if (next->tgid == c->tgid) {
    struct absence *absence = bpf_task_storage_get(&threads, next, 0, 0);
    if (!absence || !absence->begun_ns)
      return 0;
    record(c, scope_of(c, next) + (absence->preempted ? H_preempted_elsewhere : 0), absence->begun_ns);
    absence->begun_ns = 0;
  }
  return 0;
}

SEC("perf_event")
int context_switches__2(void *ctx)
{
  struct probe_control *c = target();
  if (c)
    count(c, C_switches, 1);
  return 0;
}
