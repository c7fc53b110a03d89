// Engine types: name, options, traits, format and mount; each engine registers one or more (presets).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engines/api/engine.h"
#include "engines/base/result.h"

namespace daxlab {

namespace pmem {
class Region;
}

/// One option of an engine: an axis that a matrix may vary.
struct OptionSpec {
  enum class Kind : uint8_t { kEnum, kSize, kInteger, kPath };
  std::string name;
  Kind kind = Kind::kEnum;
  std::vector<std::string> values;  ///< kEnum: what is allowed; a value ending in ":N" takes a number ("batch:N").
  uint64_t min = 0;                 ///< kSize, kInteger, and the N of a kEnum value.
  uint64_t max = 0;                 ///< 0: no upper bound.
  std::string default_value;
  std::string help;                 ///< One line.
};

/// Resolved options: every option of the engine has a value.
class Options {
 public:
  const std::string& get(const std::string& name) const;  ///< DAXLAB_CHECKs that the engine has it.
  bool is(const std::string& name, std::string_view value) const { return get(name) == value; }
  uint64_t integer(const std::string& name) const;         ///< kInteger and kSize, in units or bytes.
  /// The number of a kEnum value with one ("batch:16" -> 16); 0 for a value without.
  uint64_t number_in(const std::string& name) const;
  const std::map<std::string, std::string>& all() const { return values_; }
  void set(const std::string& name, std::string value) { values_[name] = std::move(value); }
  /// "data=cow:cpus=2", in order of name.
  std::string to_string() const;

 private:
  std::map<std::string, std::string> values_;
};

/// What a suite may expect of an engine with given options.
struct Traits {
  bool stores_data = true;         ///< False: null. Reads give whatever; nothing to verify.
  bool durable_on_return = true;   ///< Every change is durable when the call returns; else after fsync.
  bool data_atomic = false;        ///< A write of up to data_atomic_bytes is all or nothing across a crash.
  uint64_t data_atomic_bytes = 0;
  bool checkable = true;           ///< check() works.
  bool mappable = true;            ///< File::map works.
  bool needs_region = true;        ///< False: null, posix.
  bool enters_kernel = false;      ///< posix: crosses anyway.
  bool unmountable = true;         ///< Remount keeps everything (format, mount, unmount, mount).
};

class EngineType {
 public:
  virtual ~EngineType() = default;
  virtual std::string name() const = 0;
  virtual std::string description() const = 0;  ///< One line.
  virtual std::vector<OptionSpec> options() const = 0;
  virtual Traits traits(const Options& options) const = 0;
  /// The kernel's file system that it stands for, as `daxlab exact` names it ("xfs-dax"): the report then says how far from it its counts
  /// are. Empty: none.
  virtual std::string models() const { return {}; }
  /// Specs that the suites over all engines should run, "native" and "native:cpus=1": each takes a path through the engine of its own.
  virtual std::vector<std::string> suite_variants() const { return {name()}; }
  virtual uint32_t format_version() const { return 1; }
  /// The smallest medium it formats, bytes.
  virtual uint64_t min_size_bytes() const { return 0; }
  /// Makes an empty file system. Writes its label last. `region` is null for engines that need none.
  /// kNoSpace when the medium is too small, with the size that would do.
  virtual Result<void> format(pmem::Region* region, const Options& options) const = 0;
  /// Recovers if need be. kWrongLabel, kCorrupt with what is wrong. Options that are media format come from the label.
  virtual Result<std::unique_ptr<Engine>> mount(pmem::Region* region, const Options& options) const = 0;
};

/// "native@a:data=cow" taken apart and resolved.
struct EngineSpec {
  const EngineType* type = nullptr;
  std::string label;    ///< After '@'; empty without.
  Options options;      ///< All of the type's options.
  std::string to_string() const;  ///< NAME[@LABEL] and the options that differ from their defaults.
};

/// All types in order of name. Registration happens before main().
std::vector<const EngineType*> engine_types();
/// kUsage: unknown engine, option or value, naming the offender and what there is.
Result<EngineSpec> parse_engine(std::string_view text);
/// Checks one value against its spec; returns the canonical form.
Result<std::string> check_option(const OptionSpec& spec, std::string_view value);

namespace detail {
void register_engine(std::unique_ptr<EngineType> type);
}

/// `const RegisterEngine<NativeType> kRegistered;` at namespace scope in an engine.cc.
template <typename Type>
class RegisterEngine {
 public:
  template <typename... Args>
  explicit RegisterEngine(Args&&... args) {
    detail::register_engine(std::make_unique<Type>(std::forward<Args>(args)...));
  }
};

}  // namespace daxlab
