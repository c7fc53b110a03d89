// Drives vmap_probe.c by a script, one request a line, and marks each for the counting plugin (harness/guest/marks.h): a line is a cell.
//
//   map PAGES COUNT | unmap COUNT | even COUNT | aliases | log PAGES COUNT FLAGS      class `step`
//   sequence SEED STEPS MAPPINGS    a mixture of maps and unmaps, each a request: maps of up to 64 pages are class `step`, of more class
//                                   `reset`, unmaps class `deferred`. engines/vmap/recorded_test.cc draws the same.
// Answers a line each: done failed waits refused.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "harness/guest/kernels/vmap_probe.h"

#define MARK(id) __asm__ volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0" ::"i"(0x44580000 | (id)) : "memory")
enum { MARK_CELL = 0x200, MARK_STEP, MARK_RESET, MARK_DEFERRED, MARK_OUTSIDE };

static int device;
static uint64_t random_state;

static void ask(struct vmap_request *request) {
  if (ioctl(device, VMAP_PROBE_IOCTL, request) == 0) return;
  perror("vmap_drive");
  exit(1);
}

// xorshift64* (Vigna 2016).
static uint32_t below(uint32_t bound) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (uint32_t)((random_state * 0x2545f4914f6cdd1dull) >> 32) % bound;
}

static struct vmap_request sequence(uint32_t seed, uint32_t steps, uint32_t mappings) {
  struct vmap_request sum = {0};
  uint32_t live = 0;
  random_state = seed;
  for (uint32_t step = 0; step < steps; ++step) {
    struct vmap_request one = {0};
    const int large = below(6) == 0;
    one.pages = large ? 65 + below(300) : 1 + below(64);
    if (live < mappings / 2 || (live < mappings && below(2) == 0)) {
      one.op = OP_MAP;
      one.count = 1;
      if (large)
        MARK(MARK_RESET);
      else
        MARK(MARK_STEP);
      ++live;
    } else {
      one.op = OP_UNMAP_ONE;
      one.count = below(live);
      MARK(MARK_DEFERRED);
      --live;
    }
    ask(&one);
    MARK(MARK_OUTSIDE);
    sum.done += one.done;
    sum.failed += one.failed;
  }
  struct vmap_request rest = {.op = OP_UNMAP, .count = live};
  MARK(MARK_DEFERRED);
  ask(&rest);
  MARK(MARK_OUTSIDE);
  return sum;
}

static struct vmap_request serve(const char *line) {
  struct vmap_request request = {0};
  uint32_t steps;
  MARK(MARK_CELL);
  if (sscanf(line, "sequence %u %u %u", &request.pages, &steps, &request.count) == 3)
    return sequence(request.pages, steps, request.count);
  if (sscanf(line, "map %u %u", &request.pages, &request.count) == 2)
    request.op = OP_MAP;
  else if (sscanf(line, "unmap %u", &request.count) == 1)
    request.op = OP_UNMAP;
  else if (sscanf(line, "even %u", &request.count) == 1)
    request.op = OP_UNMAP_EVEN;
  else if (sscanf(line, "log %u %u %u", &request.pages, &request.count, &request.flags) == 3)
    request.op = OP_LOG_WRITES;
  else if (strncmp(line, "aliases", 7) == 0)
    request.op = OP_ALIASES;
  else {
    fprintf(stderr, "vmap_drive: what is %s", line);
    exit(1);
  }
  MARK(MARK_STEP);
  ask(&request);
  MARK(MARK_OUTSIDE);
  return request;
}

int main(void) {
  char line[128];
  device = open(VMAP_PROBE_DEVICE, O_RDWR);
  if (device < 0) {
    perror(VMAP_PROBE_DEVICE);
    return 1;
  }
  while (fgets(line, sizeof(line), stdin) != NULL) {
    const struct vmap_request answer = serve(line);
    printf("%u %u %u %u\n", answer.done, answer.failed, answer.waits, answer.refused);
  }
  return 0;
}
