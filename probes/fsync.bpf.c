/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#include "probe.bpf.h"

#include <bpf/usdt.bpf.h>

PROBE_QUESTION("How many fsyncs do the engines serve, and how long does each take?");
PROBE_CHOICE("usdt:fsync_begin,fsync_end");

enum hist_kind { H_fsync, H_KINDS };
PROBE_HISTS;

/* An engine's fsync calls the mapped file's, which has the same points: the outermost pair is the fsync. */
struct fsync {
  u64 begun_ns;
  u32 depth;
};
PROBE_THREAD_STATE(struct fsync);

SEC("usdt/daxlab:fsync_begin")
int BPF_USDT(begin__1)
{
  struct probe_control *c = target();
  if (!c)
    return 0;
  struct fsync *fsync = thread_state();
  if (!fsync)
    return 0;
  if (fsync->begun_ns < c->since_ns)
    fsync->depth = 0;
  if (fsync->depth++ == 0)
    fsync->begun_ns = bpf_ktime_get_ns();
  return 0;
}

SEC("usdt/daxlab:fsync_end")
int BPF_USDT(end__1)
{
  struct probe_control *c = target();
  if (!c)
    return 0;
  struct fsync *fsync = thread_state();
  if (!fsync || !fsync->depth || fsync->begun_ns < c->since_ns)
    return 0;
  if (--fsync->depth == 0)
    record(c, H_fsync, fsync->begun_ns);
  return 0;
}
