// The counting plugin: what the guest executes and what reaches its NVDIMM, by cell and class of operation.
//
// Loaded by a QEMU that runs one virtual CPU with an instruction-counting clock, so counts are the same from run to run, and
// counting does not move the guest's time. The guest says what it does with NOPs that carry a number (harness/guest/marks.h):
//   1. Counters count always; a mark books what was counted since the mark before to the class that was open, if one was.
//   2. The NVDIMM is recognised by physical address: by the kernel's direct map, and for addresses of user space by what QEMU
//      translates them to. The two are tied together at the first access through the direct map, or by mark kMarkMedium.
//   3. A line is written once between two fences however often it is stored to, as a write-combining buffer would have it; so is
//      a block of 256 bytes, the unit in which 3D XPoint media write.
// Options: out=FILE,symbols=FILE,lo=ADDRESS,hi=ADDRESS (physical bounds of the NVDIMM). With trace=PREFIX,medium=FILE,trace_lo=ADDRESS,
// trace_hi=ADDRESS it also records what is stored there (trace.h), in a guest whose kernel shows where it flushes (classify.h).
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness/guest/plugin/classify.h"
#include "harness/guest/plugin/qemu_plugin_v1.h"
#include "harness/guest/plugin/symbols.h"
#include "harness/guest/plugin/tally.h"
#include "harness/guest/plugin/trace.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = 1;

enum {  // harness/guest/marks.h, workloads/marks.h
  MARK_CLASS_END = 0x100,
  MARK_CLASS_CREATE = 0x101,
  MARK_CLASS_UNLINK = 0x102,
  MARK_CLASS_FSYNC = 0x103,
  MARK_CELL = 0x200,
  MARK_STEP = 0x201,
  MARK_RESET = 0x202,
  MARK_DEFERRED = 0x203,
  MARK_OUTSIDE = 0x204,
  MARK_MEDIUM = 0x205,
  MARK_TRACE_BEGIN = 0x206,
  MARK_TRACE_END = 0x207,
  MARK_OP_BEGIN = 0x208,
  MARK_OP_END = 0x209,
};

enum { MAX_CELLS = 512 };
static const uint64_t direct_map = 0xffff888000000000;  // of a kernel without address randomisation, 4-level page tables

static uint64_t counters[COUNTERS];
static uint64_t booked[COUNTERS];
static struct cell *cells[MAX_CELLS];
static int cell_count;
static enum class_id open_class = CLASS_NONE;
static bool in_step;

static struct symbol_table table;
static uint64_t entered_at[MAX_FUNCTIONS];
static uint64_t stored_at[MAX_FUNCTIONS];
static uint32_t depth[MAX_FUNCTIONS];

static uint64_t medium_begin, medium_end;  // physical
static uint64_t translated_delta;          // QEMU's address of a byte of the medium less its physical one
static bool translated;
static int medium_probe;  // accesses still to come after MARK_MEDIUM

static uint32_t fence_epoch = 1;
static uint32_t *line_epochs, *block_epochs;
static char out_path[4096];
static struct trace trace;

// What an access is, as far as the bytes of its instruction tell.
enum access { ACCESS_PLAIN, ACCESS_STREAMS, ACCESS_SHOWS_FLUSH };

static void book(enum class_id next) {
  if (open_class != CLASS_NONE && cell_count > 0) {
    struct tally *tally = &cells[cell_count - 1]->classes[open_class];
    for (int i = 0; i < COUNTERS; ++i) tally->values[i] += counters[i] - booked[i];
  }
  memcpy(booked, counters, sizeof(counters));
  if (next != CLASS_NONE && cell_count > 0) ++cells[cell_count - 1]->classes[next].visits;
  open_class = next;
}

static void begin_cell(void) {
  book(CLASS_NONE);
  if (cell_count == MAX_CELLS) {
    fprintf(stderr, "count: more than %d cells\n", MAX_CELLS);
    exit(1);
  }
  cells[cell_count++] = calloc(1, sizeof(struct cell));
}

