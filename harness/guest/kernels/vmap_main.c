// SPDX-License-Identifier: GPL-2.0
// vmap_probe: maps pages of a pmem namespace by vm_map_ram() as it is told, so that what the kernel's own mechanism costs can be
// counted from outside: instructions, page tables made, flushes asked for. See vmap_probe.h.
//
// One user, one request at a time; nothing here is fit for a machine that does anything else.
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "vmap_internal.h"

enum { PAGES_MAX = 4096, MAPPINGS_MAX = 1 << 16 };

static unsigned long base;
module_param(base, ulong, 0444);
MODULE_PARM_DESC(base, "physical address of pages with struct pages (of a pmem namespace in mode fsdax)");
static unsigned long span = 1 << 14;
module_param(span, ulong, 0444);
MODULE_PARM_DESC(span, "how many pages there are from base on");

struct mapping {
  void *address;
  unsigned int pages;
};
static struct mapping *mappings;
static unsigned int mapping_count;
static struct page **page_array;
static unsigned long next_page;

void vmap_probe_pick(struct page **pages, unsigned int count) {
  unsigned int i;

  for (i = 0; i < count; ++i) {
    next_page = (next_page + 7) % span;  // span is a power of two: all are visited
    pages[i] = pfn_to_page((base >> PAGE_SHIFT) + next_page);
  }
}

static void map(struct vmap_request *request) {
  unsigned int i;

  for (i = 0; i < request->count && mapping_count < MAPPINGS_MAX; ++i) {
    void *address;

    vmap_probe_pick(page_array, request->pages);
    address = vm_map_ram(page_array, request->pages, -1);
    if (address == NULL) {
      ++request->failed;
      continue;
    }
    mappings[mapping_count].address = address;
    mappings[mapping_count++].pages = request->pages;
    ++request->done;
  }
}

static void unmap_at(unsigned int i) {
  vm_unmap_ram(mappings[i].address, mappings[i].pages);
  mappings[i] = mappings[--mapping_count];
}

static int serve(struct vmap_request *request) {
  unsigned int i;

  request->done = request->failed = request->waits = request->refused = 0;
  switch (request->op) {
    case OP_MAP:
      if (request->pages == 0 || request->pages > PAGES_MAX) return -EINVAL;
      map(request);
      return 0;
    case OP_UNMAP:
      for (; request->done < request->count && mapping_count > 0; ++request->done) unmap_at(mapping_count - 1);
      return 0;
    case OP_UNMAP_ONE:
      if (request->count >= mapping_count) return -EINVAL;
      unmap_at(request->count);
      ++request->done;
      return 0;
    case OP_UNMAP_EVEN:
      if (request->count > mapping_count) return -EINVAL;
      for (i = mapping_count - request->count; i < mapping_count; ++i, ++request->done) unmap_at(i);
      return 0;
    case OP_ALIASES:
      vm_unmap_aliases();
      ++request->done;
      return 0;
    case OP_LOG_WRITES:
      if (request->pages == 0 || request->pages > 64) return -EINVAL;
      return vmap_log_writes(request);
    default:
      return -EINVAL;
  }
}

static long probe_ioctl(struct file *file, unsigned int command, unsigned long argument) {
  struct vmap_request request;
  int error;

  if (command != VMAP_PROBE_IOCTL) return -ENOTTY;
  if (copy_from_user(&request, (void __user *)argument, sizeof(request))) return -EFAULT;
  error = serve(&request);
  if (error) return error;
  return copy_to_user((void __user *)argument, &request, sizeof(request)) ? -EFAULT : 0;
}

static const struct file_operations operations = {.owner = THIS_MODULE, .unlocked_ioctl = probe_ioctl};
static struct miscdevice device = {.minor = MISC_DYNAMIC_MINOR, .name = "vmap_probe", .fops = &operations};

static int __init probe_init(void) {
  int error = -ENOMEM;

  if (!pfn_valid(base >> PAGE_SHIFT) || !is_zone_device_page(pfn_to_page(base >> PAGE_SHIFT)) || (span & (span - 1)) != 0) {
    pr_err("vmap_probe: %#lx has no struct page of a pmem namespace\n", base);
    return -ENXIO;
  }
  mappings = vzalloc(MAPPINGS_MAX * sizeof(*mappings));
  page_array = vzalloc(PAGES_MAX * sizeof(*page_array));
  if (mappings == NULL || page_array == NULL) goto out;
  error = vmap_log_init();
  if (error) goto out;
  error = misc_register(&device);
  if (error == 0) return 0;
  vmap_log_exit();
out:
  vfree(mappings);
  vfree(page_array);
  return error;
}

static void __exit probe_exit(void) {
  misc_deregister(&device);
  vmap_log_exit();
  while (mapping_count > 0) unmap_at(mapping_count - 1);
  vm_unmap_aliases();
  vfree(mappings);
  vfree(page_array);
}

module_init(probe_init);
module_exit(probe_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("vm_map_ram() of pmem pages on request");
