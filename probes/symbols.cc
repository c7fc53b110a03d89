#include "probes/symbols.h"

#include <cxxabi.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

#include "probes/unique_fd.h"

namespace daxlab::probes {
namespace {

/// Without arguments and without the characters that folded stacks give a meaning to.
std::string readable(const char* mangled) {
  int status = -1;
  const std::unique_ptr<char, void (*)(void*)> demangled(abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
  std::string name = status == 0 ? demangled.get() : mangled;
  for (char& letter : name) {
    if (letter == ';' || letter == ' ') letter = '_';
  }
  return name;
}

}  // namespace

void Symbols::follow(pid_t pid) {
  std::ifstream maps(fmt::format("/proc/{}/maps", pid));
  std::string line;
  while (std::getline(maps, line)) {
    uint64_t begin = 0, end = 0, offset = 0;
    char rights[5] = "";
    int path_at = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &begin, &end, rights, &offset, &path_at) < 4) continue;
    if (rights[2] != 'x' || path_at == 0) continue;
    mappings_[begin] = Mapping{end, offset, line.substr(static_cast<size_t>(path_at))};
  }
}

std::string Symbols::user(uint64_t address) {
  auto after = mappings_.upper_bound(address);
  if (after == mappings_.begin()) return "[unknown]";
  const auto& [begin, mapping] = *std::prev(after);
  if (address >= mapping.end) return "[unknown]";
  const std::string file = mapping.path.substr(mapping.path.rfind('/') + 1);
  if (mapping.path.empty() || mapping.path[0] != '/') return file.empty() ? "[anonymous]" : file;
  const uint64_t offset = address - begin + mapping.offset;
  const Object& mapped = object(mapping.path);
  for (const Segment& segment : mapped.segments) {
    if (offset < segment.offset || offset >= segment.offset + segment.size_bytes) continue;
    if (const Symbol* symbol = find(mapped.symbols, offset - segment.offset + segment.address)) return symbol->name;
  }
  return fmt::format("[{}]", file);
}

std::string Symbols::kernel(uint64_t address) {
  if (!kernel_read_) {
    kernel_read_ = true;
    std::ifstream all("/proc/kallsyms");
    std::string line;
    while (std::getline(all, line)) {
      std::istringstream words(line);
      uint64_t at = 0;
      std::string kind, name;
      words >> std::hex >> at >> kind >> name;
      if (at != 0 && (kind == "t" || kind == "T")) kernel_.push_back({at, 0, name});
    }
    std::stable_sort(kernel_.begin(), kernel_.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
  }
  const Symbol* symbol = find(kernel_, address);
  return symbol ? symbol->name + "_[k]" : "[kernel]_[k]";
}

const Symbols::Object& Symbols::object(const std::string& path) {
  auto found = objects_.find(path);
  if (found == objects_.end()) found = objects_.emplace(path, read_object(path)).first;
  return found->second;
}

/// The full symbol table where the file has one, else the dynamic one. A file that is no ELF has no names.
Symbols::Object Symbols::read_object(const std::string& path) {
  Object result;
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() || elf_version(EV_CURRENT) == EV_NONE) return result;
  const std::unique_ptr<Elf, int (*)(Elf*)> elf(elf_begin(file.get(), ELF_C_READ, nullptr), elf_end);
  size_t headers = 0;
  if (!elf || elf_getphdrnum(elf.get(), &headers) != 0) return result;
  for (size_t i = 0; i < headers; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf.get(), static_cast<int>(i), &header) && header.p_type == PT_LOAD && (header.p_flags & PF_X)) {
      result.segments.push_back({header.p_offset, header.p_filesz, header.p_vaddr});
    }
  }
  for (const GElf_Word wanted : {GElf_Word{SHT_SYMTAB}, GElf_Word{SHT_DYNSYM}}) {
    if (!result.symbols.empty()) break;
    for (Elf_Scn* section = elf_nextscn(elf.get(), nullptr); section; section = elf_nextscn(elf.get(), section)) {
      GElf_Shdr header;
      if (!gelf_getshdr(section, &header) || header.sh_type != wanted || header.sh_entsize == 0) continue;
      Elf_Data* data = elf_getdata(section, nullptr);
      for (size_t i = 0; data && i < header.sh_size / header.sh_entsize; ++i) {
        GElf_Sym symbol;
        if (!gelf_getsym(data, static_cast<int>(i), &symbol) || GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0) continue;
        const char* name = elf_strptr(elf.get(), header.sh_link, symbol.st_name);
        if (name) result.symbols.push_back({symbol.st_value, symbol.st_size, readable(name)});
      }
    }
  }
  std::sort(result.symbols.begin(), result.symbols.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
  return result;
}

const Symbols::Symbol* Symbols::find(const std::vector<Symbol>& symbols, uint64_t address) {
  auto after = std::upper_bound(symbols.begin(), symbols.end(), address,
                                [](uint64_t wanted, const Symbol& symbol) { return wanted < symbol.address; });
  if (after == symbols.begin()) return nullptr;
  const Symbol& symbol = *std::prev(after);
  return symbol.size_bytes == 0 || address < symbol.address + symbol.size_bytes ? &symbol : nullptr;
}

}  // namespace daxlab::probes