static void must(bool good, const char *what) {
  if (good) return;
  fprintf(stderr, "count: cannot write %s\n", what);
  exit(1);
}

static void on_trace_mark(int mark) {
  if (trace.prefix[0] == '\0') return;
  switch (mark) {
    case MARK_TRACE_BEGIN:
      must(trace_begin(&trace), trace.prefix);
      break;
    case MARK_TRACE_END:
      must(trace_end(&trace), trace.prefix);
      break;
    case MARK_OP_BEGIN:
      trace_put(&trace, TRACE_OP_BEGIN, trace.operations, 0);
      break;
    case MARK_OP_END:
      trace_put(&trace, TRACE_OP_END, trace.operations++, 0);
      break;
    default:
      break;
  }
}

static void on_mark(unsigned vcpu, void *data) {
  (void)vcpu;
  const int mark = (int)(intptr_t)data;
  if (mark >= MARK_TRACE_BEGIN && mark <= MARK_OP_END) {
    on_trace_mark(mark);
    return;
  }
  switch (mark) {
    case MARK_CELL:
      begin_cell();
      break;
    case MARK_STEP:
      in_step = true;
      book(CLASS_STEP);
      break;
    case MARK_RESET:
      book(CLASS_RESET);
      break;
    case MARK_DEFERRED:
      book(CLASS_DEFERRED);
      break;
    case MARK_OUTSIDE:
      in_step = false;
      book(CLASS_NONE);
      break;
    case MARK_MEDIUM:
      medium_probe = translated ? 0 : 1;
      break;
    case MARK_CLASS_END:
      if (in_step) book(CLASS_STEP);
      break;
    case MARK_CLASS_CREATE:
    case MARK_CLASS_UNLINK:
    case MARK_CLASS_FSYNC:
      if (in_step) book(CLASS_CREATE + (enum class_id)(mark - MARK_CLASS_CREATE));
      break;
    default:
      break;
  }
}

static void on_fence(unsigned vcpu, void *data) {
  (void)vcpu;
  (void)data;
  ++fence_epoch;
  trace_put(&trace, TRACE_FENCE, 0, 0);
}

static void on_locked(unsigned vcpu, void *data) {
  (void)vcpu;
  (void)data;
  trace_locked(&trace);
}

static uint64_t instructions(void) {
  uint64_t sum = counters[USER];
  for (int i = 0; i < table.group_count; ++i) sum += counters[FIRST_GROUP + i];
  return sum;
}

static void on_enter(unsigned vcpu, void *data) {
  (void)vcpu;
  const intptr_t function = (intptr_t)data;
  ++counters[FIRST_CALLS + function];
  if (depth[function]++ != 0) return;
  entered_at[function] = instructions();
  stored_at[function] = counters[BYTES_WRITTEN];
}

static void on_leave(unsigned vcpu, void *data) {
  (void)vcpu;
  const intptr_t function = (intptr_t)data;
  if (depth[function] == 0) return;
  if (--depth[function] != 0) return;
  counters[FIRST_INSIDE + function] += instructions() - entered_at[function];
  counters[FIRST_STORED + function] += counters[BYTES_WRITTEN] - stored_at[function];
}

// The physical address of an access, or 0 where it is none of the medium.
static uint64_t on_medium(qemu_plugin_meminfo_t info, uint64_t address) {
  if (address >= direct_map + medium_begin && address < direct_map + medium_end) {
    if (!translated) {
      const struct qemu_plugin_hwaddr *found = qemu_plugin_get_hwaddr(info, address);
      if (found != NULL && !qemu_plugin_hwaddr_is_io(found)) {
        translated_delta = qemu_plugin_hwaddr_phys_addr(found) - (address - direct_map);
        translated = true;
      }
    }
    return address - direct_map;
  }
  if (address >> 63 || !translated) return 0;
  const struct qemu_plugin_hwaddr *found = qemu_plugin_get_hwaddr(info, address);
  if (found == NULL || qemu_plugin_hwaddr_is_io(found)) return 0;
  const uint64_t physical = qemu_plugin_hwaddr_phys_addr(found) - translated_delta;
  return physical >= medium_begin && physical < medium_end ? physical : 0;
}

