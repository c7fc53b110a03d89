// What the counting plugin counts, by class of operation, and how it is written down (read by records.py).
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "harness/guest/plugin/symbols.h"

enum class_id { CLASS_STEP, CLASS_CREATE, CLASS_UNLINK, CLASS_FSYNC, CLASS_RESET, CLASS_DEFERRED, CLASS_COUNT, CLASS_NONE = -1 };
static const char *const class_names[CLASS_COUNT] = {"step", "create", "unlink", "fsync", "reset", "deferred"};

enum counter {
  USER,
  FLUSHES,
  FENCES,
  LOCKED,
  STREAMED_BYTES,
  BYTES_WRITTEN,
  BYTES_READ,
  LINES_WRITTEN,
  BLOCKS_WRITTEN,
  FIRST_GROUP,
  FIRST_CALLS = FIRST_GROUP + MAX_GROUPS,
  FIRST_INSIDE = FIRST_CALLS + MAX_FUNCTIONS,
  FIRST_STORED = FIRST_INSIDE + MAX_FUNCTIONS,
  COUNTERS = FIRST_STORED + MAX_FUNCTIONS,
};
static const char *const counter_names[FIRST_GROUP] = {"instructions_user",
                                                       "clwb",
                                                       "fences",
                                                       "locked",
                                                       "streamed_bytes",
                                                       "nvdimm_bytes_written",
                                                       "nvdimm_bytes_read",
                                                       "nvdimm_lines_written",
                                                       "nvdimm_blocks_written"};

struct tally {
  uint64_t visits;
  uint64_t values[COUNTERS];
};
struct cell {
  struct tally classes[CLASS_COUNT];
};

// `first` of the classes that are written.
static inline void write_tally(FILE *file, const struct symbol_table *table, const char *name, const struct tally *tally, bool first) {
  fprintf(file, "%s\"%s\":{\"visits\":%lu,\"counters\":{", first ? "" : ",", name, tally->visits);
  for (int i = 0; i < FIRST_GROUP; ++i) fprintf(file, "%s\"%s\":%lu", i ? "," : "", counter_names[i], tally->values[i]);
  fprintf(file, "},\"groups\":{");
  for (int i = 0; i < table->group_count; ++i) {
    fprintf(file, "%s\"%s\":%lu", i ? "," : "", table->groups[i], tally->values[FIRST_GROUP + i]);
  }
  fprintf(file, "},\"functions\":{");
  bool any = false;
  for (int i = 0; i < table->function_count; ++i) {
    const uint64_t calls = tally->values[FIRST_CALLS + i];
    const uint64_t inside = tally->values[FIRST_INSIDE + i];
    if (calls == 0 && inside == 0) continue;
    fprintf(file, "%s\"%s\":{\"calls\":%lu,\"instructions\":%lu,\"bytes_written\":%lu}", any ? "," : "", table->functions[i].name,
            calls, inside, tally->values[FIRST_STORED + i]);
    any = true;
  }
  fprintf(file, "}}");
}
