// Why something of eBPF did not work, in words with a remedy.
//
// libbpf explains itself on stderr only; CaptureLibbpf keeps what it says on the calling thread instead.
#pragma once

#include <string>
#include <string_view>

namespace daxlab::probes {

/// What failed, for the meaning of its errno: EPERM means one thing for fexit and another for a uprobe.
enum class Step { kOpen, kLoad, kLoadTracing, kLoadFunction, kAttachTracepoint, kAttachUsdt, kAttachPerf, kIterate, kMap };

/// "EPERM: this kernel forbids function tracing (lockdown, or built without)". `error` is positive.
std::string reason(Step step, int error);

/// While one lives, libbpf's messages go to it. Not nested.
class CaptureLibbpf {
 public:
  CaptureLibbpf();
  ~CaptureLibbpf();
  CaptureLibbpf(const CaptureLibbpf&) = delete;
  CaptureLibbpf& operator=(const CaptureLibbpf&) = delete;

  /// The last warning that libbpf gave on this thread since the last call, on one line; empty without one.
  std::string take();
};

/// True in a kernel that describes its types to libbpf (CONFIG_DEBUG_INFO_BTF).
bool kernel_has_btf();

}  // namespace daxlab::probes
