#include "weights/config.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <functional>
#include <numeric>
#include <random>

#include "weights/published_configs.h"
#include "weights/tensor_list.h"
#include "weights/test_files.h"

namespace tru::weights {
namespace {

namespace json = boost::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const PublishedSize& k4B = kPublishedSizes[1];
const PublishedSize& k30B = kPublishedSizes[4];

ConfigFiles files_of(std::string config) {
  ConfigFiles files;
  files.dir = "models/some-model";
  files.config = std::move(config);
  return files;
}

// The JSON text with `value` at `path` ("outer.inner"), or with the field removed if it is empty.
std::string with(const std::string& text, std::string_view path, std::string_view value) {
  json::value root = json::parse(text);
  json::object* object = &root.get_object();
  for (std::size_t dot; (dot = path.find('.')) != std::string_view::npos;) {
    json::value& inner = (*object)[path.substr(0, dot)];
    if (!inner.is_object()) inner.emplace_object();
    object = &inner.get_object();
    path.remove_prefix(dot + 1);
  }
  object->erase(path);
  if (!value.empty()) object->emplace(path, json::parse(value));
  return json::serialize(root);
}

std::string error_of(const ConfigFiles& files) {
  const Result<ModelConfig> config = parse_model_config(files);
  return config ? "ok" : config.error().message;
}

ModelConfig parsed(const ConfigFiles& files) {
  Result<ModelConfig> config = parse_model_config(files);
  EXPECT_TRUE(config) << config.error().message;
  return config ? *std::move(config) : ModelConfig{};
}

TEST(Config, PublishedSizesParseAndHaveTheirNumberOfParameters) {
  for (const PublishedSize& size : kPublishedSizes) {
    SCOPED_TRACE(size.name);
    const ModelConfig config = parsed(files_of(published_config(size)));
    EXPECT_EQ(config.text.hidden_size, size.hidden_size);
    EXPECT_EQ(config.text.head_dim, 128);
    EXPECT_EQ(config.text.rope_theta, 5e6);
    EXPECT_EQ(config.text.rms_norm_eps, 1e-6);
    EXPECT_THAT(config.text.mrope_section, ElementsAre(24, 20, 20));
    EXPECT_EQ(config.text.tie_word_embeddings, size.tie_word_embeddings);
    EXPECT_EQ(config.text.is_sparse(0), size.moe_intermediate_size != 0);
    EXPECT_EQ(config.vision.head_dim(), size.vision_hidden_size / 16);
    EXPECT_EQ(config.vision.rope_theta, 10000.0);
    EXPECT_EQ(config.vision.deepstack_visual_indexes.size(), 3u);
    EXPECT_EQ(config.image_token_id, 151655);
    EXPECT_EQ(config.video_token_id, 151656);
    EXPECT_EQ(config.vision_start_token_id, 151652);
    EXPECT_EQ(config.vision_end_token_id, 151653);
    EXPECT_THAT(config.eos_token_ids, ElementsAre(151645));
    EXPECT_EQ(config.name, "some-model");

    std::int64_t num_parameters = 0;
    for (const TensorSpec& spec : expected_tensors(config)) {
      num_parameters += std::accumulate(spec.shape.begin(), spec.shape.end(), std::int64_t{1},
                                        std::multiplies<>());
    }
    EXPECT_EQ(num_parameters, size.num_parameters);
  }
}

TEST(Config, ReadsTheSpellingOfTransformers5) {
  std::string text = published_config(k30B);
  text = with(text, "text_config.rope_scaling", "");
  text = with(text, "text_config.rope_theta", "");
  text = with(text, "text_config.rope_parameters",
              R"({"mrope_interleaved":true,"mrope_section":[22,21,21],"rope_type":"default",)"
              R"("rope_theta":1000000.0})");
  text = with(text, "text_config.num_experts", "");
  text = with(text, "text_config.num_local_experts", "64");
  text = with(text, "vision_config.model_type", "\"qwen3_vl_moe_vision\"");
  text = with(text, "vision_config.rope_parameters", R"({"rope_type":"axial","rope_theta":500.0})");
  const ModelConfig config = parsed(files_of(text));
  EXPECT_EQ(config.text.rope_theta, 1e6);
  EXPECT_THAT(config.text.mrope_section, ElementsAre(22, 21, 21));
  EXPECT_EQ(config.text.num_experts, 64);
  EXPECT_EQ(config.vision.rope_theta, 500.0);
}

TEST(Config, FieldsThatMayBeAbsent) {
  std::string dense = published_config(k4B), moe = published_config(k30B);
  for (const char* field : {"text_config.head_dim", "text_config.rms_norm_eps",
                            "text_config.rope_scaling.mrope_section", "vision_config.patch_size"}) {
    dense = with(dense, field, "");
    moe = with(moe, field, "");
  }
  moe = with(moe, "text_config.hidden_size", "4096");
  moe = with(moe, "vision_config.out_hidden_size", "4096");
  EXPECT_EQ(parsed(files_of(dense)).text.head_dim, 128);  // not 2560 / 32
  EXPECT_EQ(parsed(files_of(moe)).text.head_dim, 4096 / 32);
  EXPECT_EQ(parsed(files_of(moe)).vision.patch_size, 16);
}

TEST(Config, TheOuterTieOfEmbeddingsCounts) {
  const std::string text = published_config(k4B);
  const std::string inner_false = with(text, "text_config.tie_word_embeddings", "false");
  EXPECT_TRUE(parsed(files_of(inner_false)).text.tie_word_embeddings);
  const std::string only_inner = with(inner_false, "tie_word_embeddings", "");
  EXPECT_FALSE(parsed(files_of(only_inner)).text.tie_word_embeddings);
}

TEST(Config, SparseLayersFollowStepAndExceptions) {
  std::string text = with(published_config(k30B), "text_config.decoder_sparse_step", "2");
  text = with(text, "text_config.mlp_only_layers", "[3, 5]");
  const TextConfig config = parsed(files_of(text)).text;
  std::vector<int> sparse;
  for (int layer = 0; layer < 10; ++layer) {
    if (config.is_sparse(layer)) sparse.push_back(layer);
  }
  EXPECT_THAT(sparse, ElementsAre(1, 7, 9));
}

// One bad value in a good configuration is named in one line.
void expect_refused(const std::string& path, const std::string& value, const char* error) {
  SCOPED_TRACE(path + " = " + value);
  EXPECT_THAT(
      error_of(files_of(with(published_config(k4B), path, value))),
      AllOf(HasSubstr("models/some-model/config.json"), HasSubstr(error), Not(HasSubstr("\n"))));
}

TEST(Config, RefusesEachBadValueByName) {
  const struct {
    const char* path;
    const char* value;  // empty: removed
    const char* error;
  } cases[] = {
      {"model_type", "\"qwen2_5_vl\"", "model_type is \"qwen2_5_vl\"; allowed: qwen3_vl"},
      {"model_type", "", "model_type is \"\"; allowed"},
      {"text_config", "", "text_config is missing"},
      {"text_config", "[]", "text_config is []; allowed: an object"},
      {"vision_config", "", "vision_config is missing"},
      {"text_config.model_type", "\"qwen3\"", "text_config.model_type is \"qwen3\""},
      {"text_config.hidden_size", "", "text_config.hidden_size is missing"},
      {"text_config.hidden_size", "-1",
       "text_config.hidden_size is -1; allowed: an integer from 1"},
      {"text_config.hidden_size", "\"2560\"", "text_config.hidden_size is \"2560\""},
      {"text_config.hidden_size", "2560.5", "text_config.hidden_size is 2560.5"},
      {"text_config.hidden_size", "18446744073709551615", "text_config.hidden_size is 1844674407"},
      {"text_config.num_hidden_layers", "0", "num_hidden_layers is 0"},
      {"text_config.num_hidden_layers", "100000", "num_hidden_layers is 100000"},
      {"text_config.num_key_value_heads", "5",
       "num_key_value_heads is 5; allowed: a divisor of 32"},
      {"text_config.num_key_value_heads", "0", "num_key_value_heads is 0"},
      {"text_config.head_dim", "0", "head_dim is 0"},
      {"text_config.head_dim", "120", "mrope_section has sum 64; allowed: half of head_dim 120"},
      {"text_config.vocab_size", "0", "vocab_size is 0"},
      {"text_config.vocab_size", "151655", "image_token_id is 151655; allowed: an integer from 0"},
      {"text_config.rms_norm_eps", "0", "rms_norm_eps is 0"},
      {"text_config.rope_theta", "", "text_config.rope_theta is missing"},
      {"text_config.rope_theta", "-5", "rope_theta is -5"},
      {"text_config.rope_scaling.rope_type", "\"yarn\"", "rope_type is \"yarn\"; allowed: default"},
      {"text_config.rope_scaling.mrope_section", "[24, 20]", "mrope_section must have 3"},
      {"text_config.rope_scaling.mrope_section", "[24, 20, 20, 0]",
       "mrope_section is [24,20,20,0]"},
      {"text_config.rope_scaling.mrope_section", "[64, 20, -20]", "mrope_section is [64,20,-20]"},
      {"text_config.rope_scaling.mrope_interleaved", "false", "mrope_interleaved is false"},
      {"text_config.partial_rotary_factor", "0.5", "partial_rotary_factor is 0.5; allowed: 1"},
      {"text_config.hidden_act", "\"gelu\"", "hidden_act is \"gelu\"; allowed: silu"},
      {"text_config.attention_bias", "true", "attention_bias is true; allowed: false"},
      {"text_config.attention_bias", "1", "attention_bias is 1; allowed: true or false"},
      {"text_config.sliding_window", "4096", "sliding_window is set"},
      {"text_config.use_sliding_window", "true", "sliding_window is set"},
      {"text_config.quantization_config", "{}", "text_config.quantization_config is present"},
      {"quantization_config", R"({"quant_method":"fp8"})", "quantization_config is present"},
      {"tie_word_embeddings", "\"no\"", "tie_word_embeddings is \"no\""},
  };
  for (const auto& [path, value, error] : cases) expect_refused(path, value, error);
}

TEST(Config, RefusesEachBadVisionValueAndToken) {
  const struct {
    const char* path;
    const char* value;  // empty: removed
    const char* error;
  } cases[] = {
      {"vision_config.model_type", "\"siglip\"", "vision_config.model_type is \"siglip\""},
      {"vision_config.hidden_act", "\"gelu\"", "vision_config.hidden_act is \"gelu\""},
      {"vision_config.depth", "0", "vision_config.depth is 0"},
      {"vision_config.num_heads", "17", "hidden_size is 1024; allowed: a multiple of 4 * 17"},
      {"vision_config.num_heads", "512", "a multiple of 4 * 512"},
      {"vision_config.in_channels", "4", "in_channels is 4; allowed: 3"},
      {"vision_config.temporal_patch_size", "1", "temporal_patch_size is 1; allowed: 2"},
      {"vision_config.patch_size", "0", "patch_size is 0"},
      {"vision_config.spatial_merge_size", "9", "spatial_merge_size is 9"},
      {"vision_config.out_hidden_size", "2048", "out_hidden_size is 2048; allowed: 2560"},
      {"vision_config.num_position_embeddings", "0", "num_position_embeddings is 0"},
      {"vision_config.deepstack_visual_indexes", "[5, 24]", "deepstack_visual_indexes is [5,24]"},
      {"vision_config.deepstack_visual_indexes", "[5, 5]", "is not ascending"},
      {"vision_config.deepstack_visual_indexes", "", "deepstack_visual_indexes is missing"},
      {"vision_config.rope_parameters.rope_type", "\"yarn\"", "rope_type is \"yarn\""},
      {"image_token_id", "", "image_token_id is missing"},
      {"video_token_id", "151655", "video_token_id equals image_token_id"},
      {"vision_end_token_id", "-3", "vision_end_token_id is -3"},
      {"text_config.eos_token_id", "", "eos_token_id is missing"},
      {"text_config.eos_token_id", "[]", "eos_token_id is empty"},
      {"text_config.eos_token_id", "[151645, 999999]", "eos_token_id is [151645,999999]"},
  };
  for (const auto& [path, value, error] : cases) expect_refused(path, value, error);
}

TEST(Config, RefusesBadExperts) {
  const struct {
    const char* path;
    const char* value;
    const char* error;
  } cases[] = {
      {"num_experts", "", "num_local_experts is missing"},
      {"num_experts", "0", "num_experts is 0"},
      {"num_experts_per_tok", "129",
       "num_experts_per_tok is 129; allowed: an integer from 1 to 128"},
      {"moe_intermediate_size", "", "moe_intermediate_size is missing"},
      {"decoder_sparse_step", "0", "decoder_sparse_step is 0"},
      {"mlp_only_layers", "[48]", "mlp_only_layers is [48]"},
      {"norm_topk_prob", "false", "norm_topk_prob is false"},
  };
  for (const auto& [field, value, error] : cases) {
    SCOPED_TRACE(field);
    const std::string path = std::string("text_config.") + field;
    EXPECT_THAT(error_of(files_of(with(published_config(k30B), path, value))), HasSubstr(error));
  }
}

TEST(Config, RefusesWhatIsNoJsonOrNoNumber) {
  std::string infinite = published_config(k4B);
  infinite.replace(infinite.find("1e-06"), 5, "1e400");
  EXPECT_THAT(error_of(files_of(infinite)), HasSubstr("rms_norm_eps is inf; allowed"));
  EXPECT_THAT(error_of(files_of("")), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_of(files_of("[1]")), HasSubstr("a JSON object is expected"));
  EXPECT_THAT(error_of(files_of(R"({"model_type":"a","model_type":"b"})")),
              HasSubstr("\"model_type\" occurs twice"));
}

TEST(Config, Generation) {
  ConfigFiles files = files_of(published_config(k4B));
  const GenerationConfig defaults = parsed(files).generation;
  EXPECT_FALSE(defaults.do_sample);
  EXPECT_EQ(defaults.temperature, 1.0);
  EXPECT_EQ(defaults.top_k, 50);

  files.generation_config =
      R"({"do_sample":true,"eos_token_id":[151645,151643],"repetition_penalty":1.1,)"
      R"("temperature":0.7,"top_k":20,"top_p":0.8})";
  const ModelConfig config = parsed(files);
  EXPECT_THAT(config.eos_token_ids, ElementsAre(151645, 151643));
  EXPECT_TRUE(config.generation.do_sample);
  EXPECT_EQ(config.generation.temperature, 0.7);
  EXPECT_EQ(config.generation.top_p, 0.8);
  EXPECT_EQ(config.generation.top_k, 20);
  EXPECT_EQ(config.generation.repetition_penalty, 1.1);

  files.generation_config = R"({"eos_token_id":7})";
  EXPECT_THAT(parsed(files).eos_token_ids, ElementsAre(7));
  files.generation_config = R"({"eos_token_id":151936})";
  EXPECT_THAT(error_of(files), HasSubstr("generation_config.json: eos_token_id is 151936"));
  files.generation_config = R"({"top_p":1.5})";
  EXPECT_THAT(error_of(files), HasSubstr("top_p is 1.5; allowed: a number from 0 to 1"));
}

TEST(Config, ProcessorsHaveTheDefaultsOfTheirClassesWithoutFiles) {
  const ModelConfig config = parsed(files_of(published_config(k4B)));
  EXPECT_EQ(config.image_processor.shortest_edge, 3136);
  EXPECT_EQ(config.image_processor.longest_edge, 1003520);
  EXPECT_THAT(config.image_processor.image_mean, ElementsAre(0.48145466f, 0.4578275f, 0.40821073f));
  EXPECT_EQ(config.video_processor.shortest_edge, 131072);
  EXPECT_EQ(config.video_processor.longest_edge, 786432);
  EXPECT_THAT(config.video_processor.image_std, ElementsAre(0.5f, 0.5f, 0.5f));
  EXPECT_EQ(config.video_processor.fps, 2.0);
  EXPECT_EQ(config.video_processor.min_frames, 4);
  EXPECT_EQ(config.video_processor.max_frames, 768);
}

TEST(Config, ProcessorFiles) {
  ConfigFiles files = files_of(published_config(k4B));
  files.preprocessor_config =
      R"({"size":{"shortest_edge":65536,"longest_edge":16777216},"patch_size":16,"merge_size":2,)"
      R"("temporal_patch_size":2,"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.25]})";
  const ModelConfig image_only = parsed(files);
  EXPECT_EQ(image_only.image_processor.shortest_edge, 65536);
  EXPECT_EQ(image_only.image_processor.image_std[2], 0.25f);
  EXPECT_EQ(image_only.video_processor.longest_edge, 16777216);  // as transformers falls back

  files.video_preprocessor_config = R"({"min_pixels":4096,"max_pixels":25165824,"fps":1})";
  const ModelConfig both = parsed(files);
  EXPECT_EQ(both.image_processor.shortest_edge, 65536);
  EXPECT_EQ(both.video_processor.shortest_edge, 4096);
  EXPECT_EQ(both.video_processor.longest_edge, 25165824);
  EXPECT_EQ(both.video_processor.fps, 1.0);

  files.processor_config =
      R"({"image_processor":{"size":{"shortest_edge":1024,"longest_edge":4096}},)"
      R"("video_processor":{"size":{"shortest_edge":2048,"longest_edge":8192}}})";
  const ModelConfig nested = parsed(files);
  EXPECT_EQ(nested.image_processor.longest_edge, 4096);
  EXPECT_EQ(nested.video_processor.longest_edge, 8192);
}

