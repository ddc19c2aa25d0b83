#include "weights/gguf_file.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "weights/test_gguf.h"

namespace tru::weights {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t kF32 = GGML_TYPE_F32, kQ4K = GGML_TYPE_Q4_K, kIq4 = GGML_TYPE_IQ4_XS;

GgufParts small_file() {
  GgufParts parts;
  parts.set("a.number", 7);
  parts.set("a.text", "hello");
  parts.set("a.yes", true);
  parts.put("a.minus", GgufValue::i64, GgufParts::raw(std::int64_t{-5}));
  parts.put_list("a.list", GgufValue::i32, 2, GgufParts::raw(3) + GgufParts::raw(4));
  parts.put_list("a.texts", GgufValue::string, 2,
                 GgufParts::raw_text("x") + GgufParts::raw_text(""));
  parts.tensors["one"] = {{2, 3}, kF32, std::string(24, '\1')};
  parts.tensors["two"] = {{2, 256}, kQ4K, std::string(288, '\2')};
  return parts;
}

std::string error_of(const std::string& bytes) {
  const auto header = GgufHeader::parse(as_bytes(bytes), "m.gguf");
  return header ? "" : header.error().message;
}

TEST(GgufFile, GivesValuesAndTensors) {
  const std::string bytes = small_file().bytes();
  const auto header = GgufHeader::parse(as_bytes(bytes), "m.gguf");
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->json("a.number"), 7);
  EXPECT_EQ(header->json("a.minus"), -5);
  EXPECT_EQ(header->json("a.yes"), true);
  EXPECT_EQ(header->json("a.list"), (boost::json::array{3, 4}));
  EXPECT_TRUE(header->json("a.nothing").is_null());
  EXPECT_EQ(header->text("a.text"), "hello");
  EXPECT_EQ(header->text("a.number"), "");
  EXPECT_THAT(header->texts("a.texts").value(), ElementsAre("x", ""));
  EXPECT_THAT(header->integers("a.list").value(), ElementsAre(3, 4));
  EXPECT_FALSE(header->texts("a.list"));
  EXPECT_FALSE(header->integers("a.texts"));
  const TensorView one = header->tensor("one").value(), two = header->tensor("two").value();
  EXPECT_THAT(one.shape, ElementsAre(2, 3));
  EXPECT_EQ(one.dtype, Dtype::f32);
  EXPECT_EQ(one.data.front(), std::byte{1});
  EXPECT_EQ(two.dtype, Dtype::q4_k);
  EXPECT_EQ(two.data.size(), 288u);
  EXPECT_EQ(two.num_elements(), 512);
  EXPECT_THAT(header->tensor("three").error().message, HasSubstr("\"three\" is missing"));
}

TEST(GgufFile, RefusesWhatItCannotRead) {
  EXPECT_THAT(error_of(""), HasSubstr("is no GGUF file"));
  EXPECT_THAT(error_of("version https://git-lfs.github.com/spec/v1"), HasSubstr("git lfs pull"));
  GgufParts parts = small_file();
  parts.magic = "GGML";
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("is no GGUF file"));
  for (const std::uint32_t version : {0u, 1u, 4u, 0xFFFFFFFFu}) {
    parts = small_file();
    parts.version = version;
    EXPECT_THAT(error_of(parts.bytes()), HasSubstr("versions 2 and 3 are read"));
  }
  parts.version = 0x03000000;
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("big-endian"));
  parts = small_file();
  parts.version = 2;
  EXPECT_EQ(error_of(parts.bytes()), "");
  parts.put("a.type", 13, "");
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("\"a.type\" has the type 13"));
  parts = small_file();
  parts.put_list("a.nested", GgufValue::array, 1, "");
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("\"a.nested\" has the type 9"));
  parts = small_file();
  parts.put_list("z.long", GgufValue::f64, std::uint64_t{1} << 61, "");
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("truncated or damaged"));
  parts = small_file();
  parts.put_list("z.texts", GgufValue::string, ~std::uint64_t{0}, "");
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("truncated or damaged"));
  for (const int alignment : {0, 1, 24, 1 << 20}) {
    parts = small_file();
    parts.set("general.alignment", alignment);
    EXPECT_THAT(error_of(parts.bytes()), HasSubstr("general.alignment is"));
  }
}

TEST(GgufFile, ChecksTensors) {
  GgufParts parts = small_file();
  parts.tensors["one"].shape = {2, 0};
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("impossible shape"));
  parts.tensors["one"].shape = {std::int64_t{1} << 33, std::int64_t{1} << 33};
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("impossible shape"));
  parts.tensors["one"].shape = {1, 1, 1, 1, 1};
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("5 dimensions; allowed: 1 to 4"));
  parts.tensors["one"].shape = {std::int64_t{1} << 31, std::int64_t{1} << 30};
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("ends beyond the file"));
  parts.tensors["one"].shape = {10, 3};
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("overlap"));
  parts = small_file();
  parts.tensors["two"].shape = {2, 255};
  EXPECT_THAT(error_of(parts.bytes()), HasSubstr("no whole blocks of 256"));
  parts = small_file();
  parts.tensors["two"].type = kIq4;  // others may be of any type, as long as nobody asks for them
  const std::string bytes = parts.bytes();
  const auto header = GgufHeader::parse(as_bytes(bytes), "m.gguf");
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_THAT(header->tensor("two").error().message, HasSubstr("\"two\" has the type iq4_xs"));
  parts.tensors["two"].type = 12345;
  const std::string unknown = parts.bytes();
  EXPECT_THAT(GgufHeader::parse(as_bytes(unknown), "m")->tensor("two").error().message,
              HasSubstr("has the type 12345"));
}

// Whatever stands in the header, nothing outside the file is touched (AddressSanitizer sees that).
TEST(GgufFile, SurvivesEveryTruncationAndEveryDamagedByte) {
  const std::string bytes = small_file().bytes();
  const std::size_t data_at = bytes.size() - 32 - 288;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(error_of(bytes.substr(0, size)), "") << size;
  }
  for (std::size_t at = 0; at < data_at; ++at) {
    for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(value);
      const auto header = GgufHeader::parse(as_bytes(damaged), "m.gguf");
      if (!header) continue;
      for (const char* name : {"one", "two"}) {
        const auto view = header->tensor(name);
        if (view) to_f32(*view);
      }
      for (const char* key : {"a.number", "a.text", "a.list", "a.texts"}) header->json(key);
    }
  }
}

}  // namespace
}  // namespace tru::weights
