// The compiled BPF objects, embedded in the program.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace daxlab::probes {

/// The ELF image of NAME.bpf.c; empty when there is none.
std::span<const std::byte> object_bytes(std::string_view name);

}  // namespace daxlab::probes
