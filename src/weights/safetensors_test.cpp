#include "weights/safetensors.h"

#include <gmock/gmock.h>

#include <chrono>
#include <random>

#include "weights/convert.h"
#include "weights/test_files.h"

namespace tru::weights {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Two tensors of 8 and 4 bytes.
constexpr std::string_view kHeader =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]}})";
constexpr std::string_view kData("\x00\x00\x80\x3F\x00\x00\x00\x40\x80\x3F\x40\x40", 12);

std::string error_of(const std::string& bytes) {
  const auto entries = parse_safetensors_header(as_bytes(bytes), "FILE");
  return entries ? "ok" : entries.error().message;
}

TEST(SafetensorsHeader, ListsTensorsInTheOrderOfTheirData) {
  const auto entries =
      parse_safetensors_header(as_bytes(safetensors_bytes(kHeader, kData)), "FILE");
  ASSERT_TRUE(entries) << entries.error().message;
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_EQ((*entries)[0].dtype, "F32");
  EXPECT_THAT((*entries)[0].shape, ElementsAre(2, 1));
  EXPECT_EQ((*entries)[0].offset, 8 + kHeader.size());
  EXPECT_EQ((*entries)[1].size, 4u);
}

TEST(SafetensorsHeader, AcceptsPaddingScalarsEmptyTensorsAndForeignTypes) {
  EXPECT_EQ(error_of(safetensors_bytes(std::string(kHeader) + "   ", kData)), "ok");
  EXPECT_EQ(error_of(safetensors_bytes("{}", "")), "ok");
  EXPECT_EQ(error_of(safetensors_bytes(R"({"e":{"dtype":"F32","shape":[0,5],"data_offsets":[8,8]},)"
                                       R"("s":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})",
                                       "12345678")),
            "ok");
}

TEST(SafetensorsHeader, RefusesLyingHeaders) {
  const struct {
    const char* header;
    const char* error;
  } cases[] = {
      {R"([])", "a JSON object is expected"},
      {R"({"a":1)", "not valid JSON"},
      {R"({} {})", "not valid JSON"},
      {R"({"a":3})", "not an object"},
      {R"({"a":{"shape":[3],"data_offsets":[0,12]}})", "dtype is missing"},
      {R"({"a":{"dtype":"F99","shape":[3],"data_offsets":[0,12]}})", "dtype is \"F99\""},
      {R"({"a":{"dtype":7,"shape":[3],"data_offsets":[0,12]}})", "dtype is 7"},
      {R"({"a":{"dtype":"F32","data_offsets":[0,12]}})", "shape must be"},
      {R"({"a":{"dtype":"F32","shape":3,"data_offsets":[0,12]}})", "shape must be"},
      {R"({"a":{"dtype":"F32","shape":[-3],"data_offsets":[0,12]}})", "shape must be"},
      {R"({"a":{"dtype":"F32","shape":[3.0],"data_offsets":[0,12]}})", "shape must be"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,12]}})",
       "shape must be"},
      {R"({"a":{"dtype":"F32","shape":[3,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],)"
       R"("data_offsets":[0,12]}})",
       "shape must be"},
      {R"({"a":{"dtype":"F32","shape":[3]}})", "data_offsets must be"},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0]}})", "data_offsets must be"},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,6,12]}})", "data_offsets must be"},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[12,0]}})", "run backwards"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", "truncated"},
      {R"({"a":{"dtype":"F32","shape":[3],)"
       R"("data_offsets":[9223372036854775807,9223372036854775807]}})",
       "truncated"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}})", "not the size of F32 [2]"},
      {R"({"a":{"dtype":"F16","shape":[3],"data_offsets":[0,12]}})", "not the size of F16 [3]"},
      // 2^62 elements of 4 bytes: the size wraps to 0 in 64 bits.
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]},)"
       R"("b":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})",
       "not the size"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]},)"
       R"("b":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})",
       "not the size"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
       R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
       "overlap"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
       "leave a gap"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "belong to none"},
      {R"({})", "belong to none"},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
       R"("a":{"dtype":"I32","shape":[3],"data_offsets":[0,12]}})",
       "occurs twice"},
      {R"({"a":{"dtype":"F32","shape":[3],"shape":[3],"data_offsets":[0,12]}})", "occurs twice"},
  };
  for (const auto& [header, error] : cases) {
    SCOPED_TRACE(header);
    const std::string message = error_of(safetensors_bytes(header, kData));
    EXPECT_THAT(message, AllOf(HasSubstr("FILE"), HasSubstr(error), Not(HasSubstr("\n"))));
  }
}

