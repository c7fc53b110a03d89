// daxlab_micro: every *_bench.cc, run by `daxlab micro`. The context names what the numbers depend on, so that two outputs are
// comparable.
#include <benchmark/benchmark.h>

#include "engines/pmem/persist.h"

int main(int argc, char** argv) {
  daxlab::pmem::init_door();
  benchmark::AddCustomContext("flush", daxlab::pmem::name(daxlab::pmem::g_door.instruction));
  benchmark::AddCustomContext("streaming", daxlab::pmem::g_door.avx512 ? "64-byte stores" : "8-byte stores");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
