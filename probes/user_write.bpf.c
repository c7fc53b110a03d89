/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* Keeps the write half of `scopes`. No second choice: nothing in the kernel sees a user-level write. */
#include "scope.bpf.h"

#include <bpf/usdt.bpf.h>

PROBE_QUESTION("How many writes do the engines serve, and how long does each take?");
PROBE_CHOICE("usdt:write_begin,write_end");

enum hist_kind { H_write, H_KINDS };
enum count_kind { C_bytes, C_KINDS };
PROBE_HISTS;
PROBE_COUNTS;

SEC("usdt/daxlab:write_begin")
int BPF_USDT(write_begin__1)
{
  if (!target())
    return 0;
  struct probe_scope *scope = own_scope();
  if (scope)
    scope->write_begun_ns = bpf_ktime_get_ns();
  return 0;
}

SEC("usdt/daxlab:write_end")
int BPF_USDT(write_end__1, u64 offset, u64 size_bytes)
{
  struct probe_control *c = target();
  if (!c)
    return 0;
  struct probe_scope *scope = own_scope();
  if (!scope || !scope->write_begun_ns)
    return 0;
  record(c, H_write, scope->write_begun_ns);
  scope->write_begun_ns = 0;
  count(c, C_bytes, size_bytes);
  return 0;
}
