"""Which group a kernel function belongs to, and which functions are watched; made of the guest's /proc/kallsyms for the plugin.

A group is a question: which part of the kernel do an operation's instructions go to? The first rule that matches a function decides; its
module counts before its name, for what is in xfs.ko or ext4's own symbols is the file system whatever it is called.
"""
from __future__ import annotations

import re

GROUPS = ("other", "file_system", "log", "dax_iomap", "copy", "block_pmem", "scheduler", "memory", "vfs", "security", "entry",
          "locking", "checksum", "library")

# What is watched: calls are counted, and instructions from entry to return (with what ran in between, other threads included).
FUNCTIONS = (
    "dax_iomap_fault", "dax_iomap_pte_fault", "dax_iomap_pmd_fault", "dax_iomap_rw", "dax_writeback_mapping_range", "dax_finish_sync_fault",
    "xlog_write", "xlog_cil_push_work", "xlog_cil_commit", "xlog_write_iclog", "xfs_log_force_seq", "xfs_log_force", "xfs_file_fsync",
    "jbd2_journal_commit_transaction", "jbd2_log_wait_commit", "jbd2_complete_transaction", "ext4_sync_file", "ext4_fc_commit",
    "vm_map_ram", "vm_unmap_ram", "__purge_vmap_area_lazy", "arch_wb_cache_pmem", "dax_flush", "__copy_user_flushcache",
    "memcpy_flushcache", "__memcpy_flushcache", "pmem_submit_bio", "nvdimm_flush", "try_to_wake_up", "handle_mm_fault", "queue_work_on",
    "vfs_fsync_range", "blkdev_issue_zeroout",
)

# Of these, what nothing but a file system's work calls: the calls that the kernel's own probes count must be the plugin's.
PROBED = ("dax_iomap_fault", "dax_iomap_pte_fault", "dax_iomap_rw", "dax_writeback_mapping_range", "xlog_write", "xlog_cil_push_work", "xlog_write_iclog",
          "xfs_log_force_seq", "xfs_file_fsync", "jbd2_journal_commit_transaction", "jbd2_complete_transaction", "ext4_sync_file", "vm_map_ram",
          "vm_unmap_ram")

