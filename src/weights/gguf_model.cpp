#include "weights/gguf_model.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/gguf_choice.h"
#include "weights/convert.h"
#include "weights/gguf_config.h"
#include "weights/gguf_names.h"
#include "weights/model_dir.h"
#include "weights/tensor_list.h"

namespace tru::weights {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxParts = 100'000;   // as many as names have digits for
constexpr std::size_t kText = 0, kMmproj = 1;  // index in files and headers

// The GGUF files of a folder, by what they are.
struct Listing {
  std::vector<std::string> texts, mmprojs;
  std::vector<std::string> damaged, foreign;  // why others are neither, as messages
};

bool is_text_architecture(std::string_view architecture) {
  return architecture == "qwen3vl" || architecture == "qwen3vlmoe";
}

// A number that a model in several files says of itself.
std::int64_t split_number(const GgufHeader& header, std::string_view key, std::int64_t otherwise) {
  const auto value = header.json(key);
  if (const auto* number = value.if_int64()) return *number;
  const auto* number = value.if_uint64();
  return number != nullptr && *number < kMaxParts ? static_cast<std::int64_t>(*number) : otherwise;
}

bool is_later_part(const GgufHeader& header) {
  return split_number(header, "split.no", 0) != 0;
}

void add_file(const fs::path& path, Listing& listing) {
  const auto file = MappedFile::open(path);
  const auto header = file ? GgufHeader::parse(file->bytes(), path.string())
                           : Result<GgufHeader>(tl::unexpected(file.error()));
  if (!header) {
    listing.damaged.push_back(header.error().message);
    return;
  }
  if (is_later_part(*header)) return;
  const std::string_view architecture = gguf_architecture(*header);
  const std::string name = path.filename().string();
  if (architecture == "clip") {
    listing.mmprojs.push_back(name);
  } else if (!is_text_architecture(architecture)) {
    listing.foreign.push_back(fmt::format(
        "{}: general.architecture is \"{}\"; allowed: qwen3vl, qwen3vlmoe, and clip for the vision "
        "file",
        path.string(), architecture.substr(0, 64)));
  } else {
    listing.texts.push_back(name);
  }
}

Listing list_files(const fs::path& dir) {
  std::vector<fs::path> paths;
  std::error_code ec;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir, ec)) {
    if (entry.path().extension() == ".gguf") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  Listing listing;
  for (const fs::path& path : paths) add_file(path, listing);
  return listing;
}

// `others` tell why one may be missing: the first of them does.
Result<std::string> only_one(const std::vector<std::string>& names,
                             const std::vector<std::string>& others, const fs::path& dir,
                             std::string_view what, std::string_view advice) {
  if (names.size() == 1) return names.front();
  if (names.empty() && !others.empty()) {
    return fail(ErrorCode::model_invalid, "{}", others.front());
  }
  if (names.empty()) {
    return fail(ErrorCode::model_invalid, "{}: there is no {}", dir.string(), what);
  }
  return fail(ErrorCode::model_invalid, "{}: there are several {}s: {}; {}", dir.string(), what,
              fmt::join(names, ", "), advice);
}

// What has no published counterpart in the files counts as missing.
Result<TensorView> find_tensor(std::span<const GgufHeader> headers, std::string_view published,
                               const VisionConfig& vision) {
  const GgufName name = gguf_name(published, vision);
  if (name.name.empty()) {
    return fail(ErrorCode::model_invalid, "tensor {} is missing", published);
  }
  TRU_TRY(TensorView view, headers[name.is_vision ? kMmproj : kText].tensor(name.name));
  view.name = published;
  if (name.is_vision) view.file = kMmproj;
  return view;
}

// Maps the parts after the first of a text model, if it has any, and adds their tensors to `text`.
Status open_parts(const fs::path& path, GgufHeader& text, std::vector<MappedFile>& files) {
  const std::int64_t count = split_number(text, "split.count", 1);
  if (count <= 1) return {};
  const auto part = gguf_part(path.filename().string());
  if (!part || part->number != 1 || part->count != count) {
    return fail(ErrorCode::model_invalid,
                "{}: is the first of {} parts, so its name must end in -00001-of-{:05}.gguf",
                text.file(), count, count);
  }
  for (int number = 2; number <= part->count; ++number) {
    const fs::path other = path.parent_path() / gguf_part_name(*part, number);
    TRU_TRY(MappedFile file, MappedFile::open(other));
    TRU_TRY(GgufHeader header, GgufHeader::parse(file.bytes(), other.string()));
    if (split_number(header, "split.no", 0) != number - 1 ||
        split_number(header, "split.count", 1) != count) {
      return fail(ErrorCode::model_invalid, "{}: is not part {} of {} of a model", other.string(),
                  number, count);
    }
    TRU_CHECK(text.add_part(std::move(header), files.size()));
    files.push_back(std::move(file));
  }
  const auto expected = split_number(text, "split.tensors.count", 0);
  if (expected != 0 && expected != static_cast<std::int64_t>(text.num_tensors())) {
    return fail(ErrorCode::model_invalid,
                "{}: split.tensors.count is {}, but the parts have {} tensors: they are of "
                "different models",
                text.file(), expected, text.num_tensors());
  }
  return {};
}

