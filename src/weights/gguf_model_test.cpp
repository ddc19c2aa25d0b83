#include "weights/gguf_model.h"

#include <gmock/gmock.h>

#include "weights/checkpoint.h"
#include "weights/gguf_config.h"
#include "weights/test_gguf.h"

namespace tru::weights {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string error_of(const fs::path& model) {
  const auto checkpoint = Checkpoint::open(model.string());
  return checkpoint ? "" : checkpoint.error().message;
}

std::string error_of(const GgufPair& pair) {
  const TempDir dir;
  const std::string error = error_of(pair.write(dir.path()));
  EXPECT_THAT(error, Not(HasSubstr("\n")));
  return error;
}

// Beside dense-tied's other files, which GGUF does not hold.
TEST(GgufModel, SaysTheSameAsTheCheckpointItCameFrom) {
  for (const char* name : {"dense-tied", "dense-sharded", "moe", "deepstack4"}) {
    const TempDir dir;
    make_gguf(fixture(name)).write(dir.path());
    const auto gguf = Checkpoint::open(dir.path().string());
    ASSERT_TRUE(gguf) << gguf.error().message;
    const Checkpoint original = Checkpoint::open(fixture(name).string()).value();
    const ModelConfig &ours = gguf->config(), &theirs = original.config();
    EXPECT_EQ(ours.name, "model");
    EXPECT_EQ(ours.model_type, theirs.model_type);
    EXPECT_EQ(ours.text.mrope_section, theirs.text.mrope_section);
    EXPECT_EQ(ours.text.tie_word_embeddings, theirs.text.tie_word_embeddings);
    EXPECT_EQ(ours.text.vocab_size, theirs.text.vocab_size);
    EXPECT_FLOAT_EQ(static_cast<float>(ours.text.rms_norm_eps),
                    static_cast<float>(theirs.text.rms_norm_eps));
    EXPECT_EQ(ours.vision.deepstack_visual_indexes, theirs.vision.deepstack_visual_indexes);
    EXPECT_EQ(ours.vision.num_position_embeddings, theirs.vision.num_position_embeddings);
    EXPECT_EQ(ours.image_token_id, theirs.image_token_id);
    EXPECT_EQ(ours.vision_end_token_id, theirs.vision_end_token_id);
    EXPECT_EQ(ours.eos_token_ids, theirs.eos_token_ids);
    EXPECT_EQ(ours.image_processor.longest_edge, theirs.image_processor.longest_edge);
    EXPECT_EQ(ours.video_processor.shortest_edge, theirs.video_processor.shortest_edge);
    EXPECT_EQ(ours.generation.top_k, theirs.generation.top_k);
    for (const TensorSpec& spec : expected_tensors(theirs)) {
      if (!gguf->expert_parts(spec.name).empty()) continue;
      const TensorView view = gguf->tensor(spec.name, spec.shape).value();
      EXPECT_EQ(to_f32(view), to_f32(original.tensor(spec.name).value())) << spec.name;
    }
  }
}

TEST(GgufModel, ReadsOtherFilesBesideIt) {
  const TempDir dir;
  make_gguf(fixture("dense-tied")).write(dir.path());
  write_file(dir.path() / "generation_config.json", R"({"temperature": 0.25, "eos_token_id": 3})");
  write_file(dir.path() / "preprocessor_config.json",
             R"({"size": {"shortest_edge": 1024, "longest_edge": 4096}})");
  const auto checkpoint = Checkpoint::open(dir.path().string());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->config().generation.temperature, 0.25);
  EXPECT_THAT(checkpoint->config().eos_token_ids, ElementsAre(3));
  EXPECT_EQ(checkpoint->config().image_processor.longest_edge, 4096);
  EXPECT_EQ(checkpoint->config().video_processor.longest_edge, 25165824);
}

