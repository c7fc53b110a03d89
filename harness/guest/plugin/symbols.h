// Which group and which watched function a kernel address belongs to. The file is made by symbols.py: first groups, then ranges,
// rising, then functions, rising.
//   group NAME
//   range ADDRESS GROUP        from here up to the next range; GROUP counts from 0
//   function BEGIN END NAME
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_GROUPS = 16, MAX_FUNCTIONS = 48, MAX_RANGES = 1 << 17 };

struct symbol_range {
  uint64_t begin;
  int group;
};
struct symbol_function {
  uint64_t begin, end;
  char name[48];
};
struct symbol_table {
  char groups[MAX_GROUPS][32];
  int group_count;
  struct symbol_range *ranges;
  int range_count;
  struct symbol_function functions[MAX_FUNCTIONS];
  int function_count;
};

static inline bool read_symbol_line(const char *line, struct symbol_table *table) {
  unsigned long long begin, end;
  int group;
  if (sscanf(line, "group %31s", table->groups[table->group_count % MAX_GROUPS]) == 1) {
    return ++table->group_count <= MAX_GROUPS;
  }
  if (sscanf(line, "range %llx %d", &begin, &group) == 2) {
    if (table->range_count == MAX_RANGES || group < 0 || group >= table->group_count) return false;
    table->ranges[table->range_count].begin = begin;
    table->ranges[table->range_count++].group = group;
    return true;
  }
  if (table->function_count == MAX_FUNCTIONS) return false;
  struct symbol_function *function = &table->functions[table->function_count++];
  if (sscanf(line, "function %llx %llx %47s", &begin, &end, function->name) != 3) return false;
  function->begin = begin;
  function->end = end;
  return true;
}

// False where the file is not there or not as above.
static inline bool read_symbols(const char *path, struct symbol_table *table) {
  memset(table, 0, sizeof(*table));
  table->ranges = (struct symbol_range *)calloc(MAX_RANGES, sizeof(struct symbol_range));
  FILE *file = fopen(path, "r");
  if (file == NULL) return false;
  char line[256];
  bool good = true;
  while (good && fgets(line, sizeof(line), file) != NULL) good = read_symbol_line(line, table);
  fclose(file);
  return good && table->group_count > 0;
}

// The last range that begins at or below `address`; addresses before the first are of group 0.
static inline int group_of(const struct symbol_table *table, uint64_t address) {
  int low = 0, high = table->range_count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (table->ranges[middle].begin <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low == 0 ? 0 : table->ranges[low - 1].group;
}

// The watched function that holds `address`; -1: none.
static inline int function_of(const struct symbol_table *table, uint64_t address) {
  for (int i = 0; i < table->function_count; ++i) {
    if (address >= table->functions[i].begin && address < table->functions[i].end) return i;
  }
  return -1;
}