constexpr std::string_view kPatchEmbedding = "model.visual.patch_embed.proj.weight";

}  // namespace

Result<GgufPaths> find_gguf(const fs::path& model, const fs::path& chosen_mmproj) {
  std::error_code ec;
  GgufPaths paths;
  fs::path dir = model;
  if (!fs::is_directory(model, ec)) {
    const auto part = gguf_part(model.filename().string());
    if (part && part->number > 1) {
      return fail(ErrorCode::model_invalid, "{}: is part {} of {}; give the first, {}",
                  model.string(), part->number, part->count, gguf_part_name(*part, 1));
    }
    Listing itself;
    add_file(model, itself);
    if (!itself.mmprojs.empty()) {
      return fail(ErrorCode::model_invalid,
                  "{}: is the vision file; give the text model that belongs to it", model.string());
    }
    itself.damaged.insert(itself.damaged.end(), itself.foreign.begin(), itself.foreign.end());
    TRU_CHECK(only_one(itself.texts, itself.damaged, model, "text model", ""));
    paths.text = model;
    dir = gguf_model_dir(model);
  }
  const Listing listing = list_files(dir);
  if (paths.text.empty()) {
    std::vector<std::string> others = listing.damaged;
    others.insert(others.end(), listing.foreign.begin(), listing.foreign.end());
    TRU_TRY(const std::string text, only_one(listing.texts, others, dir, "text model",
                                             "give the path of the one you mean"));
    paths.text = dir / text;
  }
  if (!chosen_mmproj.empty()) {
    Listing chosen;
    add_file(chosen_mmproj, chosen);
    TRU_CHECK(only_one(chosen.mmprojs, chosen.damaged, chosen_mmproj, "vision file", ""));
    paths.mmproj = chosen_mmproj;
    return paths;
  }
  const bool of_hub = !hub_id_of_snapshot(dir).empty();
  if (of_hub && listing.mmprojs.size() > 1) {
    paths.mmproj = dir / choose_mmproj(listing.mmprojs);
    return paths;
  }
  TRU_TRY(const std::string mmproj,
          only_one(listing.mmprojs, listing.damaged, dir, "vision file (mmproj-*.gguf)",
                   "leave only the one you mean, or name it with --mmproj"));
  paths.mmproj = dir / mmproj;
  return paths;
}

Status check_gguf_vision(const fs::path& mmproj) {
  TRU_TRY(const MappedFile file, MappedFile::open(mmproj));
  TRU_TRY(const GgufHeader header, GgufHeader::parse(file.bytes(), mmproj.string()));
  return check_vision_config(header);
}

Result<GgufModel> GgufModel::open(const GgufPaths& paths) {
  GgufModel model;
  for (const fs::path& path : {paths.text, paths.mmproj}) {
    TRU_TRY(MappedFile file, MappedFile::open(path));
    TRU_TRY(GgufHeader header, GgufHeader::parse(file.bytes(), path.string()));
    model.files_.push_back(std::move(file));
    model.headers_.push_back(std::move(header));
  }
  GgufHeader& text = model.headers_[kText];
  TRU_CHECK(open_parts(paths.text, text, model.files_));
  TRU_TRY(model.config_, parse_gguf_config(text, model.headers_[kMmproj], paths.text));
  TRU_CHECK(model.read_vocabulary());
  TRU_CHECK(model.join_patch_embedding());
  TRU_CHECK(model.check_tensors());
  return model;
}

