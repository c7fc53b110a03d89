/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* The contended path of engines/base/mutex.h says when a thread begins and ends to wait, and in which scope. futex_wait
 * checks it from the kernel's side and stands in for it where uprobes are refused. */
#include "probe.bpf.h"

#include <bpf/usdt.bpf.h>

PROBE_QUESTION("How often and how long do threads wait for locks at user level, in a fault, in a write, elsewhere?");
PROBE_CHOICE("usdt:lock_contended,lock_acquired");

/* In the order of LockScope. */
enum hist_kind { H_wait_elsewhere, H_wait_in_fault, H_wait_in_write, H_KINDS };
PROBE_HISTS;

PROBE_THREAD_STATE(struct begun);

SEC("usdt/daxlab:lock_contended")
int BPF_USDT(contended__1)
{
  if (!target())
    return 0;
  struct begun *wait = thread_state();
  if (wait)
    wait->at_ns = bpf_ktime_get_ns();
  return 0;
}

SEC("usdt/daxlab:lock_acquired")
int BPF_USDT(acquired__1, u64 lock, u32 scope)
{
  struct probe_control *c = target();
  if (!c)
    return 0;
  struct begun *wait = thread_state();
  if (!wait || !wait->at_ns)
    return 0;
  record(c, scope <= SCOPE_WRITE ? scope : SCOPE_OTHER, wait->at_ns);
  wait->at_ns = 0;
  return 0;
}
