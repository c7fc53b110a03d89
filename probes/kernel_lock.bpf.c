/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* lock:contention_begin/end (Linux >= 5.19) fire on the slow path only. A thread that sleeps for one lock may spin for
 * another on the way (an rwsem's wait_lock), so the two kinds are timed apart; a mutex says begin twice, spinning and then
 * sleeping, and its wait begins at the first. */
#include "probe.bpf.h"

PROBE_QUESTION("How long does the target wait for contended locks of the kernel: mmap_lock, other sleeping, spinning?");
PROBE_CHOICE("tp_btf:contention_begin,contention_end");
PROBE_CHOICE("tp:contention_begin");

enum hist_kind { H_mmap_lock, H_sleeping, H_spinning, H_KINDS };
enum count_kind { C_contended, C_KINDS };
PROBE_HISTS;
PROBE_COUNTS;

#define LCB_F_SPIN 1 /* include/trace/events/lock.h */
#define LCB_F_MUTEX 32

struct waits {
  u64 lock[2]; /* [0] sleeping, [1] spinning */
  u64 begun_ns[2];
};
PROBE_THREAD_STATE(struct waits);

SEC("tp_btf/contention_begin")
int BPF_PROG(begin__1, void *lock, unsigned int flags)
{
  if (!target())
    return 0;
  struct waits *waits = thread_state();
  if (!waits)
    return 0;
  if ((flags & LCB_F_SPIN) && !(flags & LCB_F_MUTEX)) {
    waits->lock[1] = (u64)lock;
    waits->begun_ns[1] = bpf_ktime_get_ns();
  } else if (waits->lock[0] != (u64)lock) {
    waits->lock[0] = (u64)lock;
    waits->begun_ns[0] = bpf_ktime_get_ns();
  }
  return 0;
}

SEC("tp_btf/contention_end")
int BPF_PROG(end__1, void *lock)
{
  struct probe_control *c = target();
  if (!c)
    return 0;
  struct waits *waits = thread_state();
  if (!waits)
    return 0;
  if (waits->lock[1] == (u64)lock) {
    record(c, H_spinning, waits->begun_ns[1]);
    waits->lock[1] = 0;
  } else if (waits->lock[0] == (u64)lock) {
    struct mm_struct *mm = bpf_get_current_task_btf()->mm;
    record(c, mm && (u64)lock == (u64)&mm->mmap_lock ? H_mmap_lock : H_sleeping, waits->begun_ns[0]);
    waits->lock[0] = 0;
  }
  return 0;
}

SEC("tp/lock/contention_begin")
int contended__2(void *ctx)
{
  struct probe_control *c = target();
  if (c)
    count(c, C_contended, 1);
  return 0;
}
