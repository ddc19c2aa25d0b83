#include "store/key_ring.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <boost/system/error_code.hpp>
#include <ctime>
#include <fstream>

#include "base/digest.h"
#include "base/private_file.h"

namespace tru::store {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::chrono::seconds kCheckEvery{1};
constexpr std::size_t kMaxNameBytes = 100;
constexpr std::array kScopes = {Scope::ask, Scope::admin, Scope::metrics};

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text, size};
}

// Keeps other programs from changing the file between reading and writing it.
class FileLock {
 public:
  explicit FileLock(const fs::path& file)
      : fd_(::open((file.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ >= 0) ::flock(fd_, LOCK_EX);
  }
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

std::string_view to_string(Scope scope) {
  switch (scope) {
    case Scope::ask:
      return "ask";
    case Scope::admin:
      return "admin";
    case Scope::metrics:
      return "metrics";
  }
  return "";
}

Result<Scope> parse_scope(std::string_view name) {
  for (const Scope scope : kScopes) {
    if (name == to_string(scope)) return scope;
  }
  return fail(ErrorCode::invalid_argument, "'{}' is no scope; allowed are ask, admin, metrics",
              name);
}

bool KeyInfo::allows(Scope scope) const {
  return std::any_of(scopes.begin(), scopes.end(),
                     [&](Scope own) { return own == scope || own == Scope::admin; });
}

Result<KeyRing> KeyRing::load(fs::path file, const std::vector<std::string>& configured) {
  KeyRing ring(std::move(file));
  TRU_TRY(ring.kept_.entries, read(ring.file_));
  std::error_code error;
  ring.kept_.written = fs::last_write_time(ring.file_, error);
  ring.kept_.checked = std::chrono::steady_clock::now();
  for (const std::string& key : configured) {
    std::string digest = sha256_hex(key);
    KeyInfo info{digest.substr(0, 8), "API_KEYS", {Scope::admin}, ""};
    ring.configured_.push_back({std::move(info), std::move(digest)});
  }
  return ring;
}

KeyRing::KeyRing(KeyRing&& other) noexcept
    : file_(std::move(other.file_)),
      configured_(std::move(other.configured_)),
      kept_(std::move(other.kept_)) {}

Result<std::vector<KeyRing::Entry>> KeyRing::read(const fs::path& file) {
  std::error_code missing;
  if (!fs::exists(file, missing)) return std::vector<Entry>();
  std::ifstream stream(file);
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  const json::value* keys = parsed.is_object() ? parsed.get_object().if_contains("keys") : nullptr;
  const auto broken =
      fail(ErrorCode::config_invalid,
           "{}: can't be read as a list of keys; restore it or remove it", file.string());
  if (!stream || error || keys == nullptr || !keys->is_array()) return broken;
  std::vector<Entry> entries;
  for (const json::value& item : keys->get_array()) {
    if (!item.is_object()) return broken;
    const json::object& object = item.get_object();
    Entry entry{{text_of(object, "id"), text_of(object, "name"), {}, text_of(object, "created")},
                text_of(object, "sha256")};
    const json::value* scopes = object.if_contains("scopes");
    if (entry.digest.size() != 64 || scopes == nullptr || !scopes->is_array()) return broken;
    for (const json::value& name : scopes->get_array()) {
      const auto scope = name.is_string() ? parse_scope(name.get_string()) : broken;
      if (!scope) return broken;
      entry.info.scopes.push_back(*scope);
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

Status KeyRing::write(const std::vector<Entry>& entries) {
  json::array keys;
  for (const Entry& entry : entries) {
    json::array scopes;
    for (const Scope scope : entry.info.scopes) scopes.emplace_back(to_string(scope));
    keys.push_back({{"id", entry.info.id},
                    {"name", entry.info.name},
                    {"scopes", std::move(scopes)},
                    {"created", entry.info.created},
                    {"sha256", entry.digest}});
  }
  TRU_TRY(PrivateFile file, PrivateFile::create(file_.parent_path()));
  TRU_CHECK(file.append(json::serialize(json::object{{"keys", std::move(keys)}}) + "\n"));
  const fs::path written = std::move(file).keep();
  std::error_code error;
  fs::rename(written, file_, error);
  if (error) {
    return fail(ErrorCode::config_invalid, "{}: {}", file_.string(), error.message());
  }
  kept_ = {entries, fs::last_write_time(file_, error), std::chrono::steady_clock::now()};
  return {};
}

void KeyRing::refresh() const {
  const auto now = std::chrono::steady_clock::now();
  if (now - kept_.checked < kCheckEvery) return;
  kept_.checked = now;
  std::error_code error;
  const auto written = fs::last_write_time(file_, error);
  if (error || written == kept_.written) return;
  // A file that can't be read changes nothing: the next one will be looked at again.
  if (auto entries = read(file_)) {
    kept_.entries = std::move(*entries);
    kept_.written = written;
  }
}

std::optional<KeyInfo> KeyRing::find(std::string_view key) const {
  const std::string digest = sha256_hex(key);
  const std::lock_guard lock(mutex_);
  refresh();
  std::optional<KeyInfo> found;
  for (const auto* entries : {&configured_, &std::as_const(kept_).entries}) {
    for (const Entry& entry : *entries) {
      if (equal_in_constant_time(entry.digest, digest)) found = entry.info;
    }
  }
  return found;
}

bool KeyRing::empty() const {
  const std::lock_guard lock(mutex_);
  refresh();
  return configured_.empty() && kept_.entries.empty();
}

std::vector<KeyInfo> KeyRing::list() const {
  const std::lock_guard lock(mutex_);
  refresh();
  std::vector<KeyInfo> infos;
  for (const Entry& entry : kept_.entries) infos.push_back(entry.info);
  return infos;
}

Result<std::string> KeyRing::add(const std::string& name, const std::vector<Scope>& scopes) {
  if (name.empty() || name.size() > kMaxNameBytes) {
    return fail(ErrorCode::invalid_argument, "a key's name has from 1 to {} bytes", kMaxNameBytes);
  }
  if (scopes.empty()) {
    return fail(ErrorCode::invalid_argument, "a key needs a scope: ask, admin or metrics");
  }
  std::error_code error;
  if (fs::create_directories(file_.parent_path(), error)) {
    fs::permissions(file_.parent_path(), fs::perms::owner_all, error);
  }
  if (error) {
    return fail(ErrorCode::config_invalid, "{}: {}", file_.parent_path().string(), error.message());
  }
  const std::lock_guard lock(mutex_);
  const FileLock others(file_);
  TRU_TRY(std::vector<Entry> entries, read(file_));
  std::string key = "tru_" + random_hex(20);
  entries.push_back({{random_hex(4), name, scopes, utc_now()}, sha256_hex(key)});
  TRU_CHECK(write(entries));
  return key;
}

Result<KeyInfo> KeyRing::revoke(std::string_view id_or_name) {
  const std::lock_guard lock(mutex_);
  const FileLock others(file_);
  TRU_TRY(std::vector<Entry> entries, read(file_));
  const auto is_meant = [&](const Entry& entry) {
    return entry.info.id == id_or_name || entry.info.name == id_or_name;
  };
  const auto count = std::count_if(entries.begin(), entries.end(), is_meant);
  if (count == 0) return fail(ErrorCode::not_found, "there is no key '{}'", id_or_name);
  if (count > 1) {
    return fail(ErrorCode::invalid_argument, "{} keys are named '{}': say which by its id", count,
                id_or_name);
  }
  const auto found = std::find_if(entries.begin(), entries.end(), is_meant);
  KeyInfo info = found->info;
  entries.erase(found);
  TRU_CHECK(write(entries));
  return info;
}

}  // namespace tru::store
