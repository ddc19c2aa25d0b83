#include "weights/processor_config.h"

#include <limits>

#include "weights/json_fields.h"

namespace tru::weights {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMaxPixels = std::int64_t{1} << 40;

// Values of the processor classes where a file leaves them out: Qwen2VLImageProcessor and
// Qwen3VLVideoProcessor (transformers 5.23).
ImageProcessorConfig image_defaults() {
  return {.shortest_edge = 56 * 56,
          .longest_edge = 28 * 28 * 1280,
          .image_mean = {0.48145466f, 0.4578275f, 0.40821073f},
          .image_std = {0.26862954f, 0.26130258f, 0.27577711f}};
}

VideoProcessorConfig video_defaults() {
  VideoProcessorConfig config;
  config.shortest_edge = 128 * 32 * 32;
  config.longest_edge = 768 * 32 * 32;
  config.image_mean = config.image_std = {0.5f, 0.5f, 0.5f};
  config.fps = 2.0;
  config.min_frames = 4;
  config.max_frames = 768;
  return config;
}

std::array<float, 3> rgb(JsonFields& fields, std::string_view key, double min,
                         const std::array<float, 3>& fallback) {
  if (!fields.has(key)) return fallback;
  const std::vector<double> values = fields.numbers(key, 3, min, 10.0);
  return {static_cast<float>(values[0]), static_cast<float>(values[1]),
          static_cast<float>(values[2])};
}

// The steps that TRU always takes; a checkpoint that turns one off needs another program.
void check_steps(JsonFields& fields, const VisionConfig& vision) {
  for (const char* step : {"do_resize", "do_rescale", "do_normalize"}) {
    if (!fields.boolean(step, true)) fields.fail_key(step, "is false; allowed: true");
  }
  fields.integer("resample", 3, 3, 3);  // PIL's number of bicubic
  fields.number("rescale_factor", 0.00392156, 0.00392158, 1.0 / 255.0);
  fields.integer("patch_size", vision.patch_size, vision.patch_size, vision.patch_size);
  fields.integer("merge_size", vision.spatial_merge_size, vision.spatial_merge_size,
                 vision.spatial_merge_size);
  fields.integer("temporal_patch_size", vision.temporal_patch_size, vision.temporal_patch_size,
                 vision.temporal_patch_size);
}

void parse_processor(JsonFields& fields, const VisionConfig& vision, ImageProcessorConfig& config) {
  check_steps(fields, vision);
  if (fields.has("size")) {
    JsonFields size = fields.object("size");
    config.shortest_edge = size.integer64("shortest_edge", 1, kMaxPixels);
    config.longest_edge = size.integer64("longest_edge", 1, kMaxPixels);
  }
  // The older spelling; where a file has both, this one wins (Qwen2VLImageProcessor.__init__).
  if (fields.has("min_pixels"))
    config.shortest_edge = fields.integer64("min_pixels", 1, kMaxPixels);
  if (fields.has("max_pixels")) config.longest_edge = fields.integer64("max_pixels", 1, kMaxPixels);
  if (config.shortest_edge > config.longest_edge) {
    fields.fail_key("size", fmt::format("has shortest_edge {} above longest_edge {}",
                                        config.shortest_edge, config.longest_edge));
  }
  config.image_mean = rgb(fields, "image_mean", -10.0, config.image_mean);
  config.image_std = rgb(fields, "image_std", 1e-6, config.image_std);
}

// The file that describes a processor: transformers 5 nests it in processor_config.json, which
// goes before the files of its own.
struct ProcessorSource {
  std::string name;
  std::optional<json::object> object;
};

Result<ProcessorSource> find_processor(const ConfigFiles& files, const char* nested_key,
                                       bool is_video) {
  if (files.processor_config) {
    const std::string name = (files.dir / "processor_config.json").string();
    TRU_TRY(json::object outer, parse_json_object(*files.processor_config, name));
    if (json::value* nested = outer.if_contains(nested_key); nested && nested->is_object()) {
      return ProcessorSource{name + ": " + nested_key + ".", std::move(nested->get_object())};
    }
  }
  const char* name = "preprocessor_config.json";
  const std::optional<std::string>* text = &files.preprocessor_config;
  if (is_video && files.video_preprocessor_config) {
    name = "video_preprocessor_config.json";
    text = &files.video_preprocessor_config;
  }
  if (!*text) return ProcessorSource{};
  const std::string path = (files.dir / name).string();
  TRU_TRY(json::object object, parse_json_object(**text, path));
  return ProcessorSource{path + ": ", std::move(object)};
}

}  // namespace

Status parse_processors(const ConfigFiles& files, ModelConfig& config) {
  Status status;
  TRU_TRY(const ProcessorSource image, find_processor(files, "image_processor", false));
  JsonFields image_fields(image.object ? &*image.object : nullptr, image.name, status);
  config.image_processor = image_defaults();
  parse_processor(image_fields, config.vision, config.image_processor);

  TRU_TRY(const ProcessorSource video, find_processor(files, "video_processor", true));
  JsonFields video_fields(video.object ? &*video.object : nullptr, video.name, status);
  VideoProcessorConfig& video_config = config.video_processor;
  video_config = video_defaults();
  parse_processor(video_fields, config.vision, video_config);
  video_config.fps = video_fields.number("fps", 1e-3, 1000.0, video_config.fps);
  video_config.min_frames = video_fields.integer("min_frames", 1, 1 << 20, video_config.min_frames);
  video_config.max_frames = video_fields.integer("max_frames", 1, 1 << 20, video_config.max_frames);
  return status;
}

Status parse_generation(const ConfigFiles& files, ModelConfig& config) {
  if (!files.generation_config) return {};
  const std::string name = (files.dir / "generation_config.json").string();
  TRU_TRY(const json::object object, parse_json_object(*files.generation_config, name));
  Status status;
  JsonFields fields(&object, name + ": ", status);
  GenerationConfig& generation = config.generation;
  generation.do_sample = fields.boolean("do_sample", generation.do_sample);
  generation.temperature = fields.number("temperature", 0.0, 100.0, generation.temperature);
  generation.top_p = fields.number("top_p", 0.0, 1.0, generation.top_p);
  generation.top_k = fields.integer("top_k", 0, std::numeric_limits<int>::max(), generation.top_k);
  generation.repetition_penalty =
      fields.number("repetition_penalty", 1e-3, 100.0, generation.repetition_penalty);
  if (fields.has("eos_token_id")) {
    config.eos_token_ids = fields.integers("eos_token_id", 64, 0, config.text.vocab_size - 1);
  }
  return status;
}

}  // namespace tru::weights
