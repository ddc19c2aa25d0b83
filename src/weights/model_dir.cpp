#include "weights/model_dir.h"

#include <algorithm>
#include <cstdlib>

#include "base/gguf_choice.h"
#include "weights/json_fields.h"

namespace tru::weights {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

bool is_name_part(std::string_view part) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
  return !part.empty() && part.size() <= 96 && part.front() != '.' && part.front() != '-' &&
         part.find_first_not_of(kAllowed) == std::string_view::npos &&
         part.find("--") == std::string_view::npos && part.find("..") == std::string_view::npos;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool has_weights(const fs::path& dir) {
  return is_there(dir / "model.safetensors") || is_there(dir / "model.safetensors.index.json");
}

// The first file in dir whose name ends like this, or empty.
std::string find_by_extension(const fs::path& dir, std::string_view extension) {
  std::error_code ec;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir, ec)) {
    if (entry.path().extension() == extension) return entry.path().filename().string();
  }
  return {};
}

// The files that are there, as the hub names them: at the top and in its folders.
std::vector<std::string> files_of(const fs::path& snapshot) {
  std::vector<std::string> names;
  std::error_code ec;
  fs::recursive_directory_iterator at(snapshot, ec);
  for (; !ec && at != fs::recursive_directory_iterator(); at.increment(ec)) {
    std::error_code ignored;
    if (!fs::is_regular_file(at->path(), ignored)) continue;
    names.push_back(at->path().lexically_relative(snapshot).generic_string());
  }
  return names;
}

// `model` is what the user wrote: the id, perhaps with a tag.
Result<fs::path> resolve_hub_id(std::string_view id, std::string_view model,
                                const fs::path& hub_cache) {
  const std::size_t slash = id.find('/');
  const fs::path repo =
      hub_cache / fmt::format("models--{}--{}", id.substr(0, slash), id.substr(slash + 1));
  const fs::path ref = repo / "refs" / "main";
  if (!is_there(ref)) {
    return fail(ErrorCode::model_invalid,
                "{}: no such folder, and no such model in {}; to download it run: tru pull {}",
                model, hub_cache.string(), model);
  }
  TRU_TRY(std::string revision, read_text_file(ref, 256));
  revision.erase(revision.find_last_not_of(" \r\n") + 1);
  if (revision.empty() || revision.find_first_of("/\\.") != std::string::npos ||
      !is_there(repo / "snapshots" / revision)) {
    return fail(ErrorCode::model_invalid,
                "{}: the download in {} is not complete; to finish it run: tru pull {}", model,
                repo.string(), model);
  }
  return repo / "snapshots" / revision;
}

// The snapshot itself or, of GGUF files, the text file that is meant.
Result<fs::path> choose_in(const fs::path& snapshot, std::string_view model, std::string_view tag) {
  const std::vector<std::string> files = files_of(snapshot);
  const bool has_gguf = std::any_of(files.begin(), files.end(), is_gguf_name);
  if (tag.empty() && (has_weights(snapshot) || !has_gguf)) return snapshot;
  const auto choice = choose_gguf(files, tag);
  if (choice) return snapshot / choice->text.front();
  return fail(ErrorCode::model_invalid, "{}: {}; to download it run: tru pull {}",
              snapshot.string(), choice.error().message, model);
}

}  // namespace

bool is_hub_id(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && is_name_part(text.substr(0, slash)) &&
         is_name_part(text.substr(slash + 1));
}

fs::path gguf_model_dir(const fs::path& text_file) {
  const fs::path dir = text_file.parent_path().empty() ? "." : text_file.parent_path();
  return hub_id_of_snapshot(dir.parent_path()).empty() ? dir : dir.parent_path();
}

fs::path hub_cache_dir() {
  if (const std::string cache = environment("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const std::string home = environment("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  const std::string xdg = environment("XDG_CACHE_HOME");
  const fs::path cache = xdg.empty() ? fs::path(environment("HOME")) / ".cache" : fs::path(xdg);
  return cache / "huggingface" / "hub";
}

std::string hub_id_of_snapshot(const fs::path& dir) {
  std::error_code ec;
  const fs::path full = fs::absolute(dir, ec).lexically_normal() / "";
  const fs::path snapshots = full.parent_path().parent_path();
  const std::string repo = snapshots.parent_path().filename().string();
  constexpr std::string_view kPrefix = "models--";
  if (snapshots.filename() != "snapshots" || !repo.starts_with(kPrefix)) return {};
  std::string id = repo.substr(kPrefix.size());
  const std::size_t separator = id.find("--");
  if (separator == std::string::npos) return {};
  id.replace(separator, 2, "/");
  return is_hub_id(id) ? id : std::string();
}

Result<fs::path> resolve_model_dir(std::string_view model, const fs::path& hub_cache) {
  const fs::path path(model);
  std::error_code ec;
  if (fs::is_directory(path, ec)) return path;
  if (is_there(path)) {
    if (path.extension() == ".gguf") return path;
    return fail(ErrorCode::model_invalid,
                "{}: is a file; give a *.gguf file, or the folder that holds config.json and the "
                "weights",
                model);
  }
  const TaggedName named = split_tag(model);
  if (is_hub_id(named.name)) {
    const fs::path cache = hub_cache.empty() ? hub_cache_dir() : hub_cache;
    TRU_TRY(const fs::path snapshot, resolve_hub_id(named.name, model, cache));
    return choose_in(snapshot, model, named.tag);
  }
  return fail(ErrorCode::model_invalid, "{}: no such {}", model,
              path.extension() == ".gguf" ? "file" : "folder");
}

bool is_gguf(const fs::path& model) {
  std::error_code ec;
  if (!fs::is_directory(model, ec)) return model.extension() == ".gguf";
  return !has_weights(model) && !find_by_extension(model, ".gguf").empty();
}

Status check_model_dir(const fs::path& dir) {
  const bool has_config = is_there(dir / "config.json");
  if (has_config && has_weights(dir)) return {};
  const auto bad = [&](std::string_view what) {
    return fail(ErrorCode::model_invalid, "{}: {}", dir.string(), what);
  };
  if (is_there(dir / "adapter_config.json")) {
    return bad("holds a LoRA adapter, not a model; merge it into its base model first");
  }
  if (!has_config) return bad("not a Hugging Face checkpoint: config.json is missing");
  if (is_there(dir / "pytorch_model.bin") || is_there(dir / "pytorch_model.bin.index.json")) {
    return bad("holds pytorch_model.bin; only safetensors are read, convert it to them");
  }
  return bad("no weights: model.safetensors and model.safetensors.index.json are missing");
}

}  // namespace tru::weights
