/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* A process's number in the initial pid namespace, which is what programs see. The loader opens the iterator for one pid
 * of its own namespace and reads one number; not a probe. */
#include "core.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("iter/task")
int whois(struct bpf_iter__task *ctx)
{
  struct task_struct *task = ctx->task;
  if (!task)
    return 0;
  u32 tgid = (u32)task->tgid;
  bpf_seq_write(ctx->meta->seq, &tgid, sizeof(tgid));
  return 0;
}
