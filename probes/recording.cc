#include "probes/recording.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "probes/attach.h"
#include "probes/control.h"
#include "probes/reason.h"
#include "probes/symbols.h"
#include "probes/whois.h"

namespace daxlab::probes {
namespace {

constexpr std::array<const char*, SPAN_KINDS> kSpanNames = {"page fault (pmem)", "page fault (other)", "blocked",
                                                            "preempted",         "fault",              "write",
                                                            "lock wait",         "fsync",              "commit"};

template <typename Key>
std::vector<Key> keys_of(int map_fd) {
  std::vector<Key> keys;
  Key key{};
  const Key* previous = nullptr;
  while (bpf_map_get_next_key(map_fd, previous, &key) == 0) {
    keys.push_back(key);
    previous = &keys.back();
  }
  return keys;
}

template <typename Key>
void clear_map(int map_fd) {
  for (const Key& key : keys_of<Key>(map_fd)) bpf_map_delete_elem(map_fd, &key);
}

class LiveRecording final : public Recording {
 public:
  ~LiveRecording() override {
    stop_draining();
    ring_buffer__free(events_);
  }
  /// Empty, or why not.
  std::string load(const std::string& binary);
  Result<void> begin(pid_t pid, const std::vector<AddressRange>& ranges) override;
  void set_phase(SessionPhase phase) override { control_.set_phase(phase); }
  Recorded end() override;

 private:
  static int take(void* self, void* data, size_t size_bytes);
  void drain_until_stopped(pid_t pid);
  void stop_draining();
  void fold(Recorded& recorded);
  std::string frames(const probe_stack& stack);
  void append_frames(int stack_id, bool in_kernel, std::string& text);
  int fd(const char* map) const { return bpf_map__fd(object_->map(map)); }

