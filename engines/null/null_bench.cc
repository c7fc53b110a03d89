// What a call costs when nothing is behind it: the floor of every figure.

#include <benchmark/benchmark.h>

#include <array>
#include <memory>

#include "engines/api/registry.h"

namespace daxlab {
namespace {

std::unique_ptr<Engine> mount_null() {
  const EngineSpec spec = *parse_engine("null");
  return std::move(*spec.type->mount(nullptr, spec.options));
}

void null_write(benchmark::State& state) {
  const std::unique_ptr<Engine> engine = mount_null();
  const std::unique_ptr<File> file = *engine->open(2, {});
  std::array<std::byte, 4096> block{};
  for (auto _ : state) benchmark::DoNotOptimize(file->write(0, block).ok());
}
BENCHMARK(null_write);

void null_create_unlink(benchmark::State& state) {
  const std::unique_ptr<Engine> engine = mount_null();
  const std::unique_ptr<Directory> root = *engine->open_directory(engine->root());
  for (auto _ : state) {
    benchmark::DoNotOptimize(root->create("name", 0644, {}).ok());
    benchmark::DoNotOptimize(root->unlink("name").ok());
  }
}
BENCHMARK(null_create_unlink);

void null_stat(benchmark::State& state) {
  const std::unique_ptr<Engine> engine = mount_null();
  const std::unique_ptr<Directory> root = *engine->open_directory(engine->root());
  for (auto _ : state) benchmark::DoNotOptimize(root->stat("name").ok());
}
BENCHMARK(null_stat);

}  // namespace
}  // namespace daxlab
