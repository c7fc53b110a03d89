// The crash laboratory's record of a kernel file system: every store to the traced part of the NVDIMM with its bytes, every line written
// back, every fence, every locked instruction that could order some of these, and where operations begin and end, in the order of execution.
//
// The plugin interface tells the address of an access and not its value; but the NVDIMM is a file that QEMU maps, and a callback comes
// after its access, so the bytes are read from there. On one processor the order of callbacks is the order of stores.
//
// A file of `trace_event`s, each followed by the bytes of a store padded to 8; harness/guest/crash_trace.cc reads it. A recording begins
// at MARK_TRACE_BEGIN, when the traced part of the NVDIMM is copied to a file of its own: what a crash leaves is that and some of the
// stores. Recordings of one run are numbered.
#pragma once

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum trace_kind { TRACE_STORE, TRACE_STREAM, TRACE_FLUSH, TRACE_FENCE, TRACE_OP_BEGIN, TRACE_OP_END, TRACE_LOCKED };

struct trace_event {
  uint64_t offset;  // from the start of the traced part; of an operation its number
  uint32_t size;
  uint32_t kind;
};

struct trace {
  char prefix[3072];  // PREFIX.0.events and PREFIX.0.base, PREFIX.1...; empty: nothing is recorded
  uint64_t begin, end;  // physical
  const uint8_t *bytes;  // of the traced part
  FILE *events;          // of the recording under way
  int recordings;
  uint64_t operations;
  bool unordered;  // something was stored or flushed since the last fence or locked instruction
};

// Maps the traced part of the NVDIMM's file; `offset` is where it begins there.
static inline bool trace_map(struct trace *trace, const char *medium, uint64_t offset) {
  const int fd = open(medium, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  void *mapped = mmap(NULL, trace->end - trace->begin, PROT_READ, MAP_SHARED, fd, (off_t)offset);
  close(fd);
  if (mapped == MAP_FAILED) return false;
  trace->bytes = (const uint8_t *)mapped;
  return true;
}

static inline bool trace_begin(struct trace *trace) {
  char path[4096];
  snprintf(path, sizeof(path), "%s.%d.base", trace->prefix, trace->recordings);
  FILE *base = fopen(path, "w");
  if (base == NULL) return false;
  const size_t size = trace->end - trace->begin;
  const bool written = fwrite(trace->bytes, 1, size, base) == size;
  if (fclose(base) != 0 || !written) return false;
  snprintf(path, sizeof(path), "%s.%d.events", trace->prefix, trace->recordings++);
  trace->events = fopen(path, "w");
  trace->operations = 0;
  trace->unordered = false;
  return trace->events != NULL;
}

static inline void trace_put(struct trace *trace, enum trace_kind kind, uint64_t offset, uint32_t size) {
  if (trace->events == NULL) return;
  const struct trace_event event = {offset, size, kind};
  fwrite(&event, sizeof(event), 1, trace->events);
  if (kind <= TRACE_FLUSH) trace->unordered = true;
  if (kind == TRACE_FENCE || kind == TRACE_LOCKED) trace->unordered = false;
  if (kind != TRACE_STORE && kind != TRACE_STREAM) return;
  static const uint8_t padding[8] = {0};
  fwrite(trace->bytes + offset, 1, size, trace->events);
  fwrite(padding, 1, -size & 7, trace->events);
}

// An access at `physical`, of which only what lies in the traced part counts.
static inline void trace_access(struct trace *trace, enum trace_kind kind, uint64_t physical, uint32_t size) {
  if (physical < trace->begin || physical + size > trace->end) return;
  trace_put(trace, kind, physical - trace->begin, size);
}

// A locked instruction, of which a kernel executes thousands: recorded where it orders something.
static inline void trace_locked(struct trace *trace) {
  if (trace->unordered) trace_put(trace, TRACE_LOCKED, 0, 0);
}

static inline bool trace_end(struct trace *trace) {
  if (trace->events == NULL) return true;
  const bool failed = ferror(trace->events) != 0;
  const bool closed = fclose(trace->events) == 0;
  trace->events = NULL;
  return !failed && closed;
}
