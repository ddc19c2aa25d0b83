#include "weights/checkpoint.h"

#include <gmock/gmock.h>

#include <set>

#include "weights/convert.h"
#include "weights/tensor_list.h"
#include "weights/test_files.h"

namespace tru::weights {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

std::string error_of(const fs::path& dir) {
  const Result<Checkpoint> checkpoint = Checkpoint::open(dir.string());
  if (!checkpoint) {
    EXPECT_EQ(checkpoint.error().code, ErrorCode::model_invalid);
    EXPECT_THAT(checkpoint.error().message, Not(HasSubstr("\n")));
  }
  return checkpoint ? "ok" : checkpoint.error().message;
}

// Replaces every `from` in the header of a safetensors file by `to`.
void edit_header(const fs::path& path, const std::string& from, const std::string& to) {
  auto [header, data] = split_safetensors(read_file(path));
  ASSERT_NE(header.find(from), std::string::npos) << from;
  for (std::size_t at = 0; (at = header.find(from, at)) != std::string::npos; at += to.size()) {
    header.replace(at, from.size(), to);
  }
  write_file(path, safetensors_bytes(header, data));
}

TEST(Checkpoint, FixturesHoldExactlyTheExpectedTensors) {
  for (const char* model : {"dense-tied", "dense-sharded", "moe", "deepstack4"}) {
    SCOPED_TRACE(model);
    const Result<Checkpoint> checkpoint = Checkpoint::open(fixture(model).string());
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->config().name, model);
    std::set<std::string> expected;
    for (const TensorSpec& spec : expected_tensors(checkpoint->config())) {
      EXPECT_TRUE(checkpoint->tensor(spec.name, spec.shape)) << spec.name;
      expected.insert(spec.name);
    }
    const std::vector<std::string> found = Safetensors::open(fixture(model))->names();
    EXPECT_EQ(expected, std::set<std::string>(found.begin(), found.end()));
  }
}

TEST(Checkpoint, ConfigurationsOfTheFixtures) {
  const ModelConfig tied = Checkpoint::open(fixture("dense-tied").string())->config();
  EXPECT_EQ(tied.text.head_dim, 24);
  EXPECT_TRUE(tied.text.tie_word_embeddings);
  EXPECT_THAT(tied.eos_token_ids, ElementsAre(1758, 1756));
  EXPECT_EQ(tied.image_processor.shortest_edge, 65536);
  EXPECT_EQ(tied.video_processor.shortest_edge, 4096);
  EXPECT_EQ(tied.video_processor.longest_edge, 25165824);
  const ModelConfig deepstack = Checkpoint::open(fixture("deepstack4").string())->config();
  EXPECT_EQ(deepstack.text.rope_theta, 1e6);
  EXPECT_THAT(deepstack.text.mrope_section, ElementsAre(8, 6, 6));
  EXPECT_THAT(deepstack.vision.deepstack_visual_indexes, ElementsAre(1, 2, 3, 5));
  const ModelConfig moe = Checkpoint::open(fixture("moe").string())->config();
  EXPECT_EQ(moe.model_type, "qwen3_vl_moe");
  EXPECT_EQ(moe.text.num_experts, 6);
  EXPECT_TRUE(moe.text.is_sparse(2));
}

TEST(Checkpoint, GivesTensorsByShape) {
  const Result<Checkpoint> checkpoint = Checkpoint::open(fixture("dense-sharded").string());
  ASSERT_TRUE(checkpoint);
  const Result<TensorView> norm = checkpoint->tensor("model.language_model.norm.weight", {64});
  ASSERT_TRUE(norm);
  EXPECT_EQ(norm->dtype, Dtype::bf16);
  EXPECT_EQ(to_f32(*norm).size(), 64u);
  const std::span<const std::byte> file = checkpoint->files()[norm->file].bytes();
  EXPECT_GE(norm->data.data(), file.data());
  EXPECT_LE(norm->data.data() + norm->data.size(), file.data() + file.size());
  EXPECT_THAT(checkpoint->tensor("model.language_model.norm.weight", {8, 8}).error().message,
              AllOf(HasSubstr("norm.weight has shape [64]"), HasSubstr("asks for [8, 8]")));
  EXPECT_THAT(checkpoint->tensor("nothing").error().message,
              HasSubstr("tensor nothing is missing"));
}

