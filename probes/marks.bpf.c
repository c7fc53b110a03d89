/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* The target's phase marks. Part of every session, not a probe: it answers no question. */
#include "probe.bpf.h"

#include <bpf/usdt.bpf.h>

SEC("usdt/daxlab:phase_mark")
int BPF_USDT(phase_mark, u32 id)
{
  struct probe_control *c = target();
  if (!c)
    return 0;
  c->phase = id;
  __sync_fetch_and_add(&c->marks, 1);
  return 0;
}
