// Result<T>: a value or an Error. Errors are values; daxlab throws nothing of its own.
//
// An Error is a code of errors.def with, where it helps a person, a detail (what was wrong with what). Engines
// on a hot path return a bare code, which costs no allocation.
#pragma once

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "engines/base/check.h"

namespace daxlab {

enum class Errc : unsigned char {
#define DAXLAB_ERROR(name, posix, sentence) name,
#include "engines/base/errors.def"
#undef DAXLAB_ERROR
};

int to_errno(Errc code);          ///< The POSIX number, for a FUSE reply or a comparison with a kernel.
const char* sentence(Errc code);  ///< One sentence, lower case, no full stop.
const char* name(Errc code);      ///< The enumerator's name, for test output.
Errc errc_from_errno(int posix);  ///< kIo where the number has no code of its own.

/// A code and an optional detail. Copying is cheap without a detail.
class [[nodiscard]] Error {
 public:
  Error(Errc code) : code_(code) {}  // NOLINT: implicit on purpose, `return Errc::kNotFound;`
  Error(Errc code, std::string detail) : code_(code), detail_(std::make_shared<std::string>(std::move(detail))) {}

  Errc code() const { return code_; }
  /// The detail if there is one, else the code's sentence.
  std::string message() const { return detail_ ? *detail_ : std::string(sentence(code_)); }

 private:
  Errc code_;
  std::shared_ptr<const std::string> detail_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT
  Result(Errc code) : state_(std::in_place_index<1>, code) {}                // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    DAXLAB_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    DAXLAB_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    DAXLAB_CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    DAXLAB_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  Errc code() const { return error().code(); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}  // NOLINT
  Result(Errc code) : failed_(true), error_(code) {}                // NOLINT

  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    DAXLAB_CHECK(failed_);
    return error_;
  }
  Errc code() const { return error().code(); }

 private:
  bool failed_ = false;
  Error error_{Errc::kIo};
};

}  // namespace daxlab

#define DAXLAB_CONCAT_(a, b) a##b
#define DAXLAB_CONCAT(a, b) DAXLAB_CONCAT_(a, b)

/// DAXLAB_TRY(call()): returns the error to the caller, or goes on.
#define DAXLAB_TRY(expression)                                     \
  do {                                                             \
    auto daxlab_try_result = (expression);                         \
    if (!daxlab_try_result.ok()) return daxlab_try_result.error(); \
  } while (false)

/// DAXLAB_ASSIGN(auto x, call()): x is the value, or the error goes to the caller.
#define DAXLAB_ASSIGN(declaration, expression) DAXLAB_ASSIGN_(DAXLAB_CONCAT(daxlab_result_, __LINE__), declaration, expression)
#define DAXLAB_ASSIGN_(result, declaration, expression) \
  auto result = (expression);                           \
  if (!result.ok()) return result.error();              \
  declaration = std::move(result).value()
