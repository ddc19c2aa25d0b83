#include "base/gguf_choice.h"

#include <gmock/gmock.h>

namespace tru {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kRepository = {
    "README.md",      "m-BF16.gguf",      "m-F16.gguf",      "m-IQ4_XS.gguf",
    "m-Q4_K_M.gguf",  "m-Q8_0.gguf",      "m-Q6_K.gguf",     "m-UD-Q4_K_M.gguf",
    "m.imatrix.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-Q8_0.gguf",
};

std::string chosen(const std::vector<std::string>& names, std::string_view tag) {
  const auto choice = choose_gguf(names, tag);
  return choice ? choice->text.front() : choice.error().message;
}

TEST(GgufChoice, SplitsTheTagFromTheName) {
  EXPECT_EQ(split_tag("Org/Name:Q8_0").name, "Org/Name");
  EXPECT_EQ(split_tag("Org/Name:Q8_0").tag, "Q8_0");
  EXPECT_EQ(split_tag("Org/Name").name, "Org/Name");
  EXPECT_EQ(split_tag("Org/Name").tag, "");
}

TEST(GgufChoice, IsByTagInAnyCase) {
  EXPECT_EQ(chosen(kRepository, "Q8_0"), "m-Q8_0.gguf");
  EXPECT_EQ(chosen(kRepository, "q6_k"), "m-Q6_K.gguf");
  EXPECT_EQ(chosen(kRepository, "F16"), "m-F16.gguf") << "not the BF16 one before it";
  EXPECT_EQ(chosen(kRepository, "Q4_K_M"), "m-Q4_K_M.gguf");
  EXPECT_EQ(chosen(kRepository, "UD-Q4_K_M"), "m-UD-Q4_K_M.gguf");
  EXPECT_THAT(chosen(kRepository, "Q5_0"),
              testing::AllOf(HasSubstr("is Q5_0"), HasSubstr("m-Q8_0.gguf"),
                             testing::Not(HasSubstr("mmproj"))));
  EXPECT_THAT(chosen(kRepository, "Q4"), HasSubstr("is Q4;"));
  EXPECT_THAT(chosen(kRepository, "IQ4_XS"), HasSubstr("number format is not read"));
}

TEST(GgufChoice, WithoutATagTheUsualOnes) {
  EXPECT_EQ(chosen(kRepository, ""), "m-Q4_K_M.gguf");
  EXPECT_EQ(chosen({"m-BF16.gguf", "m-Q8_0.gguf"}, ""), "m-Q8_0.gguf");
  EXPECT_EQ(chosen({"m-IQ2_M.gguf", "m-Q6_K.gguf"}, ""), "m-Q6_K.gguf");
  EXPECT_EQ(chosen({"model.gguf"}, ""), "model.gguf");
  EXPECT_THAT(chosen({"m-IQ2_M.gguf"}, ""), HasSubstr("format that is read"));
  EXPECT_THAT(chosen({"model.safetensors", "mmproj-F16.gguf"}, ""), HasSubstr("no GGUF models"));
  EXPECT_THAT(choose_gguf({"a-Q8_0.gguf", "b.gguf"}, "")->rest, ElementsAre("b.gguf"));
}

TEST(GgufChoice, TheVisionFileIsTheMostExactThatIsNotLarger) {
  EXPECT_EQ(choose_gguf(kRepository, "Q8_0")->mmproj, "mmproj-F16.gguf");
  EXPECT_EQ(choose_mmproj({"mmproj-Q8_0.gguf", "mmproj-BF16.gguf"}), "mmproj-BF16.gguf");
  EXPECT_EQ(choose_mmproj({"m.mmproj-f16.gguf", "a-mmproj-Q8_0.gguf"}), "m.mmproj-f16.gguf");
  EXPECT_EQ(choose_mmproj({"mmproj-model.gguf", "mmproj.txt", "m-F16.gguf"}), "mmproj-model.gguf");
  EXPECT_EQ(choose_gguf({"m-Q8_0.gguf"}, "")->mmproj, "");
}

TEST(GgufChoice, TakesAllPartsInOrder) {
  const std::vector<std::string> parts = {"Q8_0/m-Q8_0-00003-of-00003.gguf",
                                          "Q8_0/m-Q8_0-00001-of-00003.gguf",
                                          "Q8_0/m-Q8_0-00002-of-00003.gguf"};
  EXPECT_THAT(choose_gguf(parts, "Q8_0")->text, ElementsAre(parts[1], parts[2], parts[0]));
  EXPECT_THAT(choose_gguf(parts, "")->rest, ElementsAre());
  EXPECT_THAT(chosen({parts[0], parts[1]}, ""), HasSubstr("00002-of-00003.gguf is missing"));
}

TEST(GgufPart, IsTheNumbersAtTheEnd) {
  const auto part = gguf_part("a-Q8_0-00002-of-00012.gguf");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->base, "a-Q8_0");
  EXPECT_EQ(part->number, 2);
  EXPECT_EQ(part->count, 12);
  EXPECT_EQ(gguf_part_name(*part, 12), "a-Q8_0-00012-of-00012.gguf");
  for (const char* name : {"a.gguf", "a-00001-of-00002.safetensors", "a-0001-of-00002.gguf",
                           "-00001-of-00002.gguf", "a-00000-of-00002.gguf", "a-00003-of-00002.gguf",
                           "a-00001-of-0000x.gguf", "a_00001-of-00002.gguf"}) {
    EXPECT_FALSE(gguf_part(name)) << name;
  }
}

}  // namespace
}  // namespace tru