// The access after MARK_MEDIUM is to the first byte of the medium that a program mapped.
static void learn_medium(qemu_plugin_meminfo_t info, uint64_t address) {
  if (address >> 63) return;
  const struct qemu_plugin_hwaddr *found = qemu_plugin_get_hwaddr(info, address);
  if (found == NULL || qemu_plugin_hwaddr_is_io(found)) return;
  translated_delta = qemu_plugin_hwaddr_phys_addr(found) - medium_begin;
  translated = true;
  medium_probe = 0;
}

static void touch(uint64_t physical, uint64_t size) {
  const uint64_t first = physical - medium_begin;
  const uint64_t last = first + size - 1;
  for (uint64_t line = first / 64; line <= last / 64; ++line) {
    if (line_epochs[line] == fence_epoch) continue;
    line_epochs[line] = fence_epoch;
    ++counters[LINES_WRITTEN];
    if (block_epochs[line / 4] == fence_epoch) continue;
    block_epochs[line / 4] = fence_epoch;
    ++counters[BLOCKS_WRITTEN];
  }
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data) {
  (void)vcpu;
  const enum access access = (enum access)(intptr_t)data;
  if (open_class == CLASS_NONE && trace.events == NULL && (translated || medium_probe == 0)) {
    if (!translated && address >= direct_map + medium_begin && address < direct_map + medium_end) (void)on_medium(info, address);
    return;
  }
  if (medium_probe != 0) {
    learn_medium(info, address);
    return;
  }
  const uint64_t physical = on_medium(info, address);
  if (physical == 0) return;
  if (access == ACCESS_SHOWS_FLUSH) {
    trace_access(&trace, TRACE_FLUSH, physical & ~63ull, 64);
    return;
  }
  const uint32_t size = 1u << qemu_plugin_mem_size_shift(info);
  if (!qemu_plugin_mem_is_store(info)) {
    counters[BYTES_READ] += size;
    return;
  }
  counters[BYTES_WRITTEN] += size;
  if (access == ACCESS_STREAMS) counters[STREAMED_BYTES] += size;
  touch(physical, size);
  trace_access(&trace, access == ACCESS_STREAMS ? TRACE_STREAM : TRACE_STORE, physical, size);
}

static void add_inline(struct qemu_plugin_insn *insn, uint64_t *counter) {
  qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, counter, 1);
}

static void call(struct qemu_plugin_insn *insn, qemu_plugin_insn_cb_t callback, intptr_t data) {
  qemu_plugin_register_vcpu_insn_exec_cb(insn, callback, QEMU_PLUGIN_CB_NO_REGS, (void *)data);
}

static void count_kernel(struct qemu_plugin_insn *insn, uint64_t address, const struct insn_facts *facts, size_t size) {
  add_inline(insn, &counters[FIRST_GROUP + group_of(&table, address)]);
  const int function = function_of(&table, address);
  if (function < 0) return;
  if (address == table.functions[function].begin) call(insn, on_enter, function);
  const uint64_t target = address + size + (uint64_t)(int64_t)facts->jump;
  const bool out =
      facts->kind == INSN_TAIL_JUMP && (target < table.functions[function].begin || target >= table.functions[function].end);
  if (facts->kind == INSN_RETURN || out) call(insn, on_leave, function);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  const size_t count = qemu_plugin_tb_n_insns(block);
  for (size_t i = 0; i < count; ++i) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
    const size_t size = qemu_plugin_insn_size(insn);
    const uint64_t address = qemu_plugin_insn_vaddr(insn);
    const struct insn_facts facts = classify(qemu_plugin_insn_data(insn), size);
    if (address >> 63) {
      count_kernel(insn, address, &facts, size);
    } else {
      add_inline(insn, &counters[USER]);
      if (facts.mark >= 0) call(insn, on_mark, facts.mark);
    }
    if (facts.locked) {
      add_inline(insn, &counters[LOCKED]);
      if (trace.prefix[0] != '\0') call(insn, on_locked, 0);
    }
    if (facts.kind == INSN_FLUSH) add_inline(insn, &counters[FLUSHES]);
    if (facts.kind == INSN_FENCE) {
      add_inline(insn, &counters[FENCES]);
      call(insn, on_fence, 0);
    }
    const bool shows_flush = trace.prefix[0] != '\0' && address >> 63 && is_shown_flush(qemu_plugin_insn_data(insn), size);
    if (shows_flush) add_inline(insn, &counters[FLUSHES]);
    const intptr_t access = shows_flush ? ACCESS_SHOWS_FLUSH : facts.kind == INSN_NON_TEMPORAL ? ACCESS_STREAMS : ACCESS_PLAIN;
    qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, (void *)access);
  }
}

