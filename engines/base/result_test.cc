#include "engines/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace daxlab {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  Result<int> good = 3;
  Result<int> bad = Errc::kNoSpace;
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(good.value(), 3);
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.code(), Errc::kNoSpace);
  EXPECT_EQ(bad.error().message(), "no space left on the medium");
}

TEST(Result, ADetailReplacesTheSentence) {
  EXPECT_EQ(Error(Errc::kIo, "disk on fire").message(), "disk on fire");
  const Error copy = Error(Errc::kIo, "disk on fire");
  EXPECT_EQ(Error(copy).message(), "disk on fire");
}

Result<int> half(int value) { return value % 2 == 0 ? Result<int>(value / 2) : Result<int>(Errc::kInvalid); }
Result<int> quarter(int value) {
  DAXLAB_ASSIGN(const int once, half(value));
  DAXLAB_ASSIGN(const int twice, half(once));
  return twice;
}
Result<void> must_be_even(int value) {
  DAXLAB_TRY(half(value));
  return {};
}

TEST(Result, TryAndAssignHandTheErrorUp) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).code(), Errc::kInvalid);
  EXPECT_TRUE(must_be_even(2).ok());
  EXPECT_EQ(must_be_even(3).code(), Errc::kInvalid);
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> made = std::make_unique<int>(5);
  const std::unique_ptr<int> out = std::move(made).value();
  EXPECT_EQ(*out, 5);
}

TEST(Result, EveryCodeHasItsOwnSentenceAndAnErrno) {
  std::set<std::string> sentences;
  for (int i = 0; i <= static_cast<int>(Errc::kIo); ++i) {
    const auto code = static_cast<Errc>(i);
    EXPECT_GT(to_errno(code), 0) << name(code);
    EXPECT_TRUE(sentences.insert(sentence(code)).second) << name(code);
    EXPECT_EQ(std::string(name(code)).substr(0, 1), "k");
    EXPECT_EQ(to_errno(errc_from_errno(to_errno(code))), to_errno(code)) << name(code);
  }
  EXPECT_EQ(errc_from_errno(EINVAL), Errc::kInvalid);
  EXPECT_EQ(errc_from_errno(EXFULL), Errc::kIo);
}

TEST(ResultDeathTest, TakingTheValueOfAnErrorAborts) {
  const Result<int> bad = Errc::kNotFound;
  EXPECT_DEATH(static_cast<void>(bad.value()), "invariant broken at .*result.h");
}

}  // namespace
}  // namespace daxlab