_RULES = tuple((group, re.compile(pattern)) for group, pattern in (
    ("log", r"^(xlog_|xfs_log|xfs_cil|xfs_trans_commit|xfs_trans_ail|xfs_ail|xfsaild|jbd2_|__jbd2|ext4_fc_|journal_|start_this_handle|add_transaction_credits|xfs_(inode|buf|icreate|efi|efd)_item)"),
    ("dax_iomap", r"^(dax_|__dax|iomap_|grab_mapping_entry|bdev_dax)"),
    ("copy", r"^(memcpy|__memcpy|memmove|__memmove|memset|__memset|clear_page|copy_page|copy_user|__copy_user|_copy_(from|to)|copy_mc|rep_movs|copyin|copyout|__clear_user|clear_user)"),
    ("block_pmem", r"^(bio_|blk_|__blk|submit_bio|__submit_bio|bdev_|block_|disk_|part_|pmem_|nd_|nvdimm_|generic_nvdimm|arch_wb_cache|clean_cache|elv_|update_io_ticks|bvec|__getblk|__find_get_block|__brelse|__bread|__bforget|mark_buffer|__lock_buffer|unlock_buffer|buffer_|submit_bh|end_buffer|create_empty_buffers|bh_)"),
    ("scheduler", r"^(schedule|__schedule|sched_|try_to_wake|ttwu|wake_|__wake|default_wake|autoremove_wake|enqueue_|dequeue_|pick_|put_prev|set_next|update_(curr|rq|load|cfs)|"
                  r"worker_|process_one_work|queue_work|__queue_work|insert_work|pwq_|wq_|kthread|prepare_to_|finish_(wait|task)|wait_|__wait|complete|__switch_to|switch_|context_|"
                  r"check_preempt|resched_|task_|psi_|cpuacct|hrtick|native_sched|place_entity|reweight|select_task|available_idle|__update_load|__calc_delta|activate_task|deactivate_|newidle|load_balance|"
                  r"__accumulate_pelt|decay_load|attach_entity|detach_entity|cgroup_rstat|move_linked|wake_q|mod_delayed|delayed_work|flush_work|io_schedule|find_worker|wq_worker|create_worker|"
                  r"do_idle|cpu_idle|default_idle|cpuidle|menu_|tick_|hrtimer|timer_|run_timer|__run_timer|call_timer|clockevents|rcu_)"),
    ("memory", r"^(kmem|kmalloc|__kmem|__kmalloc|kfree|slab|___slab|__slab|alloc_|__alloc|free_|__free|get_page|page_|__page|handle_mm|__handle_mm|do_fault|do_user_addr|exc_page|"
               r"vmf_|insert_pfn|mm_|mmap_|find_vma|pte_|pmd_|__pte|__pmd|mas_|mt_|rmqueue|get_partial|flush_tlb|vm_|__vm|vmap|vunmap|mod_(node|zone|lruvec|memcg)|lru_|folio|filemap_|xas_|xa_|__xa|radix|shmem_|memcg|obj_cgroup)"),
    ("checksum", r"^(crc|crypto_|chksum_|sha|half_md4|str2hash|jhash|siphash|xxh|libcrc)"),
    ("library", r"^(mem(cmp|chr|scan)|str|list_|__list|rb_|__rb|find_|_find|idr_|ida_|percpu_counter|__percpu_counter|bitmap_|__bitmap|get_random|prandom|snprintf|vsnprintf|sort|hlist|refcount|lockref|"
                r"__warn_unused|radix_tree|llist|kref|bsearch|seq_|atomic)"),
    ("security", r"^(security_|selinux|apparmor|cap_|integrity|ima_|tomoyo|bpf_lsm|landlock|yama)"),
    ("locking", r"^(mutex_|__mutex|down_|up_|__down|__up|rwsem|_raw_|queued_|native_queued|osq_|percpu_(down|up|rwsem)|__rcu|rcu_read|lock_|unlock_|__percpu|ww_)"),
    ("entry", r"^(entry_|syscall_|__x64_sys|__do_sys|__se_sys|do_syscall|exit_to|irqentry|asm_|error_|paranoid|native_|sysvec|irq_|__irq|handle_irq|common_interrupt|ksys_|fpregs|arch_exit)"),
    ("vfs", r"^(vfs_|do_filp|do_sys|path_|link_path|lookup|__lookup|d_|__d_|dentry|dput|dget|inode_|new_inode|iput|iget|ihold|evict|file_|fput|__fput|fget|__fget|filp|alloc_file|open|do_open|do_|"
            r"user_path|getname|putname|mnt_|touch_|generic_|may_|notify_|fsnotify|__fsnotify|sync_|__sync|mark_|__mark|writeback|wb_|walk_|step_into|complete_walk|terminate_walk|legitimize|statx|cp_statx|current_time|timestamp|"
            r"set_|setattr|new_sync|ktime_get_coarse|rw_verify|init_|simple_|sb_|super_)"),
))


def group_of(name: str, module: str) -> str:
    for group, pattern in _RULES:
        if group in ("log", "dax_iomap", "block_pmem") and pattern.match(name):
            return group
    if module in ("xfs", "ext4") or name.startswith(("xfs_", "ext4_", "__ext4")):
        return "file_system"
    if module == "jbd2":
        return "log"
    if module in ("nd_pmem", "libnvdimm", "nfit", "nd_btt", "device_dax", "dax_pmem"):
        return "block_pmem"
    return next((group for group, pattern in _RULES if pattern.match(name)), "other")


def read(kallsyms: str) -> list[tuple[int, str, str]]:
    """(address, name, module) of every function, rising; of several names for an address the first."""
    found: dict[int, tuple[str, str]] = {}
    for line in kallsyms.splitlines():
        words = line.split()
        if len(words) >= 3 and words[1] in "tTwW" and (address := int(words[0], 16)) >> 63:
            found.setdefault(address, (words[2], words[3].strip("[]") if len(words) > 3 else ""))
    return [(address, *found[address]) for address in sorted(found)]


def table(kallsyms: str) -> str:
    """The plugin's file (plugin/symbols.h)."""
    functions = read(kallsyms)
    lines = [f"group {group}" for group in GROUPS]
    before = ""
    for address, name, module in functions:
        group = group_of(name, module)
        if group != before:
            lines.append(f"range {address:x} {GROUPS.index(group)}")
        before = group
    watched = set(FUNCTIONS)
    for (begin, name, _), (end, *_) in zip(functions, functions[1:]):
        if name in watched:
            watched.discard(name)
            lines.append(f"function {begin:x} {end:x} {name}")
    return "\n".join(lines) + "\n"
