// SPDX-License-Identifier: GPL-2.0
// Log writes that map their target when the address is known, while memory reclaim may be waiting for the log.
//
// XFS gives a log record its address in a CIL push, under memalloc_nofs_save() "because memory reclaim may be waiting for it"
// (fs/xfs/xfs_log_cil.c, xlog_cil_push_work), and maps buffers by vm_map_ram() in up to three attempts (fs/xfs/xfs_buf.c,
// _xfs_buf_map_pages). Here both meet: a thread writes the log and maps for it; a shrinker holds the rest of memory as metadata that
// is pinned until the log is written, turns back where reclaim may not enter a file system, as super_cache_scan() does (fs/super.c), and
// otherwise waits for the log, as xfs_inode reclaim does. Nothing else gives memory: no swap, and a root file system in memory.
//
// The watch: who has not got on for WATCH_MS of the guest's time, which counts instructions, is told about (its stack goes to the
// kernel's log), and then memory is given back from elsewhere, so that the job ends.
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/linkage.h>
#include <linux/module.h>
#include <linux/sched/debug.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "vmap_internal.h"

enum { WATCH_MS = 1500, WRITES_MAX = 4096 };

static LIST_HEAD(hoard);
static atomic_long_t hoarded;
static DEFINE_SPINLOCK(hoard_lock);
static bool log_written;
static DECLARE_WAIT_QUEUE_HEAD(log_wait);
static atomic_t waits, refused;

static unsigned long give_back(unsigned long count) {
  unsigned long freed = 0;

  while (freed < count) {
    struct page *page;

    spin_lock(&hoard_lock);
    page = list_first_entry_or_null(&hoard, struct page, lru);
    if (page != NULL) list_del(&page->lru);
    spin_unlock(&hoard_lock);
    if (page == NULL) break;
    __free_page(page);
    atomic_long_dec(&hoarded);
    ++freed;
  }
  return freed;
}

static unsigned long shrink_count(struct shrinker *shrinker, struct shrink_control *control) {
  return atomic_long_read(&hoarded);
}

static unsigned long shrink_scan(struct shrinker *shrinker, struct shrink_control *control) {
  if (!(control->gfp_mask & __GFP_FS)) {
    atomic_inc(&refused);
    return SHRINK_STOP;
  }
  if (!READ_ONCE(log_written)) {
    atomic_inc(&waits);
    wait_event(log_wait, READ_ONCE(log_written));
  }
  return give_back(control->nr_to_scan);
}

static struct shrinker shrinker = {.count_objects = shrink_count, .scan_objects = shrink_scan, .seeks = DEFAULT_SEEKS};

// All that can be had without entering a file system: what is free, reserves not included, and what reclaim finds by itself.
static void exhaust(void) {
  for (;;) {
    struct page *page = alloc_page(GFP_NOFS | __GFP_NORETRY | __GFP_NOWARN);

    if (page == NULL) return;
    spin_lock(&hoard_lock);
    list_add(&page->lru, &hoard);
    spin_unlock(&hoard_lock);
    atomic_long_inc(&hoarded);
  }
}

static void log_is_written(void) {
  WRITE_ONCE(log_written, true);
  wake_up_all(&log_wait);
}

// --- failure injection: the function returns at once, with an error
void vmap_log_return(void);
asm(".pushsection .text\n.type vmap_log_return, @function\nvmap_log_return:\n\t" ASM_RET ".size vmap_log_return, .-vmap_log_return\n.popsection");

static int fail_pointer(struct kprobe *probe, struct pt_regs *regs) {
  regs->ax = (unsigned long)ERR_PTR(-ENOMEM);
  regs->ip = (unsigned long)vmap_log_return;
  return 1;
}
static struct kprobe fail_area = {.symbol_name = "alloc_vmap_area", .pre_handler = fail_pointer};
static struct kprobe fail_table = {.symbol_name = "__pte_alloc_kernel", .pre_handler = fail_pointer};

// --- the log's thread
struct writer {
  struct vmap_request *request;
  struct page *pages[64];
  void *kept[WRITES_MAX];
  struct completion started, ended;
  unsigned int made;
};

