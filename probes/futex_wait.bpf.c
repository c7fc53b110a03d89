/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* An uncontended futex never enters the kernel, so FUTEX_WAIT and FUTEX_WAIT_BITSET are exactly the waits: of locks, and of
 * condition variables and barriers too. While attached, every system call of every process takes the slow entry (+60 ns);
 * the second choice hooks them all and costs more, but needs no tracefs. */
#include "scope.bpf.h"

PROBE_QUESTION("How often and how long do threads sleep in futexes, in a fault, in a write, elsewhere?");
PROBE_CHOICE("tp:sys_enter_futex,sys_exit_futex");
PROBE_CHOICE("tp_btf:sys_enter,sys_exit");

/* In the order of probe_scope_kind. */
enum hist_kind { H_wait_elsewhere, H_wait_in_fault, H_wait_in_write, H_KINDS };
PROBE_HISTS;

PROBE_THREAD_STATE(struct begun);

#define NR_FUTEX 202 /* arch/x86/entry/syscalls/syscall_64.tbl */
#define OP_MASK 127  /* include/uapi/linux/futex.h: FUTEX_CMD_MASK */
#define OP_WAIT 0
#define OP_WAIT_BITSET 9

static __always_inline int enter(u64 op)
{
  op &= OP_MASK;
  if (op != OP_WAIT && op != OP_WAIT_BITSET)
    return 0;
  struct begun *wait = thread_state();
  if (wait)
    wait->at_ns = bpf_ktime_get_ns();
  return 0;
}

static __always_inline int leave(struct probe_control *c)
{
  struct begun *wait = thread_state();
  if (!wait || !wait->at_ns)
    return 0;
  record(c, scope_of(c, bpf_get_current_task_btf()), wait->at_ns);
  wait->at_ns = 0;
  return 0;
}

SEC("tp/syscalls/sys_enter_futex")
int enter__1(struct trace_event_raw_sys_enter *ctx)
{
  return target() ? enter(ctx->args[1]) : 0;
}

SEC("tp/syscalls/sys_exit_futex")
int leave__1(void *ctx)
{
  struct probe_control *c = target();
  return c ? leave(c) : 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(enter__2, struct pt_regs___kernel *regs, long id)
{
  if (id != NR_FUTEX || !target())
    return 0;
  return enter(BPF_CORE_READ(regs, si));
}

SEC("tp_btf/sys_exit")
int BPF_PROG(leave__2, struct pt_regs___kernel *regs, long result)
{
  struct probe_control *c = target();
  return c ? leave(c) : 0;
}
