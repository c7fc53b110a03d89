#include "engines/xfslike/parts.h"

#include <algorithm>

#include "engines/pmem/geometry.h"
#include "engines/xfslike/buffered_log.h"
#include "engines/xfslike/contig_mapping.h"

namespace daxlab::xfslike {

namespace {

template <typename Make>
struct Registered {
  std::string name;
  Make make;
};

/// Function-local, so that they exist when the first part registers, whatever the order of static initialisation.
template <typename Make>
std::vector<Registered<Make>>& registered() {
  static std::vector<Registered<Make>> parts;
  return parts;
}

template <typename Make>
void add(std::string name, Make make) {
  auto& parts = registered<Make>();
  const auto same = [&](const Registered<Make>& part) { return part.name == name; };
  DAXLAB_CHECK(std::none_of(parts.begin(), parts.end(), same));
  parts.push_back({std::move(name), make});
}

template <typename Make>
std::vector<std::string> names(const std::string& first) {
  std::vector<std::string> all;
  for (const auto& part : registered<Make>()) all.push_back(part.name);
  std::sort(all.begin(), all.end(), [&](const std::string& a, const std::string& b) {
    return (a != first) < (b != first) || ((a != first) == (b != first) && a < b);
  });
  return all;
}

template <typename Make>
Make find(const std::string& name) {
  for (const auto& part : registered<Make>()) {
    if (part.name == name) return part.make;
  }
  return nullptr;
}

Result<std::unique_ptr<BufferMapping>> make_contig(const PartRequest& request) {
  return std::unique_ptr<BufferMapping>(new ContigMapping(request.region));
}

Result<std::unique_ptr<LogPlacement>> make_buffered(const PartRequest& request) {
  return std::unique_ptr<LogPlacement>(new BufferedLog(request.region, request.log_runs));
}

const RegisterBufferMapping kContig("contig", make_contig);
const RegisterLogPlacement kBuffered("buffered", make_buffered);

}  // namespace

RegisterLogPlacement::RegisterLogPlacement(std::string name, MakeLogPlacement make) { add(std::move(name), make); }
RegisterBufferMapping::RegisterBufferMapping(std::string name, MakeBufferMapping make) { add(std::move(name), make); }

std::vector<std::string> log_placement_names() { return names<MakeLogPlacement>("buffered"); }
std::vector<std::string> buffer_mapping_names() { return names<MakeBufferMapping>("contig"); }

Result<std::unique_ptr<BufferMapping>> make_buffer_mapping(const PartRequest& request) {
  const MakeBufferMapping make = find<MakeBufferMapping>(request.options.map);
  if (make == nullptr) return Error(Errc::kUsage, "no buffer mapping '" + request.options.map + "'");
  return make(request);
}

Result<std::unique_ptr<LogPlacement>> make_log_placement(const PartRequest& request) {
  const MakeLogPlacement make = find<MakeLogPlacement>(request.options.log);
  if (make == nullptr) return Error(Errc::kUsage, "no log placement '" + request.options.log + "'");
  return make(request);
}

Result<std::vector<BlockRun>> log_runs(const pmem::RunSpec& run, uint64_t first, uint64_t count, uint64_t seed) {
  DAXLAB_ASSIGN(const pmem::Geometry geometry, pmem::Geometry::create(run, seed, count * kBlockBytes));
  std::vector<BlockRun> runs;
  for (uint64_t block = 0; block < geometry.block_count();) {
    const pmem::Placement place = geometry.place(block, geometry.block_count() - block);
    runs.push_back({first + place.offset_bytes / kBlockBytes, static_cast<uint32_t>(place.block_count)});
    block += place.block_count;
  }
  return runs;
}

}  // namespace daxlab::xfslike
