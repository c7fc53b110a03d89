// The plugin's reading of instructions, against bytes that an assembler made.
#include "harness/guest/plugin/classify.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <vector>

#include "engines/base/mark.h"
#include "harness/guest/marks.h"
#include "harness/guest/plugin/symbols.h"
#include "workloads/marks.h"

namespace daxlab::harness {
namespace {

insn_facts facts_of(std::initializer_list<uint8_t> bytes) {
  const std::vector<uint8_t> copy(bytes);
  return classify(copy.data(), copy.size());
}

TEST(Classify, LineWriteBacksAreToldFromTheirNeighboursInGroup15) {
  EXPECT_EQ(facts_of({0x66, 0x0f, 0xae, 0x30}).kind, INSN_FLUSH);              // clwb [rax]
  EXPECT_EQ(facts_of({0x66, 0x41, 0x0f, 0xae, 0x75, 0x00}).kind, INSN_FLUSH);  // clwb [r13]
  EXPECT_EQ(facts_of({0x66, 0x0f, 0xae, 0x38}).kind, INSN_FLUSH);              // clflushopt [rax]
  EXPECT_EQ(facts_of({0x0f, 0xae, 0x38}).kind, INSN_FLUSH);                    // clflush [rax]
  EXPECT_EQ(facts_of({0x3e, 0x0f, 0xae, 0x38}).kind, INSN_FLUSH);              // clflush as the kernel pads it
  EXPECT_EQ(facts_of({0x0f, 0xae, 0x30}).kind, INSN_OTHER);                    // xsaveopt [rax]
  EXPECT_EQ(facts_of({0x0f, 0xae, 0x20}).kind, INSN_OTHER);                    // xsave [rax]
}

TEST(Classify, StoreFencesCountAndLoadFencesDoNot) {
  EXPECT_EQ(facts_of({0x0f, 0xae, 0xf8}).kind, INSN_FENCE);        // sfence
  EXPECT_EQ(facts_of({0x0f, 0xae, 0xf0}).kind, INSN_FENCE);        // mfence
  EXPECT_EQ(facts_of({0x0f, 0xae, 0xe8}).kind, INSN_OTHER);        // lfence
  EXPECT_EQ(facts_of({0xf3, 0x0f, 0xae, 0xf0}).kind, INSN_OTHER);  // umonitor eax
}

TEST(Classify, StoresPastTheCacheAreFoundInEveryEncoding) {
  EXPECT_EQ(facts_of({0x48, 0x0f, 0xc3, 0x07}).kind, INSN_NON_TEMPORAL);        // movnti [rdi], rax
  EXPECT_EQ(facts_of({0x66, 0x0f, 0xe7, 0x07}).kind, INSN_NON_TEMPORAL);        // movntdq [rdi], xmm0
  EXPECT_EQ(facts_of({0x0f, 0x2b, 0x07}).kind, INSN_NON_TEMPORAL);              // movntps [rdi], xmm0
  EXPECT_EQ(facts_of({0xc5, 0xfd, 0xe7, 0x07}).kind, INSN_NON_TEMPORAL);        // vmovntdq [rdi], ymm0
  EXPECT_EQ(facts_of({0xc4, 0x41, 0x7d, 0xe7, 0x00}).kind, INSN_NON_TEMPORAL);  // vmovntdq [r8], ymm8
  EXPECT_EQ(facts_of({0x48, 0x89, 0x07}).kind, INSN_OTHER);                     // mov [rdi], rax
  EXPECT_EQ(facts_of({0xc5, 0xfd, 0x7f, 0x07}).kind, INSN_OTHER);               // vmovdqa [rdi], ymm0
  EXPECT_EQ(facts_of({0xc5, 0xf8, 0xc2, 0xc1, 0x00}).kind, INSN_OTHER);         // vcmpps: c2, and c3 is no movnti in VEX
}

TEST(Classify, LockedInstructionsAreThePrefixAndXchgWithMemory) {
  EXPECT_TRUE(facts_of({0xf0, 0x48, 0x0f, 0xb1, 0x0f}).locked);  // lock cmpxchg [rdi], rcx
  EXPECT_TRUE(facts_of({0x3e, 0xf0, 0xff, 0x00}).locked);        // ds lock inc [rax]
  EXPECT_TRUE(facts_of({0x87, 0x07}).locked);                    // xchg [rdi], eax
  EXPECT_FALSE(facts_of({0x87, 0xc1}).locked);                   // xchg ecx, eax
  EXPECT_FALSE(facts_of({0x90}).locked);                         // nop, an xchg of eax with itself
}

TEST(Classify, ReturnsAndTailJumpsLeaveAFunction) {
  EXPECT_EQ(facts_of({0xc3}).kind, INSN_RETURN);
  EXPECT_EQ(facts_of({0xf3, 0xc3}).kind, INSN_RETURN);
  const insn_facts near = facts_of({0xe9, 0xf0, 0xff, 0xff, 0xff});
  EXPECT_EQ(near.kind, INSN_TAIL_JUMP);
  EXPECT_EQ(near.jump, -16);
  EXPECT_EQ(facts_of({0xeb, 0xfe}).jump, -2);
  EXPECT_EQ(facts_of({0xe8, 0, 0, 0, 0}).kind, INSN_OTHER);  // call
}

TEST(Classify, TheMarkOfBaseMarkIsRecognisedWithItsNumber) {
  const auto bytes_of = [](uint32_t number) {
    const uint32_t word = kMarkMagic | number;
    std::vector<uint8_t> bytes{0x0f, 0x1f, 0x80};
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<uint8_t>(word >> shift));
    return bytes;
  };
  for (const uint32_t number : {marks::kCell, marks::kOutside, marks::kMedium, daxlab::marks::kClassFsync, 0xffffu}) {
    const std::vector<uint8_t> bytes = bytes_of(number);
    EXPECT_EQ(classify(bytes.data(), bytes.size()).mark, static_cast<int>(number));
  }
  EXPECT_EQ(facts_of({0x0f, 0x1f, 0x80, 0, 0, 0, 0}).mark, -1);  // the assembler's own 7-byte NOP
  EXPECT_EQ(facts_of({0x0f, 0x1f, 0x80, 1, 0, 0x58, 0x45}).mark, -1);
}

TEST(Classify, EveryPrefixOfAnInstructionIsReadWithinItsBytes) {
  const std::vector<uint8_t> longest{0x66, 0xf0, 0x48, 0x0f, 0xae, 0x74, 0x24, 0x40, 0xc4, 0x41, 0x7d, 0xe7, 0x00, 0xe9, 0x87};
  for (size_t begin = 0; begin < longest.size(); ++begin) {
    for (size_t size = 0; begin + size <= longest.size(); ++size) {
      const std::vector<uint8_t> exact(longest.begin() + static_cast<long>(begin),
                                       longest.begin() + static_cast<long>(begin + size));
      static_cast<void>(classify(exact.data(), exact.size()));  // a byte too far is the sanitizers' to find
    }
  }
}

class SymbolsTest : public ::testing::Test {
 protected:
  bool read(const std::string& text) {
    const std::string path = ::testing::TempDir() + "symbols." + std::to_string(::getpid());
    FILE* file = std::fopen(path.c_str(), "w");
    std::fputs(text.c_str(), file);
    std::fclose(file);
    const bool good = read_symbols(path.c_str(), &table_);
    std::remove(path.c_str());
    return good;
  }
  ~SymbolsTest() override { std::free(table_.ranges); }
  symbol_table table_{};
};

TEST_F(SymbolsTest, AnAddressBelongsToTheLastRangeThatBeginsBelowIt) {
  ASSERT_TRUE(
      read("group other\ngroup log\nrange 1000 1\nrange 2000 0\nrange ffffffffc0000000 1\nfunction 1010 1020 xlog_write\n"));
  EXPECT_EQ(group_of(&table_, 0xfff), 0);
  EXPECT_EQ(group_of(&table_, 0x1000), 1);
  EXPECT_EQ(group_of(&table_, 0x1fff), 1);
  EXPECT_EQ(group_of(&table_, 0x2000), 0);
  EXPECT_EQ(group_of(&table_, 0xffffffffc0001234), 1);
  EXPECT_EQ(function_of(&table_, 0x1010), 0);
  EXPECT_EQ(function_of(&table_, 0x101f), 0);
  EXPECT_EQ(function_of(&table_, 0x1020), -1);
  EXPECT_STREQ(table_.functions[0].name, "xlog_write");
}

TEST_F(SymbolsTest, AFileThatIsNotAsDescribedIsRefused) {
  EXPECT_FALSE(read(""));
  std::free(table_.ranges);
  EXPECT_FALSE(read("group other\nrange 1000 1\n"));  // no such group
  std::free(table_.ranges);
  EXPECT_FALSE(read("group other\nfunction 1000\n"));
}

}  // namespace
}  // namespace daxlab::harness
