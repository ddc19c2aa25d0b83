// Models in several GGUF files, and those of the hub, of which a name may mean one of many.
#include <gmock/gmock.h>

#include "weights/gguf_model.h"
#include "weights/test_gguf.h"

namespace tru::weights {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::string error_of(const fs::path& model) {
  const auto checkpoint = Checkpoint::open(model.string());
  return checkpoint ? "" : checkpoint.error().message;
}

const GgufPair& pair() {
  static const GgufPair made = make_gguf(fixture("dense-tied"));
  return made;
}

// The error of the parts after change(parts).
template <typename Change>
std::string error_with(const Change& change) {
  const TempDir dir;
  std::vector<GgufParts> parts = pair().split(3);
  change(parts);
  return error_of(write_parts(parts, pair().mmproj, dir.path()));
}

TEST(GgufParts, AreTheSameModelAsTheWhole) {
  const TempDir whole, divided;
  const GgufPair moe = make_gguf(fixture("moe"));
  moe.write(whole.path());
  const fs::path first = write_parts(moe.split(4), moe.mmproj, divided.path());
  const auto expected = Checkpoint::open(whole.path().string());
  for (const fs::path& model : {first, divided.path()}) {
    const auto parts = Checkpoint::open(model.string());
    ASSERT_TRUE(parts) << parts.error().message;
    ASSERT_EQ(parts->files().size(), 5);
    for (const TensorSpec& spec : expected_tensors(parts->config())) {
      std::vector<std::string> names = parts->expert_parts(spec.name);
      if (names.empty()) names = {spec.name};
      for (const std::string& name : names) {
        const TensorView view = parts->tensor(name).value();
        EXPECT_EQ(to_f32(view), to_f32(expected->tensor(name).value())) << name;
        if (view.file >= parts->files().size()) continue;  // made of two
        const auto bytes = parts->files()[view.file].bytes();
        EXPECT_GE(view.data.data(), bytes.data()) << name;
        EXPECT_LE(view.data.data() + view.data.size(), bytes.data() + bytes.size()) << name;
      }
    }
  }
}

TEST(GgufParts, TheFirstMayHaveMetadataOnly) {
  EXPECT_EQ(error_with([](std::vector<GgufParts>& parts) {
              parts[1].tensors.merge(parts[0].tensors);
              parts[0].tensors.clear();
            }),
            "");
}

TEST(GgufParts, AllMustBeThereAndBelongTogether) {
  const TempDir dir;
  const fs::path first = write_parts(pair().split(3), pair().mmproj, dir.path());
  EXPECT_THAT(error_of(dir.path() / "model-00002-of-00003.gguf"),
              AllOf(HasSubstr("part 2 of 3"), HasSubstr("give the first, model-00001-of-00003")));
  fs::rename(dir.path() / "model-00003-of-00003.gguf", dir.path() / "away");
  EXPECT_THAT(error_of(first), HasSubstr("model-00003-of-00003.gguf: no such file"));
  fs::rename(first, dir.path() / "m.gguf");
  EXPECT_THAT(error_of(dir.path() / "m.gguf"), HasSubstr("must end in -00001-of-00003.gguf"));

  EXPECT_THAT(error_with([](auto& parts) { std::swap(parts[1], parts[2]); }),
              HasSubstr("is not part 2 of 3"));
  EXPECT_THAT(error_with([](auto& parts) { parts[2].values.erase("split.no"); }),
              HasSubstr("is not part 3 of 3"));
  EXPECT_THAT(error_with([](auto& parts) { parts[1].tensors.merge(GgufParts(parts[2]).tensors); }),
              HasSubstr("is in another part too"));
  EXPECT_THAT(error_with([](auto& parts) { parts[2].tensors.clear(); }),
              HasSubstr("split.tensors.count is"));
  EXPECT_THAT(error_with([](auto& parts) { parts[0].values.erase("split.count"); }),
              HasSubstr("is missing"));
  for (const std::uint64_t count : {std::uint64_t{4}, std::uint64_t{100'000}, UINT64_MAX}) {
    EXPECT_NE(error_with([&](auto& parts) {
                parts[0].put("split.count", GgufValue::u64, GgufParts::raw(count));
              }),
              "");
  }
}

// A snapshot in a hub's cache with these files, each of which is one of dense-tied's two.
class GgufHub : public testing::Test {
 protected:
  void SetUp() override { write_file(repo() / "refs" / "main", "abc"); }
  fs::path repo() const { return cache_.path() / "models--Org--Tiny"; }
  fs::path snapshot() const { return repo() / "snapshots" / "abc"; }
  void add(const char* name) const {
    const bool vision = std::string_view(name).find("mmproj") != std::string_view::npos;
    write_file(snapshot() / name, vision ? pair().mmproj.bytes() : pair().text.bytes());
  }
  // The text file's name, or the error.
  std::string resolve(const char* model) const {
    const auto path = resolve_model_dir(model, cache_.path());
    return path ? path->lexically_relative(snapshot()).string() : path.error().message;
  }

  const TempDir cache_;
};

TEST_F(GgufHub, ATagNamesOneOfThem) {
  add("mmproj-F16.gguf");
  add("tiny-Q8_0.gguf");
  EXPECT_EQ(resolve("Org/Tiny"), "tiny-Q8_0.gguf");
  add("tiny-BF16.gguf");
  add("tiny-Q4_K_M.gguf");
  EXPECT_EQ(resolve("Org/Tiny"), "tiny-Q4_K_M.gguf");
  EXPECT_EQ(resolve("Org/Tiny:q8_0"), "tiny-Q8_0.gguf");
  EXPECT_THAT(resolve("Org/Tiny:F16"),
              AllOf(HasSubstr("is F16; there are: tiny-BF16.gguf"),
                    HasSubstr("to download it run: tru pull Org/Tiny:F16")));
  EXPECT_THAT(resolve("Org/Other:F16"), HasSubstr("run: tru pull Org/Other:F16"));
  const auto checkpoint = Checkpoint::open("Org/Tiny:BF16", cache_.path());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->config().name, "Org/Tiny");
}

TEST_F(GgufHub, OfSeveralVisionFilesTheBestIsTaken) {
  for (const char* name : {"mmproj-Q8_0.gguf", "mmproj-F16.gguf", "m-Q8_0.gguf"}) add(name);
  EXPECT_EQ(find_gguf(snapshot() / "m-Q8_0.gguf")->mmproj, snapshot() / "mmproj-F16.gguf");
}

TEST_F(GgufHub, ATextFileMayLieInAFolder) {
  add("mmproj-F16.gguf");
  add("UD-Q8_0/tiny-UD-Q8_0.gguf");
  EXPECT_EQ(resolve("Org/Tiny"), "UD-Q8_0/tiny-UD-Q8_0.gguf");
  write_file(snapshot() / "generation_config.json", R"({"temperature": 0.25})");
  const auto checkpoint = Checkpoint::open("Org/Tiny", cache_.path());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->config().name, "Org/Tiny");
  EXPECT_EQ(checkpoint->config().generation.temperature, 0.25);
}

TEST_F(GgufHub, ACheckpointBesideThemIsPreferredWithoutATag) {
  copy_fixture("dense-tied", snapshot());
  EXPECT_EQ(resolve("Org/Tiny"), ".");
  EXPECT_THAT(resolve("Org/Tiny:Q8_0"), HasSubstr("there are no GGUF models"));
  add("tiny-Q8_0.gguf");
  EXPECT_EQ(resolve("Org/Tiny"), ".");
  EXPECT_EQ(resolve("Org/Tiny:Q8_0"), "tiny-Q8_0.gguf");
}

TEST_F(GgufHub, PartsThatAreNotAllThereAreToBePulled) {
  write_parts(pair().split(2), pair().mmproj, snapshot());
  EXPECT_EQ(resolve("Org/Tiny"), "model-00001-of-00002.gguf");
  fs::remove(snapshot() / "model-00002-of-00002.gguf");
  EXPECT_THAT(resolve("Org/Tiny"), AllOf(HasSubstr("model-00002-of-00002.gguf is missing"),
                                         HasSubstr("tru pull Org/Tiny")));
}

}  // namespace
}  // namespace tru::weights
