// API keys: who may use the service, and for what. Only digests are kept; a key is seen once, when
// it is made. Keys are 160 random bits, so a plain SHA-256 of one tells nothing about it.
#pragma once

#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tru::store {

enum class Scope { ask, admin, metrics };

// Names as in `tru keys add --scopes`. Error: invalid_argument.
Result<Scope> parse_scope(std::string_view name);
std::string_view to_string(Scope scope);

struct KeyInfo {
  std::string id;    // 8 hex digits: names the key, gives nothing of it away
  std::string name;  // the user's own
  std::vector<Scope> scopes;
  std::string created;  // UTC, "2026-11-24T22:00:00Z"

  bool allows(Scope scope) const;  // admin allows everything
};

// Safe to use from several threads. What another program changes in the file is seen within a
// second.
class KeyRing {
 public:
  // configured: keys beside those of the file, for everything (API_KEYS). No file is an empty one.
  // Errors: config_invalid when there is a file that can't be read.
  static Result<KeyRing> load(std::filesystem::path file,
                              const std::vector<std::string>& configured = {});
  KeyRing(KeyRing&& other) noexcept;
  KeyRing& operator=(KeyRing&&) = delete;

  // Whose key this is; nothing if nobody's. Takes as long for any key that is not right.
  std::optional<KeyInfo> find(std::string_view key) const;
  bool empty() const;
  std::vector<KeyInfo> list() const;  // those of the file

  // Makes a key and keeps its digest; the result is the key itself. Errors: invalid_argument for an
  // empty or very long name or no scope, storage_full, config_invalid when the file can't be
  // written.
  Result<std::string> add(const std::string& name, const std::vector<Scope>& scopes);
  // By id or, when only one has it, by name. Errors: not_found, and those of add.
  Result<KeyInfo> revoke(std::string_view id_or_name);

 private:
  struct Entry {
    KeyInfo info;
    std::string digest;
  };
  struct Kept {
    std::vector<Entry> entries;
    std::filesystem::file_time_type written{};  // of the file when it was read
    std::chrono::steady_clock::time_point checked{};
  };

  explicit KeyRing(std::filesystem::path file) : file_(std::move(file)) {}
  static Result<std::vector<Entry>> read(const std::filesystem::path& file);
  Status write(const std::vector<Entry>& entries);
  void refresh() const;  // holds mutex_

  std::filesystem::path file_;
  std::vector<Entry> configured_;
  mutable std::mutex mutex_;
  mutable Kept kept_;
};

}  // namespace tru::store