TEST(Config, RefusesProcessorsThatWouldNotFit) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {R"({"patch_size":14})", "preprocessor_config.json: patch_size is 14; allowed: 16"},
      {R"({"merge_size":1})", "merge_size is 1; allowed: 2"},
      {R"({"size":{"height":3,"width":3}})", "size.shortest_edge is missing"},
      {R"({"size":{"shortest_edge":0,"longest_edge":3}})", "size.shortest_edge is 0"},
      {R"({"size":{"shortest_edge":4,"longest_edge":3}})", "shortest_edge 4 above longest_edge 3"},
      {R"({"do_normalize":false})", "do_normalize is false; allowed: true"},
      {R"({"resample":2})", "resample is 2; allowed: 3"},
      {R"({"rescale_factor":1.0})", "rescale_factor is 1"},
      {R"({"image_mean":[0.5,0.5]})", "image_mean is [5E-1,5E-1]; allowed: 3 numbers"},
      {R"({"image_std":[0.5,0.5,0]})", "image_std is [5E-1,5E-1,0]"},
      {R"({"image_std":0.5})", "image_std is 0.5"},
      {R"([])", "a JSON object is expected"},
  };
  for (const auto& [text, error] : cases) {
    SCOPED_TRACE(text);
    ConfigFiles files = files_of(published_config(k4B));
    files.preprocessor_config = text;
    EXPECT_THAT(error_of(files), HasSubstr(error));
  }
}

