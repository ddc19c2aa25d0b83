// Fetches a model from the Hugging Face hub, or a mirror of it, into the cache that all of its
// programs share: models--ORG--NAME/{blobs,refs,snapshots}. Partial files stay and are gone on
// with; every byte is checked against the digest that the hub tells.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"

namespace tru::fetch {

struct HubConfig {
  std::string endpoint = "https://huggingface.co";
  std::string token;  // sent to the endpoint alone; empty: none
  std::filesystem::path cache;
  int parallel_files = 4;
  int attempts = 6;  // that bring nothing, before a file is given up
};

// Hears how a pull comes along; one call at a time, on any thread.
class PullListener {
 public:
  virtual ~PullListener() = default;
  // Of a repository with several GGUF models this one is fetched; `others` can be had by their
  // tags.
  virtual void on_choice(const std::string& text, const std::string& mmproj,
                         const std::vector<std::string>& others) = 0;
  // So much will be fetched from here on, beside what was announced before.
  virtual void on_plan(int files, std::int64_t bytes) = 0;
  // So many more are there, `fetched` of them over the network. Fewer than none: a part was thrown
  // away and comes again.
  virtual void on_bytes(std::int64_t bytes, std::int64_t fetched) = 0;
  virtual void on_file(const std::string& name, std::int64_t bytes, double seconds) = 0;
  virtual void on_retry(const std::string& name, const std::string& why) = 0;
};

struct PulledModel {
  std::filesystem::path path;  // the snapshot; of a GGUF model its text file, or the first part
  std::string commit;
  int files = 0;           // of the model
  std::int64_t bytes = 0;  // fetched now; 0: all was there
};

// name: ORG/NAME, or ORG/NAME:TAG for one of a repository's GGUF models (choose_gguf()); without a
// tag such a repository gives the usual one. `accept` is asked about the snapshot, or the GGUF
// model's vision file, when all but the other weights is there: what it refuses is not fetched.
// Afterwards refs/REVISION names the snapshot. Errors: invalid_argument for a name that is
// none, model_invalid with what to do about it, storage_full, cancelled, accept's own.
Result<PulledModel> pull_model(const HubConfig& config, const std::string& name,
                               const std::string& revision,
                               const std::function<Status(const std::filesystem::path&)>& accept,
                               PullListener& listener, std::stop_token stop);

}  // namespace tru::fetch
