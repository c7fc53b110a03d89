#include "harness/guest/crash_plan.h"

#include <fmt/format.h>

#include <charconv>

#include "engines/base/units.h"
#include "engines/crash/sequences.h"

namespace daxlab::harness {
namespace {

constexpr size_t kSequences = 4;
constexpr size_t kOperations = 16;  // of a sequence, about
constexpr uint64_t kImagesMax = 1'000'000;

constexpr uint64_t kMediumBytes = 32 * kMiB;  // written anew for each image

// Stores through a mapping, each made durable in one of the three ways: random sequences seldom have one way alone.
constexpr const char* kMappedSetup = "create /foo; write /foo 0+8192@1; sync /";
constexpr const char* kMadeDurable[] = {"sync /", "fsync /foo", "msync /foo 0+8192@0"};
constexpr uint64_t kMappedStores = 4;

std::string mapped_stores_each_followed_by(const char* how) {
  std::string ops;
  for (uint64_t i = 0; i < kMappedStores; ++i) ops += fmt::format("{}mapped-store /foo {}+200@{}; {}", i ? "; " : "", 512 * i, 100 + i, how);
  return ops;
}

/// The whole command; the job's script sets $DEVICE. mkfs.xfs makes nothing below 300 MiB unless it is told that nobody supports it.
std::string small_mkfs(const FileSystem& fs, uint64_t seed) {
  const bool ext4 = fs.name == "ext4-dax";
  return ext4 ? fmt::format("mkfs.ext4 {} $DEVICE {}", fs.mkfs(seed), kMediumBytes / kBlockBytes)
              : fmt::format("mkfs.xfs {} --unsupported -d size={} $DEVICE", fs.mkfs(seed), kMediumBytes);
}

}  // namespace

Result<Json> crash_plan_json(const GuestPlan& plan, const std::string& images_text) {
  uint64_t images = 0;
  const char* const end = images_text.data() + images_text.size();
  const auto [stopped, error] = std::from_chars(images_text.data(), end, images);
  if (error != std::errc() || stopped != end || images == 0 || images > kImagesMax) {
    return Error(Errc::kUsage, fmt::format("--crash: '{}' is no number of images, 1 to {}", images_text, kImagesMax));
  }
  Json systems = Json::array();
  for (const GuestJob& job : plan.jobs) {
    if (!job.file_system) continue;
    Json json = Json::object();
    json.set("name", job.name).set("type", job.file_system->type()).set("mkfs", small_mkfs(*job.file_system, plan.seed));
    systems.push(json.set("mount_options", job.file_system->mount_options()));
  }
  if (systems.elements().empty()) return Error(Errc::kUsage, "--crash: needs a file system; see --fs");
  Json sequences = Json::array();
  for (const crash::Sequence& sequence :
       crash::random_sequences(plan.seed, kSequences, kOperations, crash::SyncPoints::kAdded)) {
    sequences.push(Json::object().set("setup", crash::to_string(sequence.setup)).set("ops", crash::to_string(sequence.ops)));
  }
  for (const char* how : kMadeDurable) {
    sequences.push(Json::object().set("setup", kMappedSetup).set("ops", mapped_stores_each_followed_by(how)));
  }
  Json json = Json::object();
  json.set("images", images).set("seed", plan.seed).set("medium_bytes", kMediumBytes).set("file_systems", std::move(systems));
  return json.set("sequences", std::move(sequences));
}

}  // namespace daxlab::harness