TEST(SafetensorsHeader, RefusesDeepNesting) {
  const std::string deep = R"({"a":)" + std::string(100000, '[');
  EXPECT_THAT(error_of(safetensors_bytes(deep, "")), HasSubstr("not valid JSON"));
}

TEST(SafetensorsHeader, RefusesFalseLengthsAndOtherFiles) {
  std::string bytes = safetensors_bytes(kHeader, kData);
  for (const std::uint64_t length :
       {bytes.size() - 7, bytes.size(), std::size_t{1} << 32, ~std::size_t{0}, std::size_t{0}}) {
    std::memcpy(bytes.data(), &length, sizeof(length));
    EXPECT_NE(error_of(bytes), "ok") << length;
  }
  EXPECT_THAT(error_of("version https://git-lfs.example/spec/v1\noid sha256:00\nsize 12\n"),
              HasSubstr("git lfs pull"));
}

TEST(SafetensorsHeader, RefusesEveryTruncation) {
  const std::string bytes = safetensors_bytes(kHeader, kData);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(error_of(bytes.substr(0, size)), "ok") << size;
  }
}

// What is accepted must be safe to use, whatever bytes were changed.
TEST(SafetensorsHeader, SurvivesRandomDamage) {
  const std::string original = safetensors_bytes(kHeader, kData);
  std::mt19937 random(7);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = original;
    for (int flips = 1 + random() % 4; flips > 0; --flips) {
      bytes[random() % (8 + kHeader.size())] ^= static_cast<char>(1 << random() % 8);
    }
    const std::vector<char> exact(bytes.begin(), bytes.end());  // no spare bytes behind it
    const auto entries = parse_safetensors_header(std::as_bytes(std::span(exact)), "FILE");
    if (!entries) {
      ASSERT_THAT(entries.error().message, Not(HasSubstr("\n")));
      continue;
    }
    ++accepted;
    for (const TensorEntry& entry : *entries) {
      ASSERT_LE(entry.offset, exact.size());
      ASSERT_LE(entry.size, exact.size() - entry.offset);
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(Safetensors, GivesViewsIntoTheMappedFile) {
  const TempDir dir;
  write_file(dir.path() / "model.safetensors", safetensors_bytes(kHeader, kData));
  Result<Safetensors> opened = Safetensors::open(dir.path());
  ASSERT_TRUE(opened) << opened.error().message;
  const Safetensors model = std::move(*opened);  // moving keeps the mapping where it is
  EXPECT_THAT(model.names(), ElementsAre("a", "b"));
  const Result<TensorView> a = model.tensor("a");
  ASSERT_TRUE(a);
  EXPECT_THAT(to_f32(*a), ElementsAre(1.0f, 2.0f));
  EXPECT_THAT(to_f32(*model.tensor("b")), ElementsAre(1.0f, 3.0f));
  const std::span<const std::byte> file = model.files()[a->file].bytes();
  EXPECT_EQ(a->data.data(), file.data() + 8 + kHeader.size());
  EXPECT_EQ(a->is_aligned(), (8 + kHeader.size()) % 4 == 0);
  EXPECT_THAT(model.tensor("c").error().message, HasSubstr("tensor c is missing"));
}

TEST(Safetensors, ForeignTypesAreListedButNotGiven) {
  const TempDir dir;
  write_file(
      dir.path() / "model.safetensors",
      safetensors_bytes(R"({"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", "12345678"));
  const Result<Safetensors> model = Safetensors::open(dir.path());
  ASSERT_TRUE(model);
  EXPECT_THAT(model->names(), ElementsAre("ids"));
  EXPECT_THAT(model->tensor("ids").error().message, HasSubstr("is I64; allowed: F32, F16, BF16"));
}

class Shards : public testing::Test {
 protected:
  Shards() {
    write_shard("one.safetensors", "a");
    write_shard("two.safetensors", "b");
    write_index(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  }
  void write_shard(const char* file, const char* tensor) {
    const std::string header =
        std::string("{\"") + tensor + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    write_file(dir_.path() / file, safetensors_bytes(header, std::string("\0\0\x80\x3F", 4)));
  }
  void write_index(std::string_view index) {
    write_file(dir_.path() / "model.safetensors.index.json", index);
  }
  std::string error() {
    const Result<Safetensors> model = Safetensors::open(dir_.path());
    return model ? "ok" : model.error().message;
  }
  const TempDir dir_;
};

TEST_F(Shards, AreOneModel) {
  const Result<Safetensors> model = Safetensors::open(dir_.path());
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT(model->names(), ElementsAre("a", "b"));
  EXPECT_EQ(model->files().size(), 2u);
  EXPECT_NE(model->tensor("a")->file, model->tensor("b")->file);
}

TEST_F(Shards, MissingTruncatedOrMixedUpShardsAreNamed) {
  write_shard("two.safetensors", "x");
  EXPECT_THAT(error(), AllOf(HasSubstr("\"b\""), HasSubstr("two.safetensors")));
  write_shard("two.safetensors", "a");
  EXPECT_THAT(error(), HasSubstr("also in one.safetensors"));
  std::filesystem::resize_file(dir_.path() / "two.safetensors", 60);
  EXPECT_THAT(error(), AllOf(HasSubstr("two.safetensors"), HasSubstr("truncated")));
  std::filesystem::resize_file(dir_.path() / "two.safetensors", 0);
  EXPECT_THAT(error(), AllOf(HasSubstr("two.safetensors"), HasSubstr("empty")));
  std::filesystem::remove(dir_.path() / "two.safetensors");
  EXPECT_THAT(error(), HasSubstr("the shard two.safetensors is missing"));
}

TEST_F(Shards, IndexMustNameFilesOfItsFolder) {
  for (const char* shard : {"../one.safetensors", "/etc/passwd", "sub/one.safetensors", "..", "",
                            "a\\\\b", "one\\u0000.safetensors"}) {
    SCOPED_TRACE(shard);
    write_index(std::string(R"({"weight_map":{"a":")") + shard + "\"}}");
    EXPECT_THAT(error(), HasSubstr("not the name of a file in this folder"));
  }
  write_index(R"({"weight_map":{"a":1}})");
  EXPECT_THAT(error(), HasSubstr("not the name of a file in this folder"));
  write_index(R"({"weight_map":{}})");
  EXPECT_THAT(error(), HasSubstr("0 shards"));
  write_index(R"({"metadata":{}})");
  EXPECT_THAT(error(), HasSubstr("weight_map is missing"));
  write_index("{");
  EXPECT_THAT(error(), HasSubstr("not valid JSON"));
}

// 4 GiB of a file without blocks on disk: opening must not touch its data.
TEST(Safetensors, OpensLargeFilesWithoutReadingThem) {
  const TempDir dir;
  const std::filesystem::path path = dir.path() / "model.safetensors";
  write_file(
      path,
      safetensors_bytes(
          R"({"w":{"dtype":"BF16","shape":[2147483648],"data_offsets":[0,4294967296]}})", ""));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) + (std::uint64_t{4} << 30));
  const auto start = std::chrono::steady_clock::now();
  const Result<Safetensors> model = Safetensors::open(dir.path());
  const std::chrono::duration<double> elapsed_s = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->tensor("w")->num_elements(), std::int64_t{1} << 31);
  EXPECT_LT(elapsed_s.count(), 1.0);
}

}  // namespace
}  // namespace tru::weights