TEST(Checkpoint, PublishedNames) {
  const struct {
    const char* name;
    const char* published;
  } cases[] = {
      {"model.visual.pos_embed.weight", "model.visual.pos_embed.weight"},
      {"visual.pos_embed.weight", "model.visual.pos_embed.weight"},
      {"model.language_model.norm.weight", "model.language_model.norm.weight"},
      {"language_model.norm.weight", "model.language_model.norm.weight"},
      {"language_model.model.norm.weight", "model.language_model.norm.weight"},
      {"model.norm.weight", "model.language_model.norm.weight"},
      {"lm_head.weight", "lm_head.weight"},
      {"language_model.lm_head.weight", "lm_head.weight"},
  };
  for (const auto& [name, published] : cases) EXPECT_EQ(published_name(name), published);
}

class DamagedCheckpoint : public testing::Test {
 protected:
  DamagedCheckpoint() { copy_fixture("dense-tied", dir_.path()); }
  std::string error() { return error_of(dir_.path()); }
  fs::path weights() { return dir_.path() / "model.safetensors"; }

  const TempDir dir_;
};

TEST_F(DamagedCheckpoint, OtherSpellingsOfNamesAreTheSame) {
  edit_header(weights(), "\"model.", "\"");
  EXPECT_EQ(error(), "ok");
  edit_header(weights(), "\"language_model.", "\"language_model.model.");
  EXPECT_EQ(error(), "ok");
}

TEST_F(DamagedCheckpoint, TwoSpellingsOfOneTensorAreRefused) {
  edit_header(weights(), "\"model.visual.merger.norm.weight\"", "\"visual.merger.norm.bias\"");
  EXPECT_THAT(error(), HasSubstr("are the same tensor"));
}

TEST_F(DamagedCheckpoint, MissingTensorWrongShapeAndForeignTypeAreNamed) {
  edit_header(weights(), "layers.1.mlp.up_proj.weight", "layers.1.mlp.up_proj.other");
  EXPECT_THAT(error(), HasSubstr("layers.1.mlp.up_proj.weight is missing"));
  copy_fixture("dense-tied", dir_.path());
  edit_header(weights(), "[48,64]", "[64,48]");
  EXPECT_THAT(error(),
              AllOf(HasSubstr("k_proj.weight has shape [64, 48]"), HasSubstr("asks for [48, 64]")));
  copy_fixture("dense-tied", dir_.path());
  edit_header(weights(), "\"dtype\":\"F32\"", "\"dtype\":\"I32\"");
  EXPECT_THAT(error(), HasSubstr("is I32; allowed: F32, F16, BF16"));
}

TEST_F(DamagedCheckpoint, TruncatedWeightsAreRefusedWhereverTheyEnd) {
  const std::uintmax_t size = fs::file_size(weights());
  for (std::uintmax_t end :
       {size - 1, size / 2, size / 100, std::uintmax_t{9}, std::uintmax_t{7}}) {
    fs::resize_file(weights(), end);
    EXPECT_THAT(error(), HasSubstr("model.safetensors")) << end;
  }
}

TEST_F(DamagedCheckpoint, AHeadBesideTiedEmbeddingsCountsIfItDiffers) {
  auto [header, data] = split_safetensors(read_file(weights()));
  const std::string entry =
      fmt::format(R"("lm_head.weight":{{"dtype":"F32","shape":[1792,64],"data_offsets":[{},{}]}},)",
                  data.size(), data.size() + 1792 * 64 * 4);
  header.insert(1, entry);
  const std::string embedding = data.substr(0, 1792 * 64 * 4);  // embed_tokens is the first
  write_file(weights(), safetensors_bytes(header, data + embedding));
  Result<Checkpoint> checkpoint = Checkpoint::open(dir_.path().string());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_TRUE(checkpoint->config().text.tie_word_embeddings);
  std::string head = embedding;
  head.back() ^= 1;
  write_file(weights(), safetensors_bytes(header, data + head));
  checkpoint = Checkpoint::open(dir_.path().string());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_FALSE(checkpoint->config().text.tie_word_embeddings);
}