static void on_exit_write(qemu_plugin_id_t id, void *data) {
  (void)id;
  (void)data;
  book(CLASS_NONE);
  must(trace_end(&trace), trace.prefix);
  FILE *file = fopen(out_path, "w");
  if (file == NULL) {
    fprintf(stderr, "count: cannot write %s\n", out_path);
    return;
  }
  fprintf(file, "{\"medium_found\":%s,\"cells\":[", translated ? "true" : "false");
  for (int i = 0; i < cell_count; ++i) {
    fprintf(file, "%s{", i ? ",\n" : "\n");
    bool first = true;
    for (int c = 0; c < CLASS_COUNT; ++c) {
      if (cells[i]->classes[c].visits == 0) continue;
      write_tally(file, &table, class_names[c], &cells[i]->classes[c], first);
      first = false;
    }
    fprintf(file, "}");
  }
  fprintf(file, "\n],\"calls\":{");
  for (int i = 0; i < table.function_count; ++i) {
    fprintf(file, "%s\"%s\":%lu", i ? "," : "", table.functions[i].name, counters[FIRST_CALLS + i]);
  }
  fprintf(file, "}}\n");
  if (fclose(file) != 0) fprintf(stderr, "count: cannot write %s\n", out_path);
}

static uint32_t *epochs(uint64_t count) {
  void *memory = mmap(NULL, count * sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
  (void)info;
  const char *symbols = "", *medium = "";
  for (int i = 0; i < argc; ++i) {
    char *value = strchr(argv[i], '=');
    if (value == NULL) continue;
    *value++ = '\0';
    if (strcmp(argv[i], "out") == 0) snprintf(out_path, sizeof(out_path), "%s", value);
    if (strcmp(argv[i], "symbols") == 0) symbols = value;
    if (strcmp(argv[i], "trace") == 0) snprintf(trace.prefix, sizeof(trace.prefix), "%s", value);
    if (strcmp(argv[i], "medium") == 0) medium = value;
    if (strcmp(argv[i], "trace_lo") == 0) trace.begin = strtoull(value, NULL, 0);
    if (strcmp(argv[i], "trace_hi") == 0) trace.end = strtoull(value, NULL, 0);
    if (strcmp(argv[i], "lo") == 0) medium_begin = strtoull(value, NULL, 0);
    if (strcmp(argv[i], "hi") == 0) medium_end = strtoull(value, NULL, 0);
  }
  if (out_path[0] == '\0' || medium_end <= medium_begin || !read_symbols(symbols, &table)) {
    fprintf(stderr, "count: needs out=FILE, lo and hi of the NVDIMM and symbols=FILE\n");
    return 1;
  }
  if (trace.prefix[0] != '\0' && !trace_map(&trace, medium, trace.begin - medium_begin)) {
    fprintf(stderr, "count: a trace needs medium=FILE of the NVDIMM, and trace_lo and trace_hi within it\n");
    return 1;
  }
  const uint64_t lines = (medium_end - medium_begin) / 64;
  line_epochs = epochs(lines);
  block_epochs = epochs(lines / 4);
  if (line_epochs == NULL || block_epochs == NULL) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  qemu_plugin_register_atexit_cb(id, on_exit_write, NULL);
  return 0;
}
