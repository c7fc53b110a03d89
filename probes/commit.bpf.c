/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* Off by default: an engine that is durable on return commits in every operation, and a traced commit costs 1.1 us. */
#include "probe.bpf.h"

#include <bpf/usdt.bpf.h>

PROBE_QUESTION("How many transactions or log tails become durable, how long does each take, and of how many bytes?");
PROBE_CHOICE("usdt:commit_begin,commit_end");
PROBE_CHOICE("usdt:commit_end");
PROBE_ON_REQUEST;

enum hist_kind { H_commit, H_KINDS };
enum count_kind { C_commits, C_bytes, C_KINDS };
PROBE_HISTS;
PROBE_COUNTS;

PROBE_THREAD_STATE(struct begun);

SEC("usdt/daxlab:commit_begin")
int BPF_USDT(begin__1)
{
  if (!target())
    return 0;
  struct begun *begun = thread_state();
  if (begun)
    begun->at_ns = bpf_ktime_get_ns();
  return 0;
}

SEC("usdt/daxlab:commit_end")
int BPF_USDT(end__12, u64 bytes)
{
  struct probe_control *c = target();
  if (!c)
    return 0;
  count(c, C_commits, 1);
  count(c, C_bytes, bytes);
  struct begun *begun = thread_state();
  if (!begun || !begun->at_ns)
    return 0;
  record(c, H_commit, begun->at_ns);
  begun->at_ns = 0;
  return 0;
}