TEST(CheckpointFolder, MissingShardIsNamed) {
  const TempDir dir;
  copy_fixture("moe", dir.path());
  fs::remove(dir.path() / "model-00002-of-00002.safetensors");
  EXPECT_THAT(error_of(dir.path()),
              HasSubstr("the shard model-00002-of-00002.safetensors is missing"));
}

TEST(CheckpointFolder, OtherThingsGetOneClearLine) {
  const TempDir temp;
  const fs::path dir = temp.path() / "m";
  EXPECT_THAT(error_of(dir), HasSubstr("no such folder"));
  fs::create_directory(dir);
  EXPECT_THAT(error_of(dir), HasSubstr("config.json is missing"));
  write_file(dir / "model-q4.gguf", "GGUF");
  EXPECT_THAT(error_of(dir), HasSubstr("model-q4.gguf: the version needs 4 bytes"));
  fs::remove(dir / "model-q4.gguf");
  write_file(dir / "adapter_config.json", "{}");
  EXPECT_THAT(error_of(dir), HasSubstr("LoRA adapter"));
  fs::remove(dir / "adapter_config.json");
  write_file(dir / "config.json", R"({"model_type":"llama"})");
  EXPECT_THAT(error_of(dir), HasSubstr("no weights: model.safetensors"));
  write_file(dir / "pytorch_model.bin", "");
  EXPECT_THAT(error_of(dir), HasSubstr("pytorch_model.bin; only safetensors are read"));
  write_file(dir / "model.safetensors", "version https://git-lfs.example/spec/v1\n");
  EXPECT_THAT(error_of(dir), HasSubstr("model_type is \"llama\"; allowed: qwen3_vl"));
  EXPECT_THAT(error_of(dir / "config.json"),
              HasSubstr("is a file; give a *.gguf file, or the folder"));
  fs::copy_file(fixture("dense-tied") / "config.json", dir / "config.json",
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(error_of(dir), HasSubstr("git lfs pull"));
  fs::remove(dir / "config.json");
  fs::create_directory(dir / "config.json");
  EXPECT_THAT(error_of(dir), HasSubstr("config.json: no such file"));
}

TEST(CheckpointHub, FindsPulledModelsByName) {
  const TempDir cache;
  const fs::path repo = cache.path() / "models--tru-test--dense-tied";
  const auto open = [&](const char* id) { return Checkpoint::open(id, cache.path()); };
  EXPECT_THAT(open("tru-test/dense-tied").error().message,
              HasSubstr("run: tru pull tru-test/dense-tied"));
  write_file(repo / "refs" / "main", "0123abcd");
  EXPECT_THAT(open("tru-test/dense-tied").error().message, HasSubstr("not complete"));
  copy_fixture("dense-tied", repo / "snapshots" / "0123abcd");
  const Result<Checkpoint> checkpoint = open("tru-test/dense-tied");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->config().name, "tru-test/dense-tied");
  write_file(repo / "refs" / "main", "../../elsewhere");
  EXPECT_THAT(open("tru-test/dense-tied").error().message, HasSubstr("not complete"));
}

TEST(CheckpointHub, NamesOfTheHub) {
  for (const char* id : {"Qwen/Qwen3-VL-4B-Instruct", "a/b", "o_rg/n.ame"}) {
    EXPECT_TRUE(is_hub_id(id)) << id;
  }
  for (const char* id : {"", "a", "a/", "/b", "a/b/c", "../b", "./b", "a/..", "a b/c", "a--b/c"}) {
    EXPECT_FALSE(is_hub_id(id)) << id;
  }
  EXPECT_THAT(Checkpoint::open("models/no/such").error().message, HasSubstr("no such folder"));
}

}  // namespace
}  // namespace tru::weights