TEST(GgufModel, FindsItsTwoFiles) {
  const TempDir dir;
  const GgufPair pair = make_gguf(fixture("dense-tied"));
  const fs::path text = pair.write(dir.path());
  EXPECT_EQ(find_gguf(dir.path())->text, text);
  EXPECT_EQ(find_gguf(text)->mmproj, dir.path() / "mmproj-model.gguf");
  EXPECT_THAT(error_of(dir.path() / "mmproj-model.gguf"), HasSubstr("is the vision file"));
  EXPECT_THAT(error_of(dir.path() / "other.gguf"), HasSubstr("no such file"));

  write_file(dir.path() / "model-q4.gguf", pair.text.bytes());
  EXPECT_THAT(error_of(dir.path()),
              HasSubstr("several text models: model-q4.gguf, model.gguf; give the path"));
  EXPECT_EQ(error_of(text), "");
  write_file(dir.path() / "mmproj-2.gguf", pair.mmproj.bytes());
  EXPECT_THAT(error_of(text), HasSubstr("mmproj-2.gguf, mmproj-model.gguf; leave only the one"));
  EXPECT_EQ(find_gguf(text, dir.path() / "mmproj-2.gguf")->mmproj, dir.path() / "mmproj-2.gguf");
  EXPECT_EQ(find_gguf(dir.path(), text).error().message,
            dir.path().string() +
                ": there are several text models: model-q4.gguf, model.gguf; "
                "give the path of the one you mean");
  EXPECT_THAT(find_gguf(text, text).error().message, HasSubstr("there is no vision file"));
  EXPECT_THAT(find_gguf(text, dir.path() / "none.gguf").error().message, HasSubstr("no such file"));

  fs::remove(dir.path() / "mmproj-2.gguf");
  fs::remove(dir.path() / "mmproj-model.gguf");
  EXPECT_THAT(error_of(text), HasSubstr("there is no vision file (mmproj-*.gguf)"));
  write_file(dir.path() / "mmproj-model.gguf", pair.mmproj.bytes().substr(0, 5000));
  EXPECT_THAT(error_of(text), AllOf(HasSubstr("mmproj-model.gguf"), HasSubstr("truncated")));
}

TEST(GgufModel, PrefersSafetensorsInTheSameFolder) {
  const TempDir dir;
  copy_fixture("dense-tied", dir.path());
  write_file(dir.path() / "model-q4.gguf", "GGUF");
  EXPECT_EQ(error_of(dir.path()), "");
  EXPECT_FALSE(is_gguf(dir.path()));
  const auto with_mmproj = Checkpoint::open(dir.path().string(), {}, "mmproj.gguf");
  EXPECT_THAT(with_mmproj.error().message, HasSubstr("not a GGUF model"));
}

TEST(GgufModel, RefusesOtherModels) {
  GgufPair pair = make_gguf(fixture("dense-tied"));
  pair.text.set("general.architecture", "llama");
  EXPECT_THAT(error_of(pair), HasSubstr("general.architecture is \"llama\""));
  pair = make_gguf(fixture("dense-tied"));
  pair.mmproj.set("clip.projector_type", "qwen2.5vl_merger");
  EXPECT_THAT(error_of(pair), HasSubstr("is \"qwen2.5vl_merger\"; allowed: qwen3vl_merger"));
  pair = make_gguf(fixture("dense-tied"));
  pair.text.set("split.count", 3);
  EXPECT_THAT(error_of(pair), HasSubstr("is the first of 3 parts"));
  pair = make_gguf(fixture("dense-tied"));
  pair.mmproj = make_gguf(fixture("moe")).mmproj;
  EXPECT_THAT(error_of(pair), HasSubstr("they are of different models"));
  pair = make_gguf(fixture("dense-tied"));
  pair.text.set("qwen3vl.n_deepstack_layers", 3);
  EXPECT_THAT(error_of(pair), HasSubstr("they are of different models"));
}