Status GgufModel::read_vocabulary() {
  const GgufHeader& text = headers_[kText];
  const std::string_view kind = text.text("tokenizer.ggml.model");
  if (kind != "gpt2") {
    return fail(ErrorCode::model_invalid, "{}: tokenizer.ggml.model is \"{}\"; allowed: gpt2",
                text.file(), kind.substr(0, 64));
  }
  for (const char* key : {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token"}) {
    if (text.json(key) == true) {
      return fail(ErrorCode::model_invalid, "{}: {} is true; allowed: false", text.file(), key);
    }
  }
  TRU_TRY(vocabulary_.tokens, text.texts("tokenizer.ggml.tokens"));
  TRU_TRY(vocabulary_.types, text.integers("tokenizer.ggml.token_type"));
  TRU_TRY(vocabulary_.merges, text.texts("tokenizer.ggml.merges"));
  vocabulary_.pre = text.text("tokenizer.ggml.pre");
  vocabulary_.chat_template = text.text("tokenizer.chat_template");
  if (vocabulary_.tokens.size() != static_cast<std::size_t>(config_.text.vocab_size) ||
      vocabulary_.types.size() != vocabulary_.tokens.size()) {
    return fail(ErrorCode::model_invalid,
                "{}: {} tokens, {} token types and {} rows of token_embd.weight do not agree",
                text.file(), vocabulary_.tokens.size(), vocabulary_.types.size(),
                config_.text.vocab_size);
  }
  return {};
}

// [hidden, 3, 2, size, size] from the kernels of the first and the second frame.
Status GgufModel::join_patch_embedding() {
  const VisionConfig& vision = config_.vision;
  const GgufHeader& mmproj = headers_[kMmproj];
  const std::string name = gguf_name(kPatchEmbedding, vision).name;
  const std::vector<std::int64_t> shape = {vision.hidden_size, vision.in_channels,
                                           vision.patch_size, vision.patch_size};
  const auto area = static_cast<std::size_t>(vision.patch_size * vision.patch_size);
  for (std::size_t frame = 0; frame < 2; ++frame) {
    TRU_TRY(const TensorView kernel, mmproj.tensor(frame == 0 ? name : name + ".1"));
    if (kernel.shape != shape) {
      return fail(ErrorCode::model_invalid, "{}: tensor {} has shape [{}]; expected [{}]",
                  mmproj.file(), kernel.name, fmt::join(kernel.shape, ", "),
                  fmt::join(shape, ", "));
    }
    const std::vector<float> values = to_f32(kernel);
    patch_embedding_.resize(2 * values.size());
    for (std::size_t at = 0; at < values.size(); at += area) {
      std::copy_n(&values[at], area, &patch_embedding_[2 * at + frame * area]);
    }
  }
  return {};
}

Status GgufModel::check_tensors() {
  for (const TensorSpec& spec : expected_tensors(config_)) {
    std::vector<std::string> names = expert_parts(spec.name);
    std::vector<std::int64_t> shape = spec.shape;
    if (names.empty()) {
      names = {spec.name};
    } else {
      shape = {spec.shape[0], spec.shape[2] / static_cast<std::int64_t>(names.size()),
               spec.shape[1]};
    }
    for (const std::string& name : names) {
      TRU_TRY(const TensorView view, tensor(name));
      if (view.shape == shape) continue;
      const GgufName stored = gguf_name(name, config_.vision);
      return fail(ErrorCode::model_invalid,
                  "{}: tensor {} has shape [{}]; the metadata ask for [{}]",
                  headers_[stored.is_vision ? kMmproj : kText].file(), stored.name,
                  fmt::join(view.shape, ", "), fmt::join(shape, ", "));
    }
  }
  return {};
}

std::vector<std::string> GgufModel::expert_parts(std::string_view name) {
  constexpr std::string_view kGateUp = "experts.gate_up_proj", kDown = "experts.down_proj";
  if (name.ends_with(kDown)) return {std::string(name)};
  if (!name.ends_with(kGateUp)) return {};
  const std::string base(name.substr(0, name.size() - kGateUp.size()));
  return {base + "experts.gate_proj", base + "experts.up_proj"};
}

Result<TensorView> GgufModel::tensor(std::string_view name) const {
  if (name != kPatchEmbedding) return find_tensor(headers_, name, config_.vision);
  const VisionConfig& vision = config_.vision;
  return TensorView{.name = std::string(name),
                    .dtype = Dtype::f32,
                    .shape = {vision.hidden_size, vision.in_channels, vision.temporal_patch_size,
                              vision.patch_size, vision.patch_size},
                    .data = std::as_bytes(std::span(patch_embedding_)),
                    .file = files_.size()};
}

}  // namespace tru::weights
