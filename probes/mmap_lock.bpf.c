/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* The tracepoints wrap every acquisition, spinning included. Most faults take the lock of their VMA instead and are not
 * here. */
#include "probe.bpf.h"

PROBE_QUESTION("How long does the target wait for its address space's mmap_lock, as reader and as writer?");
PROBE_CHOICE("tp_btf:mmap_lock_start_locking,mmap_lock_acquire_returned");
PROBE_CHOICE("tp_btf:contention_begin,contention_end");

/* contended: the second choice, which knows neither reader from writer nor waits that end by spinning. */
enum hist_kind { H_read, H_write, H_contended, H_KINDS };
enum count_kind { C_try_failed, C_KINDS };
PROBE_HISTS;
PROBE_COUNTS;

PROBE_THREAD_STATE(struct begun);

SEC("tp_btf/mmap_lock_start_locking")
int BPF_PROG(start__1, struct mm_struct *mm, bool write)
{
  if (!target())
    return 0;
  struct begun *wait = thread_state();
  if (wait)
    wait->at_ns = bpf_ktime_get_ns();
  return 0;
}

SEC("tp_btf/mmap_lock_acquire_returned")
int BPF_PROG(returned__1, struct mm_struct *mm, bool write, bool success)
{
  struct probe_control *c = target();
  if (!c)
    return 0;
  struct begun *wait = thread_state();
  if (!wait || !wait->at_ns)
    return 0;
  if (success)
    record(c, write ? H_write : H_read, wait->at_ns);
  else
    count(c, C_try_failed, 1);
  wait->at_ns = 0;
  return 0;
}

static __always_inline bool is_own_mmap_lock(void *lock)
{
  struct mm_struct *mm = bpf_get_current_task_btf()->mm;
  return mm && (u64)lock == (u64)&mm->mmap_lock;
}

SEC("tp_btf/contention_begin")
int BPF_PROG(contended__2, void *lock)
{
  if (!target() || !is_own_mmap_lock(lock))
    return 0;
  struct begun *wait = thread_state();
  if (wait)
    wait->at_ns = bpf_ktime_get_ns();
  return 0;
}

SEC("tp_btf/contention_end")
int BPF_PROG(acquired__2, void *lock)
{
  struct probe_control *c = target();
  if (!c || !is_own_mmap_lock(lock))
    return 0;
  struct begun *wait = thread_state();
  if (!wait || !wait->at_ns)
    return 0;
  record(c, H_contended, wait->at_ns);
  wait->at_ns = 0;
  return 0;
}
