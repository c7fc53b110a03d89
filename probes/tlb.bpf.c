/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* tlb:tlb_flush says why and how much; the csd tracepoints (Linux >= 6.5) time each interrupt that carries
 * flush_tlb_func() to another CPU, from queueing to the function's return there. */
#include "probe.bpf.h"

PROBE_QUESTION("How many TLB flushes does the target cause, why, and how long does a shootdown take to reach another CPU?");
PROBE_CHOICE("tp_btf:tlb_flush+raw_tp:csd_queue_cpu,csd_function_exit");
PROBE_CHOICE("tp_btf:tlb_flush");
PROBE_CHOICE("tp:tlb_flush");

enum hist_kind { H_shootdown_ipi, H_KINDS };
/* The first six in the order of enum tlb_flush_reason, include/linux/mm_types.h. full: flushes of everything. */
enum count_kind {
  C_task_switch, C_remote_shootdown, C_local_shootdown, C_local_mm_shootdown, C_remote_send_ipi, C_remote_wrong_cpu,
  C_pages, C_full, C_KINDS
};
PROBE_HISTS;
PROBE_COUNTS;

/* Call structures are per CPU and reused, so a few thousand entries hold all that are in flight. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, u64);
  __type(value, u64);
} queued SEC(".maps");

extern const void flush_tlb_func __ksym;

static __always_inline void flushed(int reason, unsigned long pages)
{
  struct probe_control *c = target();
  if (!c)
    return;
  if (reason >= 0 && reason <= C_remote_wrong_cpu)
    count(c, (u32)reason, 1);
  if (pages == -1UL)
    count(c, C_full, 1);
  else
    count(c, C_pages, pages);
}

SEC("tp_btf/tlb_flush")
int BPF_PROG(flush__12, int reason, unsigned long pages)
{
  flushed(reason, pages);
  return 0;
}

/* Untyped tracepoints, because the verifier lets no typed one read a pointer to a function. */
SEC("raw_tp/csd_queue_cpu")
int BPF_PROG(queue__1, unsigned int cpu, unsigned long callsite, void *function, void *csd)
{
  if (function != &flush_tlb_func || !target())
    return 0;
  u64 key = (u64)csd, now = bpf_ktime_get_ns();
  if (bpf_map_update_elem(&queued, &key, &now, BPF_ANY))
    count_lost();
  return 0;
}

SEC("raw_tp/csd_function_exit")
int BPF_PROG(exit__1, void *function, void *csd)
{
  if (function != &flush_tlb_func)
    return 0;
  u64 key = (u64)csd;
  u64 *begun_ns = bpf_map_lookup_elem(&queued, &key);
  struct probe_control *c = session();
  if (!begun_ns || !c)
    return 0;
  if (c->tgid != PROBE_NOBODY)
    record(c, H_shootdown_ipi, *begun_ns);
  bpf_map_delete_elem(&queued, &key);
  return 0;
}

struct tlb_flush_record { /* /sys/kernel/tracing/events/tlb/tlb_flush/format */
  u64 common;
  int reason;
  unsigned long pages;
};

SEC("tp/tlb/tlb_flush")
int flush__3(struct tlb_flush_record *ctx)
{
  flushed(ctx->reason, ctx->pages);
  return 0;
}
