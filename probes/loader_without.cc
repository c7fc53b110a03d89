// The interface of loader.h in a build without eBPF: the same answers, each probe skipped for the one reason.
#include "probes/loader.h"
#include "probes/names.h"
#include "probes/recording.h"

namespace daxlab::probes {
namespace {

class NoSession final : public Session {
 public:
  explicit NoSession(std::vector<std::string> wanted) : wanted_(std::move(wanted)) {}
  Result<void> begin(pid_t, const std::vector<AddressRange>&) override { return {}; }
  void set_phase(SessionPhase) override {}
  std::vector<ProbeReport> end() override {
    std::vector<ProbeReport> reports;
    for (const auto& name : wanted_) {
      ProbeReport report;
      report.name = name;
      report.skipped = DAXLAB_PROBES_MISSING;
      reports.push_back(std::move(report));
    }
    return reports;
  }

 private:
  std::vector<std::string> wanted_;
};

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const SessionOptions& options) {
  DAXLAB_ASSIGN(auto wanted, wanted_names(options.probes));
  return std::unique_ptr<Session>(std::make_unique<NoSession>(std::move(wanted)));
}

std::vector<Facility> facilities() {
  return {{"eBPF probes", false, DAXLAB_PROBES_MISSING, "install clang, bpftool, libbpf-dev and libelf-dev, then build again"}};
}

Result<std::unique_ptr<Recording>> Recording::open(const std::string&) {
  return Error(Errc::kMissingFacility, DAXLAB_PROBES_MISSING);
}

Result<std::vector<ProbeCost>> measure_costs() { return Error(Errc::kMissingFacility, DAXLAB_PROBES_MISSING); }

}  // namespace daxlab::probes
