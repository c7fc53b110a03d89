// Stands in for QEMU in a test of the counting plugin (analysis/tests/test_plugin.py): translates and executes what stdin says, an
// instruction a line, and tells the plugin what QEMU would.
//   ADDRESS BYTES [r|w VIRTUAL PHYSICAL SIZE]...     numbers in hex; a physical address of 0 is memory-mapped I/O
// Arguments are the plugin's, NAME=VALUE each.
#include <stdlib.h>
#include <string.h>

#include "harness/guest/plugin/count.c"

enum { MAX_CALLBACKS = 16, MAX_ACCESSES = 16 };

struct qemu_plugin_insn {
  uint64_t address;
  uint8_t bytes[16];
  size_t size;
  uint64_t *added[MAX_CALLBACKS];
  int added_count;
  struct {
    qemu_plugin_insn_cb_t run;
    void *data;
  } calls[MAX_CALLBACKS];
  int call_count;
  qemu_plugin_mem_cb_t on_memory;
  void *memory_data;
};
struct qemu_plugin_tb {
  struct qemu_plugin_insn *insn;
};
struct qemu_plugin_hwaddr {
  uint64_t physical;
};
struct memory_access {
  char kind;
  uint64_t address;
  struct qemu_plugin_hwaddr place;
  unsigned shift;
};

static qemu_plugin_tb_trans_cb_t translate;
static qemu_plugin_udata_cb_t at_exit;
static struct memory_access accesses[MAX_ACCESSES];

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_tb_trans_cb_t callback) {
  (void)id;
  translate = callback;
}
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, qemu_plugin_udata_cb_t callback, void *data) {
  (void)id;
  (void)data;
  at_exit = callback;
}
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, qemu_plugin_insn_cb_t callback, int flags, void *data) {
  (void)flags;
  insn->calls[insn->call_count].run = callback;
  insn->calls[insn->call_count++].data = data;
}
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *target, uint64_t immediate) {
  if (op != QEMU_PLUGIN_INLINE_ADD_U64 || immediate != 1) abort();
  insn->added[insn->added_count++] = target;
}
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, qemu_plugin_mem_cb_t callback, int flags, int rw, void *data) {
  (void)flags;
  if (rw != QEMU_PLUGIN_MEM_RW) abort();
  insn->on_memory = callback;
  insn->memory_data = data;
}
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb) { return tb->insn != NULL; }
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index) {
  (void)index;
  return tb->insn;
}
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn) { return insn->bytes; }
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn) { return insn->size; }
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn) { return insn->address; }
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info) { return accesses[info].shift; }
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info) { return accesses[info].kind == 'w'; }
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t info, uint64_t address) {
  (void)address;
  return &accesses[info].place;
}
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *address) { return address->physical == 0; }
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *address) { return address->physical; }

static bool parse_bytes(const char *text, struct qemu_plugin_insn *insn) {
  for (; sscanf(text, "%2hhx", &insn->bytes[insn->size]) == 1; text += 2) {
    if (++insn->size == sizeof(insn->bytes)) return false;
  }
  return insn->size > 0;
}

static int parse_accesses(char *rest) {
  int count = 0;
  for (char *word = strtok(rest, " \n"); word != NULL && count < MAX_ACCESSES; word = strtok(NULL, " \n")) {
    struct memory_access *access = &accesses[count++];
    access->kind = word[0];
    access->address = strtoull(strtok(NULL, " \n"), NULL, 16);
    access->place.physical = strtoull(strtok(NULL, " \n"), NULL, 16);
    access->shift = (unsigned)__builtin_ctzll(strtoull(strtok(NULL, " \n"), NULL, 16));
  }
  return count;
}

static void execute(const struct qemu_plugin_insn *insn, int access_count) {
  for (int i = 0; i < insn->added_count; ++i) ++*insn->added[i];
  for (int i = 0; i < insn->call_count; ++i) insn->calls[i].run(0, insn->calls[i].data);
  for (int i = 0; i < access_count; ++i) insn->on_memory(0, (qemu_plugin_meminfo_t)i, accesses[i].address, insn->memory_data);
}

int main(int argc, char **argv) {
  if (qemu_plugin_install(0, NULL, argc - 1, argv + 1) != 0) return 1;
  char line[4096];
  while (fgets(line, sizeof(line), stdin) != NULL) {
    struct qemu_plugin_insn insn = {0};
    struct qemu_plugin_tb block = {&insn};
    char bytes[64];
    int used = 0;
    unsigned long long address;
    if (sscanf(line, "%llx %63s%n", &address, bytes, &used) != 2 || !parse_bytes(bytes, &insn)) return 2;
    insn.address = address;
    translate(0, &block);
    execute(&insn, parse_accesses(line + used));
  }
  at_exit(0, NULL);
  return 0;
}
