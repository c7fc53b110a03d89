// What vmap_probe.c (in the kernel) and vmap_drive.c (which drives it) say to each other: one ioctl, one request.
#pragma once

#include <linux/ioctl.h>
#include <linux/types.h>

struct vmap_request {
  __u32 op;
  __u32 pages;  // of a mapping
  __u32 count;  // how many times; of OP_UNMAP_ONE which mapping
  __u32 flags;  // of OP_LOG_WRITES
  __u32 done;   // answer: how many succeeded
  __u32 failed;
  __u32 waits;   // answer of OP_LOG_WRITES: how often reclaim waited for the log
  __u32 refused; // and how often it turned back because it may not enter the file system
};

enum vmap_op {
  OP_MAP = 1,        // `count` mappings of `pages` pages, kept, the last at the end
  OP_UNMAP = 2,      // the last `count` mappings, the last first
  OP_UNMAP_ONE = 3,  // mapping number `count`; the last takes its number
  OP_UNMAP_EVEN = 4, // every second one of the last `count`, which punches holes
  OP_ALIASES = 5,    // vm_unmap_aliases()
  OP_LOG_WRITES = 6, // see vmap_log.c
};

// How a log write asks for its mapping.
enum vmap_log_flag {
  LOG_NOFS = 1,           // under memalloc_nofs_save(), as a CIL push runs
  LOG_NORECLAIM = 2,      // under memalloc_noreclaim_save(): may use the reserves
  LOG_EXHAUSTED = 4,      // no page is free but what reclaim would have to wait for the log for
  LOG_FAIL_AREA = 8,      // alloc_vmap_area() fails
  LOG_FAIL_TABLE = 16,    // __pte_alloc_kernel() fails
  LOG_KEEP = 32,          // the mappings are kept until the end: every write needs address space of its own
};

// What became of log writes: vmap_request.done counts those that got their mapping by themselves, .failed those that were told it
// failed; what is missing to `count` waited for longer than the watch, and went on only when memory came from elsewhere.
#define VMAP_PROBE_IOCTL _IOWR('v', 1, struct vmap_request)
#define VMAP_PROBE_DEVICE "/dev/vmap_probe"
