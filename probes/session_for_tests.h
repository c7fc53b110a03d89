// What the tests of sessions share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "probes/loader.h"

namespace daxlab::probes {

inline std::unique_ptr<Session> open_session(std::vector<std::string> probes, unsigned refused_choices = 0) {
  SessionOptions options;
  options.probes = std::move(probes);
  options.refused_choices = refused_choices;
  auto session = Session::open(options);
  DAXLAB_CHECK(session.ok());
  return std::move(session).value();
}

inline const ProbeReport& find_report(const std::vector<ProbeReport>& reports, const std::string& name) {
  for (const auto& report : reports) {
    if (report.name == name) return report;
  }
  ADD_FAILURE() << "no report of " << name;
  return reports.front();
}

/// A machine's refusal may skip a test; any other reason is a fault of ours.
inline bool is_refusal(const std::string& reason) {
  for (const char* sign : {"EPERM", "EACCES", "ENOSYS", "EOPNOTSUPP", "built with", "CONFIG_", "no such tracepoint"}) {
    if (reason.find(sign) != std::string::npos) return true;
  }
  return false;
}

#define SKIP_IF_REFUSED(report)                                                             \
  if (!(report).skipped.empty()) {                                                          \
    ASSERT_TRUE(is_refusal((report).skipped)) << (report).name << ": " << (report).skipped; \
    GTEST_SKIP() << (report).name << ": " << (report).skipped;                              \
  }                                                                                         \
  static_cast<void>(0)

}  // namespace daxlab::probes
