#include "store/video_store.h"

#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include "base/digest.h"
#include "store/spool.h"

namespace tru::store {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t kIdLength = 32;

std::string owner_tag(const std::string& owner) {
  return sha256_hex("owner " + owner);
}

std::string id_of(const std::string& sha256, const std::string& owner) {
  return sha256_hex("video " + sha256 + " " + owner_tag(owner)).substr(0, kIdLength);
}

bool is_id(const std::string& id) {
  return id.size() == kIdLength && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Gone a second after it went, or never: an empty object is as good as none.
json::object read_facts(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  boost::system::error_code broken;
  json::value value = json::parse(text.str(), broken);
  return !broken && value.is_object() ? value.get_object() : json::object();
}

std::string text_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

}  // namespace

Result<VideoStore> VideoStore::open(const fs::path& folder, std::chrono::seconds retention) {
  TRU_CHECK(make_private_folder(folder));
  VideoStore store(folder, retention);
  store.sweep();
  return store;
}

Result<StoredVideo> VideoStore::keep(PrivateFile file, const std::string& sha256,
                                     const std::string& owner, const std::string& name,
                                     const std::string& type) const {
  file.close();
  const std::string id = id_of(sha256, owner);
  const json::object facts{{"sha256", sha256},
                           {"owner", owner_tag(owner)},
                           {"name", name},
                           {"type", type},
                           {"bytes", file.size_bytes()}};
  TRU_TRY(PrivateFile written, PrivateFile::create(folder_, ".part"));
  TRU_CHECK(written.append(json::serialize(facts)));
  written.close();
  const std::uint64_t bytes = file.size_bytes();
  // Facts first: a video without them is never seen, facts without a video are swept.
  std::error_code error;
  fs::rename(std::move(written).keep(), facts_path(id), error);
  if (!error) fs::rename(file.path(), folder_ / id, error);
  if (error) return fail(ErrorCode::internal, "a video could not be kept: {}", error.message());
  std::move(file).keep();
  return StoredVideo{id, sha256, name, type, bytes, folder_ / id};
}

Result<StoredVideo> VideoStore::find(const std::string& id, const std::string& owner) const {
  const auto none = fail(ErrorCode::not_found, "there is no video of this id");
  if (!is_id(id)) return none;
  const json::object facts = read_facts(facts_path(id));
  const fs::path path = folder_ / id;
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(path, error);
  if (error || text_in(facts, "owner") != owner_tag(owner)) return none;
  return StoredVideo{
      id, text_in(facts, "sha256"), text_in(facts, "name"), text_in(facts, "type"), bytes, path};
}

Status VideoStore::remove(const std::string& id, const std::string& owner) const {
  TRU_TRY(const StoredVideo video, find(id, owner));
  std::error_code ignored;
  fs::remove(video.path, ignored);
  fs::remove(facts_path(id), ignored);
  return {};
}

std::size_t VideoStore::count() const {
  std::error_code ignored;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder_, ignored)) {
    count += is_id(entry.path().filename());
  }
  return count;
}

void VideoStore::sweep() const {
  constexpr std::chrono::hours kHalfDone{1};
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const fs::path& path = entry.path();
    const auto changed = fs::last_write_time(path, error);
    if (error) continue;
    const fs::path partner =
        path.has_extension() ? folder_ / path.stem() : facts_path(path.filename());
    const bool alone = !fs::exists(partner, error);
    if (now - changed < (alone ? kHalfDone : retention_)) continue;
    fs::remove(path, error);
  }
}

}  // namespace tru::store
