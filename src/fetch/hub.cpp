#include "fetch/hub.h"

#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <boost/system/error_code.hpp>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "base/gguf_choice.h"
#include "base/stopwatch.h"
#include "fetch/hub_cache.h"
#include "fetch/hub_client.h"

namespace tru::fetch {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::int64_t kSpareBytes = 64 << 20;  // left free on the disk
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kWeights = "model.safetensors";

// What is needed beside the weights.
bool is_wanted(std::string_view name) {
  static const std::set<std::string_view> kNames = {"config.json",
                                                    "generation_config.json",
                                                    "tokenizer.json",
                                                    "tokenizer_config.json",
                                                    "vocab.json",
                                                    "merges.txt",
                                                    "added_tokens.json",
                                                    "special_tokens_map.json",
                                                    "chat_template.json",
                                                    "chat_template.jinja",
                                                    "processor_config.json",
                                                    "preprocessor_config.json",
                                                    kIndex,
                                                    "video_preprocessor_config.json"};
  return kNames.contains(name);
}

// What counts beside GGUF files, which hold the rest.
bool is_wanted_beside_gguf(std::string_view name) {
  return name == "generation_config.json" || name.ends_with("processor_config.json");
}

bool has_checkpoint(const std::vector<std::string>& listed) {
  return std::any_of(listed.begin(), listed.end(),
                     [](const std::string& name) { return name == kIndex || name == kWeights; });
}

// The shards that the index names; without one, the one file.
Result<std::vector<std::string>> weight_files(const fs::path& snapshot, const std::string& id,
                                              const std::vector<std::string>& listed) {
  const auto is_listed = [&](std::string_view name) {
    return std::find(listed.begin(), listed.end(), name) != listed.end();
  };
  std::set<std::string> names;
  if (is_listed(kIndex)) {
    std::ifstream file(snapshot / kIndex);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    boost::system::error_code error;
    const json::value index = json::parse(text, error);
    const json::value* map =
        index.is_object() ? index.get_object().if_contains("weight_map") : nullptr;
    if (error || map == nullptr || !map->is_object()) {
      return fail(ErrorCode::model_invalid, "{}: {} is broken", id, kIndex);
    }
    for (const auto& [tensor, shard] : map->get_object()) {
      if (shard.is_string()) names.emplace(shard.get_string());
    }
  } else {
    names.emplace(kWeights);
  }
  for (const std::string& name : names) {
    if (!is_listed(name)) {
      return fail(ErrorCode::model_invalid,
                  "{} has no {}: only models with safetensors weights can be used", id, name);
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

bool is_revision(std::string_view text) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./";
  return !text.empty() && text.size() <= 200 && text.front() != '.' && text.front() != '/' &&
         text.back() != '/' && text.find_first_not_of(kAllowed) == text.npos &&
         text.find("..") == text.npos && text.find("//") == text.npos;
}

bool is_model_id(std::string_view id) {
  const std::size_t slash = id.find('/');
  if (slash == id.npos || id.find('/', slash + 1) != id.npos) return false;
  const std::string_view org = id.substr(0, slash), name = id.substr(slash + 1);
  return is_revision(org) && is_revision(name) && id.find("--") == id.npos;
}

// Runs work(item) for all items on a few threads. The first error stops the others and is returned.
template <typename Item, typename Work>
Status in_parallel(const std::vector<Item>& items, int threads, std::stop_token stop,
                   const Work& work) {
  std::stop_source inner;
  const std::stop_callback chain(stop, [&] { inner.request_stop(); });
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  Status status;
  {
    std::vector<std::jthread> workers;
    const auto count = std::min<std::size_t>(items.size(), static_cast<std::size_t>(threads));
    for (std::size_t i = 0; i < count; ++i) {
      workers.emplace_back([&] {
        for (std::size_t at; !inner.stop_requested() && (at = next++) < items.size();) {
          Status done = work(items[at], inner.get_token());
          if (done) continue;
          const std::lock_guard lock(mutex);
          if (status) status = std::move(done);
          inner.request_stop();
        }
      });
    }
  }
  if (stop.stop_requested()) return fail(ErrorCode::cancelled, "stopped");
  return status;
}

void sleep(double seconds, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, std::chrono::duration<double>(seconds), [] { return false; });
}

class Pull {
 public:
  Pull(const HubConfig& config, const TaggedName& name, PullListener& listener,
       std::stop_token stop)
      : config_(config),
        id_(name.name),
        tag_(name.tag),
        client_(config, id_),
        cache_(config.cache, id_),
        listener_(listener),
        stop_(std::move(stop)) {}

  using Accept = std::function<Status(const fs::path&)>;

  Result<PulledModel> run(const std::string& revision, const Accept& accept) {
    TRU_TRY(const HubListing listing,
            retried(stop_, [&] { return client_.list(revision, stop_); }));
    commit_ = listing.commit;
    const bool gguf =
        !tag_.empty() || (!has_checkpoint(listing.names) &&
                          std::any_of(listing.names.begin(), listing.names.end(), is_gguf_name));
    TRU_TRY(PulledModel pulled, gguf ? fetch_gguf(listing, accept) : fetch_hf(listing, accept));
    TRU_CHECK(cache_.set_ref(revision, commit_));
    return pulled;
  }

 private:
  // A checkpoint in Hugging Face's own layout.
  Result<PulledModel> fetch_hf(const HubListing& listing, const Accept& accept) {
    std::vector<std::string> names;
    std::copy_if(listing.names.begin(), listing.names.end(), std::back_inserter(names), is_wanted);
    if (std::find(names.begin(), names.end(), "config.json") == names.end()) {
      return fail(ErrorCode::model_invalid, "{} is not a model that can be used: no config.json",
                  id_);
    }
    TRU_CHECK(cache_.make_folders(commit_));
    TRU_CHECK(fetch(names));
    TRU_CHECK(accept(cache_.snapshot(commit_)));
    TRU_TRY(const auto weights, weight_files(cache_.snapshot(commit_), id_, listing.names));
    TRU_CHECK(fetch(weights));
    return PulledModel{cache_.snapshot(commit_), commit_,
                       static_cast<int>(names.size() + weights.size()), fetched_};
  }

  Result<PulledModel> fetch_gguf(const HubListing& listing, const Accept& accept) {
    const auto choice = choose_gguf(listing.names, tag_);
    if (!choice) return fail(choice.error().code, "{}: {}", id_, choice.error().message);
    const fs::path snapshot = cache_.snapshot(commit_);
    if (choice->mmproj.empty()) {
      return fail(ErrorCode::model_invalid,
                  "{} has no vision file (mmproj): a model that cannot see is of no use here", id_);
    }
    listener_.on_choice(choice->text.front(), choice->mmproj, choice->rest);
    std::vector<std::string> names{choice->mmproj};
    std::copy_if(listing.names.begin(), listing.names.end(), std::back_inserter(names),
                 is_wanted_beside_gguf);
    TRU_CHECK(cache_.make_folders(commit_));
    TRU_CHECK(fetch(names));
    TRU_CHECK(accept(snapshot / choice->mmproj));
    TRU_CHECK(fetch(choice->text));
    return PulledModel{snapshot / choice->text.front(), commit_,
                       static_cast<int>(names.size() + choice->text.size()), fetched_};
  }

  // A few tries, farther and farther apart; `busy` becomes the error that the user sees.
  template <typename Ask>
  auto retried(std::stop_token stop, const Ask& ask) -> decltype(ask()) {
    for (int attempt = 1;; ++attempt) {
      auto answer = ask();
      if (answer || answer.error().code != ErrorCode::busy) return answer;
      if (!wait(attempt, "the hub", answer.error().message, stop)) return given_up(answer.error());
    }
  }

  bool wait(int attempt, const std::string& what, const std::string& why, std::stop_token stop) {
    if (attempt >= config_.attempts || stop.stop_requested()) return false;
    {
      const std::lock_guard lock(mutex_);
      listener_.on_retry(what, why);
    }
    sleep(std::min(0.5 * (1 << (attempt - 1)), 8.0), stop);
    return true;
  }

  static tl::unexpected<Error> given_up(const Error& error) {
    return fail(ErrorCode::model_invalid, "{}; run the same command again to go on", error.message);
  }

  // Brings these files into the snapshot.
  Status fetch(const std::vector<std::string>& names) {
    std::vector<std::string> missing;
    for (const std::string& name : names) {
      if (!cache_.has(commit_, name)) missing.push_back(name);
    }
    std::vector<HubFile> files;
    TRU_CHECK(in_parallel(missing, config_.parallel_files, stop_,
                          [&](const std::string& name, std::stop_token stop) -> Status {
                            TRU_TRY(HubFile file, retried(stop, [&] {
                                      return client_.describe(commit_, name, stop);
                                    }));
                            const std::lock_guard lock(mutex_);
                            files.push_back(std::move(file));
                            return {};
                          }));
    TRU_CHECK(plan(files));
    // The large ones first: nothing waits for them at the end.
    std::sort(files.begin(), files.end(),
              [](const HubFile& a, const HubFile& b) { return a.size > b.size; });
    return in_parallel(
        files, config_.parallel_files, stop_,
        [&](const HubFile& file, std::stop_token stop) { return fetch_file(file, stop); });
  }

  Status plan(const std::vector<HubFile>& files) {
    std::int64_t all = 0, needed = 0;
    for (const HubFile& file : files) {
      std::error_code error;
      all += file.size;
      const fs::path blob = cache_.blob(file.etag);
      const auto partial = fs::file_size(blob.string() + ".incomplete", error);
      if (!error) needed -= static_cast<std::int64_t>(partial);
      if (!fs::exists(blob, error)) needed += file.size;
    }
    const std::int64_t free = cache_.free_bytes();
    if (needed > 0 && needed + kSpareBytes > free) {
      return fail(ErrorCode::storage_full,
                  "{} needs {:.1f} GB more, and {} has {:.1f} GB free; free some space or set "
                  "HF_HOME to a larger disk",
                  id_, 1e-9 * static_cast<double>(needed), config_.cache.string(),
                  1e-9 * static_cast<double>(free));
    }
    listener_.on_plan(static_cast<int>(files.size()), all);
    return {};
  }

  Status fetch_file(const HubFile& file, std::stop_token stop) {
    const Stopwatch watch;
    const fs::path path = cache_.blob(file.etag);
    TRU_TRY(const BlobLock held, BlobLock::acquire(cache_.lock(file.etag), stop));
    std::error_code error;
    if (fs::exists(path, error)) {  // of another revision, or another program's work meanwhile
      count(file.size, 0);
    } else {
      TRU_CHECK(fetch_blob(file, path, stop));
    }
    TRU_CHECK(cache_.link(commit_, file));
    const std::lock_guard lock(mutex_);
    listener_.on_file(file.name, file.size, watch.elapsed_ms() / 1000);
    return {};
  }

  Status fetch_blob(const HubFile& file, const fs::path& path, std::stop_token stop) {
    bool opened = false;  // what was there before was not fetched now
    TRU_TRY(PartialBlob blob, PartialBlob::open(path, file, [&](std::int64_t bytes) {
              count(bytes, opened ? bytes : 0);
            }));
    opened = true;
    bool again = false;
    for (int attempt = 1;;) {
      const std::int64_t before = blob.size();
      Status status;
      if (!blob.complete()) status = client_.read(commit_, file.name, before, blob, stop);
      if (stop.stop_requested()) return fail(ErrorCode::cancelled, "stopped");
      if (blob.complete()) {
        TRU_TRY(const bool good, blob.finish());
        if (good) return {};
        if (std::exchange(again, true)) {
          return fail(ErrorCode::model_invalid,
                      "{}: what came is not what the hub lists (wrong digest); run it again later",
                      file.name);
        }
        continue;
      }
      if (status) status = fail(ErrorCode::busy, "{} ended early", file.name);
      if (status.error().code != ErrorCode::busy) return status;
      if (blob.size() > before) attempt = 1;
      if (!wait(attempt++, file.name, status.error().message, stop))
        return given_up(status.error());
    }
  }

  void count(std::int64_t bytes, std::int64_t fetched) {
    const std::lock_guard lock(mutex_);
    fetched_ += fetched;
    listener_.on_bytes(bytes, fetched);
  }

  const HubConfig& config_;
  const std::string id_, tag_;
  const HubClient client_;
  const HubCache cache_;
  PullListener& listener_;
  const std::stop_token stop_;
  std::string commit_;
  std::mutex mutex_;  // for the listener, and:
  std::int64_t fetched_ = 0;
};

}  // namespace

Result<PulledModel> pull_model(const HubConfig& config, const std::string& name,
                               const std::string& revision,
                               const std::function<Status(const fs::path&)>& accept,
                               PullListener& listener, std::stop_token stop) {
  const TaggedName named = split_tag(name);
  const bool empty_tag = named.tag.empty() && named.name != name;
  if (!is_model_id(named.name) || empty_tag || (!named.tag.empty() && !is_revision(named.tag))) {
    return fail(ErrorCode::invalid_argument,
                "'{}' is not a model's name; they look like Qwen/Qwen3-VL-2B-Instruct, or "
                "Qwen/Qwen3-VL-2B-Instruct-GGUF:Q8_0",
                name);
  }
  if (!is_revision(revision)) {
    return fail(ErrorCode::invalid_argument, "'{}' is not a branch, tag or commit", revision);
  }
  return Pull(config, named, listener, std::move(stop)).run(revision, accept);
}

}  // namespace tru::fetch