static void *map_as_xfs_does(struct writer *writer) {
  int attempt;

  for (attempt = 0; attempt < 3; ++attempt) {
    void *address = vm_map_ram(writer->pages, writer->request->pages, -1);

    if (address != NULL) return address;
    vm_unmap_aliases();
  }
  return NULL;
}

static int write_log(void *data) {
  struct writer *writer = data;
  struct vmap_request *request = writer->request;
  unsigned int i, nofs = 0, noreclaim = 0;

  if (request->flags & LOG_NOFS) nofs = memalloc_nofs_save();
  if (request->flags & LOG_NORECLAIM) noreclaim = memalloc_noreclaim_save();
  for (i = 0; i < request->count && i < WRITES_MAX; ++i) {
    void *address;

    vmap_probe_pick(writer->pages, request->pages);
    address = map_as_xfs_does(writer);
    if (READ_ONCE(log_written)) {  // the watch ended it: this one did not get on by itself
      if (address != NULL) vm_unmap_ram(address, request->pages);
      break;
    }
    if (address == NULL) {
      WRITE_ONCE(request->failed, request->failed + 1);
      continue;
    }
    WRITE_ONCE(request->done, request->done + 1);
    if (request->flags & LOG_KEEP)
      writer->kept[writer->made++] = address;
    else
      vm_unmap_ram(address, request->pages);
  }
  if (request->flags & LOG_NORECLAIM) memalloc_noreclaim_restore(noreclaim);
  if (request->flags & LOG_NOFS) memalloc_nofs_restore(nofs);
  log_is_written();
  complete(&writer->ended);
  return 0;
}

static void watch(struct task_struct *task, struct writer *writer) {
  if (wait_for_completion_timeout(&writer->ended, msecs_to_jiffies(WATCH_MS))) return;
  pr_info("vmap_probe: the log writer waits: flags %#x, %u written, %u failed; reclaim waits %d, turned back %d\n", writer->request->flags,
          writer->request->done, writer->request->failed, atomic_read(&waits), atomic_read(&refused));
  sched_show_task(task);
  log_is_written();
  give_back(ULONG_MAX);
  wait_for_completion(&writer->ended);
  pr_info("vmap_probe: it went on when memory came from elsewhere\n");
}

int vmap_log_writes(struct vmap_request *request) {
  struct writer *writer = kvzalloc(sizeof(*writer), GFP_KERNEL);
  struct task_struct *task;
  unsigned int i;
  int error = 0;

  if (writer == NULL) return -ENOMEM;
  writer->request = request;
  init_completion(&writer->ended);
  log_written = false;
  atomic_set(&waits, 0);
  atomic_set(&refused, 0);
  task = kthread_create(write_log, writer, "vmap_log");
  if (IS_ERR(task)) {
    kvfree(writer);
    return PTR_ERR(task);
  }
  if (request->flags & LOG_FAIL_AREA) error = register_kprobe(&fail_area);
  if (!error && (request->flags & LOG_FAIL_TABLE)) error = register_kprobe(&fail_table);
  if (error) {
    kthread_stop(task);
    kvfree(writer);
    return error;
  }
  if (request->flags & LOG_EXHAUSTED) {
    exhaust();
    pr_info("vmap_probe: %ld pages hoarded, %lu free\n", atomic_long_read(&hoarded), global_zone_page_state(NR_FREE_PAGES));
  }
  get_task_struct(task);
  wake_up_process(task);
  watch(task, writer);
  put_task_struct(task);
  give_back(ULONG_MAX);
  if (request->flags & LOG_FAIL_AREA) {
    unregister_kprobe(&fail_area);
    fail_area.addr = NULL;
    fail_area.flags = 0;
  }
  if (request->flags & LOG_FAIL_TABLE) {
    unregister_kprobe(&fail_table);
    fail_table.addr = NULL;
    fail_table.flags = 0;
  }
  for (i = 0; i < writer->made; ++i) vm_unmap_ram(writer->kept[i], request->pages);
  request->waits = atomic_read(&waits);
  request->refused = atomic_read(&refused);
  kvfree(writer);
  return 0;
}

int vmap_log_init(void) { return register_shrinker(&shrinker, "vmap_probe"); }

void vmap_log_exit(void) {
  unregister_shrinker(&shrinker);
  give_back(ULONG_MAX);
}