  SharedMaps shared_;
  Control control_;
  std::unique_ptr<Whois> whois_;
  std::unique_ptr<LoadedObject> marks_;
  std::unique_ptr<LoadedObject> regions_;
  std::unique_ptr<LoadedObject> object_;
  ring_buffer* events_ = nullptr;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;           ///< Guarded by mutex_.
  std::thread drain_;
  std::vector<RecordedSpan> spans_;  ///< The drain thread's while it runs; so are the next two.
  uint64_t lost_ = 0;
  Symbols symbols_;
};

std::string LiveRecording::load(const std::string& binary) {
  if (auto why = control_.map(shared_); !why.empty()) return why;
  whois_ = std::make_unique<Whois>(shared_);
  if (auto marks = LoadedObject::load("marks", 1, binary, shared_)) marks_ = std::move(marks).value();
  if (auto regions = LoadedObject::load("regions", 1, binary, shared_)) regions_ = std::move(regions).value();
  auto object = LoadedObject::load("recording", 1, binary, shared_, AbsentPoints::kSkip);
  if (!object) return object.error().message();
  object_ = std::move(object).value();
  events_ = ring_buffer__new(fd("events"), take, this, nullptr);
  return events_ ? std::string() : reason(Step::kMap, errno);
}

Result<void> LiveRecording::begin(pid_t pid, const std::vector<AddressRange>& ranges) {
  stop_draining();
  DAXLAB_ASSIGN(const uint32_t tgid, whois_->kernel_tgid(pid));
  DAXLAB_TRY(control_.prepare(ranges));
  ring_buffer__consume(events_);
  clear_map<probe_stack>(fd("weights"));
  clear_map<uint32_t>(fd("stacks"));
  const std::vector<uint64_t> zeros(static_cast<size_t>(libbpf_num_possible_cpus()));
  const uint32_t first = 0;
  bpf_map_update_elem(fd("lost"), &first, zeros.data(), BPF_ANY);
  spans_.clear();
  lost_ = 0;
  symbols_ = Symbols();
  symbols_.follow(pid);
  stop_ = false;
  drain_ = std::thread([this, pid] { drain_until_stopped(pid); });
  control_.start(tgid);
  return {};
}

int LiveRecording::take(void* self, void* data, size_t size_bytes) {
  auto& recording = *static_cast<LiveRecording*>(self);
  const auto* event = static_cast<const probe_event*>(data);
  if (size_bytes < sizeof *event || event->kind >= SPAN_KINDS || recording.spans_.size() == kEventsMax) {
    ++recording.lost_;
  } else {
    recording.spans_.push_back({kSpanNames[event->kind], event->begun_ns, event->duration_ns, event->tid});
  }
  return 0;
}

// The ring holds about 100 000 events; its writers do not wake the reader, which looks often enough by itself.
void LiveRecording::drain_until_stopped(pid_t pid) {
  std::unique_lock lock(mutex_);
  for (uint64_t round = 0; !stop_; ++round) {
    lock.unlock();
    ring_buffer__consume(events_);
    if (round % 16 == 0) symbols_.follow(pid);
    lock.lock();
    wake_.wait_for(lock, std::chrono::milliseconds(10), [this] { return stop_; });
  }
}

void LiveRecording::stop_draining() {
  if (!drain_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  drain_.join();
}

void LiveRecording::append_frames(int stack_id, bool in_kernel, std::string& text) {
  std::array<uint64_t, PROBE_STACK_DEPTH> addresses{};
  if (stack_id < 0 || bpf_map_lookup_elem(fd("stacks"), &stack_id, addresses.data()) != 0) return;
  for (size_t i = addresses.size(); i-- > 0;) {
    if (addresses[i] == 0) continue;
    if (!text.empty()) text += ';';
    text += in_kernel ? symbols_.kernel(addresses[i]) : symbols_.user(addresses[i]);
  }
}

std::string LiveRecording::frames(const probe_stack& stack) {
  std::string text;
  append_frames(stack.user, false, text);
  append_frames(stack.kernel, true, text);
  return text.empty() ? "[no stack]" : text;
}

void LiveRecording::fold(Recorded& recorded) {
  std::map<std::string, uint64_t> folded[2];
  for (const auto& stack : keys_of<probe_stack>(fd("weights"))) {
    uint64_t weight = 0;
    if (bpf_map_lookup_elem(fd("weights"), &stack, &weight) == 0) folded[stack.off_cpu != 0][frames(stack)] += weight;
  }
  for (const auto& [text, weight] : folded[0]) recorded.on_cpu.push_back({text, weight});
  for (const auto& [text, weight] : folded[1]) recorded.off_cpu.push_back({text, weight});
  for (auto* stacks : {&recorded.on_cpu, &recorded.off_cpu}) {
    std::stable_sort(stacks->begin(), stacks->end(), [](const auto& a, const auto& b) { return a.weight > b.weight; });
  }
}

Recorded LiveRecording::end() {
  control_.stop();
  stop_draining();
  ring_buffer__consume(events_);
  Recorded recorded;
  recorded.spans = std::move(spans_);
  spans_.clear();
  std::stable_sort(recorded.spans.begin(), recorded.spans.end(), [](const auto& a, const auto& b) { return a.begun_ns < b.begun_ns; });
  fold(recorded);
  std::vector<uint64_t> lost(static_cast<size_t>(libbpf_num_possible_cpus()));
  const uint32_t first = 0;
  if (bpf_map_lookup_elem(fd("lost"), &first, lost.data()) == 0) {
    for (const uint64_t value : lost) recorded.lost += value;
  }
  recorded.lost += lost_;
  return recorded;
}

}  // namespace

Result<std::unique_ptr<Recording>> Recording::open(const std::string& binary) {
  auto recording = std::make_unique<LiveRecording>();
  if (auto why = recording->load(binary.empty() ? "/proc/self/exe" : binary); !why.empty()) return Error(Errc::kMissingFacility, why);
  return std::unique_ptr<Recording>(std::move(recording));
}

}  // namespace daxlab::probes