TEST(Config, NamesItselfAsTheHubDoes) {
  ConfigFiles files = files_of(with(published_config(k4B), "_name_or_path", "\"Qwen/Some-4B\""));
  EXPECT_EQ(parsed(files).name, "Qwen/Some-4B");
  files.config = with(published_config(k4B), "_name_or_path", "\"/data/run-7\"");
  EXPECT_EQ(parsed(files).name, "some-model");
  files.dir = "hub/models--Qwen--Other-4B/snapshots/0123456789abcdef/";
  EXPECT_EQ(parsed(files).name, "Qwen/Other-4B");
}

// Whatever bytes were changed: no crash, and what is accepted is within the limits that the model
// code relies on.
TEST(Config, SurvivesRandomDamage) {
  const std::string original = published_config(k30B);
  std::mt19937 random(11);
  int accepted = 0;
  for (int i = 0; i < 5000; ++i) {
    ConfigFiles files = files_of(original);
    for (int changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = random() % files.config.size();
      switch (random() % 3) {
        case 0:
          files.config[at] ^= static_cast<char>(1 << random() % 8);
          break;
        case 1:
          files.config[at] = "0123456789-.eE[]{},:\"n"[random() % 22];
          break;
        case 2:
          files.config.erase(at, 1 + random() % 20);
          break;
      }
    }
    files.preprocessor_config = files.generation_config = files.config;
    const Result<ModelConfig> config = parse_model_config(files);
    if (!config) {
      EXPECT_THAT(config.error().message, Not(HasSubstr("\n")));
      continue;
    }
    ++accepted;
    const TextConfig& text = config->text;
    ASSERT_EQ(text.num_attention_heads % text.num_key_value_heads, 0);
    ASSERT_EQ(2 * std::accumulate(text.mrope_section.begin(), text.mrope_section.end(), 0),
              text.head_dim);
    ASSERT_LE(text.num_experts_per_tok, text.num_experts);
    ASSERT_EQ(config->vision.out_hidden_size, text.hidden_size);
    ASSERT_THAT(config->eos_token_ids, Not(IsEmpty()));
    ASSERT_LT(config->image_token_id, text.vocab_size);
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace tru::weights
