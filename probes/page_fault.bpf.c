/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* Begin: the exception's tracepoint. End: handle_mm_fault() returning, by fexit where function tracing is allowed, else by
 * the software events page-faults-min and -maj, which handle_mm_fault() counts last (mm/memory.c, mm_account_fault) and
 * which run a program inline at a sample period of 1. A fault that ends in a signal is closed by its delivery instead.
 * Not seen: faults taken in kernel mode (copy_from_user). */
#include "probe.bpf.h"

PROBE_QUESTION("Which page faults does the kernel take, on mapped pmem and elsewhere, and how long does each last?");
PROBE_CHOICE("tp_btf:page_fault_user+fexit:handle_mm_fault");
PROBE_CHOICE("tp_btf:page_fault_user+perf:page-faults");
PROBE_CHOICE("perf:page-faults");

/* Latencies by class; *_signal: from the exception to the delivery of SIGSEGV or SIGBUS. */
enum hist_kind { H_pmem_read, H_pmem_write, H_other_read, H_other_write, H_pmem_signal, H_other_signal, H_KINDS };
/* Exceptions begun, whatever became of them; protection: the page was present. finished_*: the third choice's count. */
enum count_kind {
  C_pmem_read, C_pmem_write, C_other_read, C_other_write, C_protection, C_finished_pmem, C_finished_other, C_KINDS
};
PROBE_HISTS;
PROBE_COUNTS;

struct fault {
  u64 begun_ns;
  u32 kind; /* of both enums: their first four agree */
};
PROBE_THREAD_STATE(struct fault);

#define X86_PF_PROT 1 /* arch/x86/include/asm/trap_pf.h */
#define X86_PF_WRITE 2

SEC("tp_btf/page_fault_user")
int BPF_PROG(begin__12, unsigned long address, void *regs, unsigned long error_code)
{
  struct probe_control *c = target();
  if (!c)
    return 0;
  u32 kind = (in_pmem(c, address) ? H_pmem_read : H_other_read) + (error_code & X86_PF_WRITE ? 1 : 0);
  count(c, kind, 1);
  if (error_code & X86_PF_PROT)
    count(c, C_protection, 1);
  struct fault *fault = thread_state();
  if (fault) {
    fault->kind = kind;
    fault->begun_ns = bpf_ktime_get_ns();
  }
  return 0;
}

static __always_inline int finish(struct probe_control *c, bool by_signal)
{
  struct fault *fault = thread_state();
  if (!fault || !fault->begun_ns)
    return 0;
  u32 kind = fault->kind & 3;
  if (by_signal)
    kind = kind <= H_pmem_write ? H_pmem_signal : H_other_signal;
  record(c, kind, fault->begun_ns);
  fault->begun_ns = 0;
  return 0;
}

/* A retry comes back; an error goes on to a signal or to the killer. */
SEC("fexit/handle_mm_fault")
int BPF_PROG(handled__1, void *vma, unsigned long address, unsigned int flags, void *regs, unsigned int result)
{
  struct probe_control *c = target();
  u32 unfinished = bpf_core_enum_value(enum vm_fault_reason, VM_FAULT_RETRY) |
                   bpf_core_enum_value(enum vm_fault_reason, VM_FAULT_OOM) |
                   bpf_core_enum_value(enum vm_fault_reason, VM_FAULT_SIGBUS) |
                   bpf_core_enum_value(enum vm_fault_reason, VM_FAULT_SIGSEGV);
  if (!c || !regs || (result & unfinished))
    return 0;
  return finish(c, 0);
}

SEC("perf_event")
int page_faults__2(void *ctx)
{
  struct probe_control *c = target();
  return c ? finish(c, 0) : 0;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(signal__12, int signal)
{
  if (signal != 11 && signal != 7) /* SIGSEGV, SIGBUS */
    return 0;
  struct probe_control *c = target();
  return c ? finish(c, 1) : 0;
}

SEC("perf_event")
int page_faults_only__3(struct bpf_perf_event_data *ctx)
{
  struct probe_control *c = target();
  if (c)
    count(c, in_pmem(c, ctx->addr) ? C_finished_pmem : C_finished_other, 1);
  return 0;
}
