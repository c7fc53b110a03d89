/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* Stands in for vmlinux.h: only the kernel types that the probes touch. libbpf moves the offsets at load time (CO-RE), so
 * no kernel BTF is needed to build and no 3 MB header to compile. Names and meanings: include/linux/{sched,mm_types}.h. */
#pragma once

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <linux/ptrace.h>

typedef _Bool bool;
typedef __u32 u32;
typedef __u64 u64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct rw_semaphore {
  long count_unused;
};
struct mm_struct {
  struct rw_semaphore mmap_lock;
};
struct task_struct {
  int pid;
  int tgid;
  struct mm_struct *mm;
};
struct trace_event_raw_sys_enter {
  long id;
  unsigned long args[6];
};
struct pt_regs___kernel {
  unsigned long si; /* the second argument of a system call on x86-64 */
};
struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
};
struct bpf_iter_meta {
  struct seq_file *seq;
};
#pragma clang attribute pop

/* include/linux/mm_types.h; the value is looked up in the running kernel's BTF. */
enum vm_fault_reason { VM_FAULT_OOM = 1, VM_FAULT_SIGBUS = 2, VM_FAULT_SIGSEGV = 0x40, VM_FAULT_RETRY = 0x400 };

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