TEST(GgufModel, RefusesWrongMetadataAndTensors) {
  const GgufPair good = make_gguf(fixture("dense-tied"));
  const auto with = [&](const auto& change) {
    GgufPair pair = good;
    change(pair);
    return error_of(pair);
  };
  EXPECT_THAT(with([](auto& p) { p.text.values.erase("qwen3vl.embedding_length"); }),
              HasSubstr("qwen3vl.embedding_length is missing"));
  EXPECT_THAT(with([](auto& p) { p.text.set("qwen3vl.attention.value_length", 8); }),
              HasSubstr("qwen3vl.attention.value_length is 8; allowed: 24"));
  EXPECT_THAT(with([](auto& p) { p.text.set("qwen3vl.rope.scaling.type", "yarn"); }),
              AllOf(HasSubstr("model.gguf"), HasSubstr("rope_type"), HasSubstr("yarn")));
  EXPECT_THAT(with([](auto& p) { p.text.set("qwen3vl.block_count", 4); }),
              HasSubstr("tensor \"blk.3.attn_norm.weight\" is missing"));
  EXPECT_THAT(with([](auto& p) { p.text.set("qwen3vl.feed_forward_length", 97); }),
              HasSubstr("blk.0.ffn_gate.weight has shape [96, 64]; the metadata ask for "));
  EXPECT_THAT(with([](auto& p) { p.mmproj.set("clip.vision.patch_size", 8); }),
              HasSubstr("v.patch_embd.weight has shape [48, 3, 16, 16]"));
  EXPECT_THAT(with([](auto& p) { p.text.tensors["blk.1.attn_q.weight"].type = 23; }),
              HasSubstr("has the type iq4_xs, which is not supported"));
  EXPECT_THAT(with([](auto& p) { p.text.set("tokenizer.ggml.model", "llama"); }),
              HasSubstr("tokenizer.ggml.model is \"llama\"; allowed: gpt2"));
  EXPECT_THAT(with([](auto& p) { p.text.set("tokenizer.ggml.add_bos_token", true); }),
              HasSubstr("add_bos_token is true"));
  EXPECT_THAT(with([](auto& p) { p.text.put_list("tokenizer.ggml.token_type", 5, 0, ""); }),
              HasSubstr("do not agree"));
  EXPECT_THAT(with([](auto& p) { p.text.put_list("tokenizer.ggml.tokens", 8, 0, ""); }),
              HasSubstr("has no <|image_pad|>"));
}

// Every metadatum of both files gone, or another thing than it should be: an error or not, but
// nothing worse.
TEST(GgufModel, SurvivesAnyMetadata) {
  const GgufPair good = make_gguf(fixture("moe"));
  const TempDir dir;
  const fs::path text = good.write(dir.path());
  const std::vector<std::string> values = {
      GgufParts::raw(4) + GgufParts::raw(0),
      GgufParts::raw(4) + GgufParts::raw(-1),
      GgufParts::raw(10) + GgufParts::raw(~std::uint64_t{0}),
      GgufParts::raw(6) + GgufParts::raw(0x7FC00000),
      GgufParts::raw(8) + GgufParts::raw_text("\xFF"),
      GgufParts::raw(9) + GgufParts::raw(4) + GgufParts::raw(std::uint64_t{0})};
  for (const bool is_vision : {false, true}) {
    for (const auto& [key, unchanged] : (is_vision ? good.mmproj : good.text).values) {
      for (std::size_t i = 0; i <= values.size(); ++i) {
        GgufParts parts = is_vision ? good.mmproj : good.text;
        parts.values[key] = i < values.size() ? values[i] : "";
        if (i == values.size()) parts.values.erase(key);
        write_file(is_vision ? dir.path() / "mmproj-model.gguf" : text, parts.bytes());
        EXPECT_THAT(error_of(text), Not(HasSubstr("\n"))) << key;
      }
    }
    good.write(dir.path());
  }
  EXPECT_EQ(error_of(text), "");
}

}  // namespace
}  // namespace tru::weights
