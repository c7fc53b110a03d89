// Session: which objects to load, the shared control page, and the reports.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "probes/attach.h"
#include "probes/control.h"
#include "probes/loader.h"
#include "probes/names.h"
#include "probes/readout.h"
#include "probes/whois.h"

namespace daxlab::probes {
namespace {

/// The probes that keep the map `scopes`, for those that read it.
bool keeps_scopes(std::string_view name) { return name == "user_fault" || name == "user_write"; }

/// One probe of the session: how it was attached, or why not.
struct Running {
  ProbeReport about;  ///< name, attached_by, fallback, skipped: the same in every report.
  std::unique_ptr<LoadedObject> object;
  std::unique_ptr<Readout> readout;
  bool asked_for = true;
  uint64_t missed_before = 0;
};

class LiveSession final : public Session {
 public:
  LiveSession(const SessionOptions& options, const std::vector<std::string>& wanted);
  Result<void> begin(pid_t pid, const std::vector<AddressRange>& ranges) override;
  void set_phase(SessionPhase phase) override;
  std::vector<ProbeReport> end() override;

 private:
  void start(const ProbeInfo& info, bool asked_for, const SessionOptions& options);
  void note_missing_scopes();
  ProbeReport report_of(const Running& probe);

  SharedMaps shared_;
  Control control_;
  std::string unavailable_;  ///< Why there is no session at all.
  std::unique_ptr<LoadedObject> marks_;
  std::unique_ptr<LoadedObject> regions_;
  std::string no_marks_;     ///< Why the target's marks cannot arrive.
  std::unique_ptr<Whois> whois_;
  std::vector<Running> probes_;
  pid_t pid_ = 0;
  bool phase_set_ = false;
};

LiveSession::LiveSession(const SessionOptions& options, const std::vector<std::string>& wanted) {
  unavailable_ = control_.map(shared_);
  const auto is_wanted = [&](const std::string& name) { return std::find(wanted.begin(), wanted.end(), name) != wanted.end(); };
  const bool need_scopes = std::any_of(wanted.begin(), wanted.end(), [](const auto& name) {
    return !keeps_scopes(name) && object_has_map(name, "scopes");
  });
  if (unavailable_.empty()) {
    whois_ = std::make_unique<Whois>(shared_);
    auto marks = LoadedObject::load("marks", 1, options.binary, shared_);
    if (marks) {
      marks_ = std::move(marks).value();
    } else {
      no_marks_ = marks.error().message();
    }
    // Without the points no range is announced, and there is nothing to say: begin()'s ranges remain.
    if (auto regions = LoadedObject::load("regions", 1, options.binary, shared_)) regions_ = std::move(regions).value();
  }
  for (const auto& info : catalogue()) {
    if (is_wanted(info.name) || (need_scopes && keeps_scopes(info.name))) start(info, is_wanted(info.name), options);
  }
  note_missing_scopes();
}

void LiveSession::start(const ProbeInfo& info, bool asked_for, const SessionOptions& options) {
  Running probe;
  probe.about.name = info.name;
  probe.asked_for = asked_for;
  std::string failures = unavailable_;
  for (unsigned choice = 1; choice <= info.attach.size() && unavailable_.empty(); ++choice) {
    const std::string& label = info.attach[choice - 1];
    std::string why = "refused by this session's options";
    if (choice > options.refused_choices) {
      auto loaded = LoadedObject::load(info.name, choice, options.binary, shared_);
      if (loaded) {
        probe.object = std::move(loaded).value();
        probe.readout = std::make_unique<Readout>(*probe.object);
        probe.about.attached_by = label;
        probe.about.fallback = failures;
        break;
      }
      why = loaded.error().message();
    }
    failures += fmt::format("{}{}: {}", failures.empty() ? "" : "; ", label, why);
  }
  if (!probe.object) probe.about.skipped = failures;
  probes_.push_back(std::move(probe));
}

void LiveSession::note_missing_scopes() {
  for (const auto& keeper : probes_) {
    if (!keeps_scopes(keeper.about.name) || keeper.about.attached_by.starts_with("usdt:")) continue;
    for (auto& probe : probes_) {
      if (keeps_scopes(probe.about.name) || !probe.object || !probe.object->map("scopes")) continue;
      probe.about.fallback += fmt::format("{}{} keeps no scopes here: its waits count as elsewhere",
                                          probe.about.fallback.empty() ? "" : "; ", keeper.about.name);
    }
  }
}

Result<void> LiveSession::begin(pid_t pid, const std::vector<AddressRange>& ranges) {
  pid_ = pid;
  phase_set_ = false;
  if (!control_.mapped()) return {};
  DAXLAB_ASSIGN(const uint32_t tgid, whois_->kernel_tgid(pid));
  DAXLAB_TRY(control_.prepare(ranges));
  for (auto& probe : probes_) {
    if (!probe.object) continue;
    probe.readout->clear();
    probe.missed_before = probe.object->missed();
  }
  control_.start(tgid);
  return {};
}

void LiveSession::set_phase(SessionPhase phase) {
  phase_set_ = true;
  if (control_.mapped()) control_.set_phase(phase);
}

ProbeReport LiveSession::report_of(const Running& probe) {
  ProbeReport report = probe.about;
  if (!probe.object) return report;
  if (control_.marks() == 0 && !phase_set_) {
    report.attached_by.clear();
    report.skipped = no_marks_.empty()
                         ? fmt::format("process {} never said where its measured phase is: it has no phase marks, or ended early", pid_)
                         : fmt::format("the phase marks of process {} cannot be seen: {}", pid_, no_marks_);
    return report;
  }
  probe.readout->read(SessionPhase::kMeasured, report);
  report.lost += probe.object->missed() - probe.missed_before;
  if (probe.readout->uses_ranges()) report.lost += control_.ranges_lost();
  return report;
}

std::vector<ProbeReport> LiveSession::end() {
  if (control_.mapped()) control_.stop();
  std::vector<ProbeReport> reports;
  for (const auto& probe : probes_) {
    if (probe.asked_for) reports.push_back(report_of(probe));
  }
  return reports;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const SessionOptions& options) {
  DAXLAB_ASSIGN(const auto wanted, wanted_names(options.probes));
  SessionOptions resolved = options;
  if (resolved.binary.empty()) resolved.binary = "/proc/self/exe";
  return std::unique_ptr<Session>(std::make_unique<LiveSession>(resolved, wanted));
}

}  // namespace daxlab::probes
