// Names for addresses: of a process, by its mappings and the symbol tables of the files mapped, and of the kernel.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace daxlab::probes {

class Symbols {
 public:
  /// Remembers the executable mappings that the process has now, beside those it had before. Nothing if it has ended.
  void follow(pid_t pid);
  /// The function at this address of the process; the file's name where it has no symbol, "[unknown]" outside of any mapping.
  std::string user(uint64_t address);
  std::string kernel(uint64_t address);

 private:
  struct Mapping {
    uint64_t end;
    uint64_t offset;
    std::string path;
  };
  struct Symbol {
    uint64_t address;
    uint64_t size_bytes;
    std::string name;
  };
  struct Segment {
    uint64_t offset;
    uint64_t size_bytes;
    uint64_t address;
  };
  struct Object {
    std::vector<Symbol> symbols;  ///< Ascending by address.
    std::vector<Segment> segments;
  };

  const Object& object(const std::string& path);
  static Object read_object(const std::string& path);
  static const Symbol* find(const std::vector<Symbol>& symbols, uint64_t address);

  std::map<uint64_t, Mapping> mappings_;  ///< By first address.
  std::map<std::string, Object> objects_;
  std::vector<Symbol> kernel_;
  bool kernel_read_ = false;
};

}  // namespace daxlab::probes
