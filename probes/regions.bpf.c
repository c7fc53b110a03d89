/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* The mapped ranges that the target announces, for the probes that tell pmem from other memory. Part of every session, not
 * a probe; a target without mapped files has neither point. */
#include "probe.bpf.h"

#include <bpf/usdt.bpf.h>

/* Two threads may announce at once: an entry is claimed by a compare-and-swap of its begin. Until its end is stored the
 * range is empty, and the announcing thread has not touched it yet. */
SEC("usdt/daxlab:map_region")
int BPF_USDT(map_region, u64 address, u64 size_bytes)
{
  struct probe_control *c = target();
  if (!c || !address)
    return 0;
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < PROBE_RANGES; i++) {
    if (c->ranges[i].begin)
      continue;
    c->ranges[i].end = 0;
    if (__sync_val_compare_and_swap(&c->ranges[i].begin, 0, address) != 0)
      continue;
    c->ranges[i].end = address + size_bytes;
    if (c->range_count <= i)
      c->range_count = i + 1;
    return 0;
  }
  __sync_fetch_and_add(&c->ranges_lost, 1);
  return 0;
}

SEC("usdt/daxlab:unmap_region")
int BPF_USDT(unmap_region, u64 address)
{
  struct probe_control *c = target();
  if (!c || !address)
    return 0;
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < PROBE_RANGES; i++) {
    if (c->ranges[i].begin != address)
      continue;
    c->ranges[i].end = address;
    c->ranges[i].begin = 0;
    break;
  }
  return 0;
}
