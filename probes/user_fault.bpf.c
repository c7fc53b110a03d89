/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* Keeps the fault half of `scopes`. Second choice: the signals that carry user-level faults, counted only. */
#include "scope.bpf.h"

#include <bpf/usdt.bpf.h>

PROBE_QUESTION("How many faults on mapped files do the engine's handlers serve, and how long does each take?");
PROBE_CHOICE("usdt:fault_begin,fault_end");
PROBE_CHOICE("tp_btf:signal_deliver");

enum hist_kind { H_read, H_write, H_KINDS };
/* failed: ended with an error code; delivered: signals, in the second choice. */
enum count_kind { C_failed, C_delivered, C_KINDS };
PROBE_HISTS;
PROBE_COUNTS;

SEC("usdt/daxlab:fault_begin")
int BPF_USDT(fault_begin__1, u64 address, int is_write)
{
  if (!target())
    return 0;
  struct probe_scope *scope = own_scope();
  if (scope) {
    scope->fault_is_write = is_write != 0;
    scope->fault_begun_ns = bpf_ktime_get_ns();
  }
  return 0;
}

SEC("usdt/daxlab:fault_end")
int BPF_USDT(fault_end__1, u64 address, int error)
{
  struct probe_control *c = target();
  if (!c)
    return 0;
  struct probe_scope *scope = own_scope();
  if (!scope || !scope->fault_begun_ns)
    return 0;
  record(c, scope->fault_is_write ? H_write : H_read, scope->fault_begun_ns);
  scope->fault_begun_ns = 0;
  if (error != -1)
    count(c, C_failed, 1);
  return 0;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(delivered__2, int signal)
{
  if (signal != 11 && signal != 7) /* SIGSEGV, SIGBUS */
    return 0;
  struct probe_control *c = target();
  if (c)
    count(c, C_delivered, 1);
  return 0;
}
