/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* Every span of a target as an event in a ring buffer, and its stacks: sampled while it runs (cpu-clock, 999 Hz), weighed by
 * time while it does not. For `daxlab trace` only: it costs more than the probes, and not part of the catalogue. What does
 * not fit is counted in `lost`. User stacks are followed by frame pointers. */
#include "probe.bpf.h"

#include <bpf/usdt.bpf.h>

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4 << 20);
} events SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 8192);
  __uint(key_size, sizeof(u32));
  __uint(value_size, PROBE_STACK_DEPTH * sizeof(u64));
} stacks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __type(key, struct probe_stack);
  __type(value, u64);
} weights SEC(".maps");

struct thread {
  u64 begun_ns[SPAN_KINDS];
  struct probe_stack left; /* where it was switched out */
};
PROBE_THREAD_STATE(struct thread);

PROBE_FUNCTION struct probe_control *recorded(void)
{
  struct probe_control *c = target();
  return c && c->phase == 2 ? c : 0;
}

PROBE_FUNCTION int begin(u32 kind)
{
  if (!recorded())
    return 0;
  struct thread *thread = thread_state();
  if (thread)
    thread->begun_ns[kind] = bpf_ktime_get_ns();
  return 0;
}

PROBE_FUNCTION void emit(struct probe_control *c, struct thread *thread, u32 kind, u32 tid)
{
  u64 begun_ns = thread->begun_ns[kind];
  thread->begun_ns[kind] = 0;
  if (!begun_ns || begun_ns < c->since_ns)
    return;
  struct probe_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    count_lost();
    return;
  }
  event->begun_ns = begun_ns;
  event->duration_ns = bpf_ktime_get_ns() - begun_ns;
  event->tid = tid;
  event->kind = kind;
  bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

PROBE_FUNCTION int end(u32 kind)
{
  struct probe_control *c = recorded();
  if (!c)
    return 0;
  struct thread *thread = thread_state();
  if (thread)
    emit(c, thread, kind, (u32)bpf_get_current_pid_tgid());
  return 0;
}

PROBE_FUNCTION void weigh(const struct probe_stack *stack, u64 by)
{
  u64 zero = 0;
  u64 *weight = bpf_map_lookup_elem(&weights, stack);
  if (!weight) {
    bpf_map_update_elem(&weights, stack, &zero, BPF_NOEXIST);
    weight = bpf_map_lookup_elem(&weights, stack);
  }
  if (weight)
    __sync_fetch_and_add(weight, by);
  else
    count_lost();
}

SEC("perf_event")
int cpu_clock(struct bpf_perf_event_data *ctx)
{
  if (!recorded())
    return 0;
  struct probe_stack stack = {.off_cpu = 0};
  stack.user = (int)bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
  stack.kernel = (int)bpf_get_stackid(ctx, &stacks, 0);
  weigh(&stack, 1);
  return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switched, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)
{
  struct probe_control *c = session();
  if (!c || c->phase != 2)
    return 0;
  if (prev->tgid == c->tgid) {
    struct thread *thread = state_of(prev);
    if (thread) {
      thread->begun_ns[preempt || prev_state == 0 ? SPAN_PREEMPTED : SPAN_BLOCKED] = bpf_ktime_get_ns();
      thread->left.off_cpu = 1;
      thread->left.user = (int)bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
      thread->left.kernel = (int)bpf_get_stackid(ctx, &stacks, 0);
    }
  }
  if (next->tgid == c->tgid) {
    struct thread *thread = bpf_task_storage_get(&threads, next, 0, 0);
    if (!thread)
      return 0;
    u64 begun_ns = thread->begun_ns[SPAN_BLOCKED] ? thread->begun_ns[SPAN_BLOCKED] : thread->begun_ns[SPAN_PREEMPTED];
    if (begun_ns > c->since_ns) {
      struct probe_stack left = thread->left;
      weigh(&left, bpf_ktime_get_ns() - begun_ns);
    }
    emit(c, thread, SPAN_BLOCKED, (u32)next->pid);
    emit(c, thread, SPAN_PREEMPTED, (u32)next->pid);
  }
  return 0;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long address)
{
  struct probe_control *c = recorded();
  return c ? begin(in_pmem(c, address) ? SPAN_PMEM_FAULT : SPAN_OTHER_FAULT) : 0;
}

PROBE_FUNCTION int fault_ends(void)
{
  end(SPAN_PMEM_FAULT);
  return end(SPAN_OTHER_FAULT);
}

SEC("perf_event")
int page_faults(void *ctx) { return fault_ends(); }

SEC("tp_btf/signal_deliver")
int BPF_PROG(signal, int number) { return number == 11 || number == 7 ? fault_ends() : 0; }

SEC("usdt/daxlab:fault_begin")
int user_fault_begin(struct pt_regs *ctx) { return begin(SPAN_USER_FAULT); }
SEC("usdt/daxlab:fault_end")
int user_fault_end(struct pt_regs *ctx) { return end(SPAN_USER_FAULT); }
SEC("usdt/daxlab:write_begin")
int write_begin(struct pt_regs *ctx) { return begin(SPAN_USER_WRITE); }
SEC("usdt/daxlab:write_end")
int write_end(struct pt_regs *ctx) { return end(SPAN_USER_WRITE); }
SEC("usdt/daxlab:lock_contended")
int lock_contended(struct pt_regs *ctx) { return begin(SPAN_LOCK_WAIT); }
SEC("usdt/daxlab:lock_acquired")
int lock_acquired(struct pt_regs *ctx) { return end(SPAN_LOCK_WAIT); }
SEC("usdt/daxlab:fsync_begin")
int fsync_begin(struct pt_regs *ctx) { return begin(SPAN_FSYNC); }
SEC("usdt/daxlab:fsync_end")
int fsync_end(struct pt_regs *ctx) { return end(SPAN_FSYNC); }
SEC("usdt/daxlab:commit_begin")
int commit_begin(struct pt_regs *ctx) { return begin(SPAN_COMMIT); }
SEC("usdt/daxlab:commit_end")
int commit_end(struct pt_regs *ctx) { return end(SPAN_COMMIT); }
