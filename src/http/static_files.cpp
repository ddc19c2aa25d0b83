#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "http/files.h"
#include "http/text.h"

namespace tru::http {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".txt", "text/plain; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".mp4", "video/mp4"},
    {".wasm", "application/wasm"},
};

std::string_view type_of(const std::string& path) {
  for (const auto& [suffix, type] : kTypes) {
    if (path.ends_with(suffix)) return type;
  }
  return "application/octet-stream";
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// FNV-1a: tells versions of a file apart, no more.
std::string hash_of(std::string_view content) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : content) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

// Does a field such as "gzip, br;q=0.5" take this coding?
bool accepts(std::string_view field, std::string_view coding) {
  bool accepted = false;
  split(field, ',', [&](std::string_view item) {
    const auto name = trim(item.substr(0, item.find(';')));
    const bool refused =
        item.find("q=0") != std::string_view::npos &&
        item.find_first_of("123456789", item.find("q=0")) == std::string_view::npos;
    if (same_word(name, coding)) accepted = !refused;
    return true;
  });
  return accepted;
}

}  // namespace

Result<StaticFiles> StaticFiles::load(const fs::path& folder, Options options) {
  StaticFiles files;
  files.options_ = std::move(options);
  std::error_code error;
  std::map<std::string, Content> contents;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->is_regular_file()) continue;
    const auto name = "/" + entry->path().lexically_relative(folder).generic_string();
    contents.emplace(name, std::make_shared<const std::string>(read_file(entry->path())));
  }
  if (error) {
    return fail(ErrorCode::config_invalid, "the folder of the web page cannot be read: {}",
                folder.string());
  }
  const auto content = [&](const std::string& name) -> Content {
    const auto found = contents.find(name);
    return found == contents.end() ? nullptr : found->second;
  };
  for (const auto& [name, plain] : contents) {
    const bool is_compressed_form = (name.ends_with(".br") || name.ends_with(".gz")) &&
                                    content(name.substr(0, name.size() - 3)) != nullptr;
    if (is_compressed_form) continue;
    files.files_[name] =
        std::make_shared<const File>(File{plain, content(name + ".br"), content(name + ".gz"),
                                          std::string(type_of(name)), hash_of(*plain)});
  }
  // The names that pages have besides; those of files come first.
  for (const std::string_view suffix : {".html", "/index.html"}) {
    for (const auto& [name, plain] : contents) {
      const auto file = files.files_.find(name);
      if (file == files.files_.end() || !name.ends_with(suffix)) continue;
      const auto short_name = name.substr(0, name.size() - suffix.size());
      files.files_.emplace(short_name.empty() ? "/" : short_name, file->second);
    }
  }
  return files;
}

std::vector<std::string> StaticFiles::paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, file] : files_) paths.push_back(path);
  return paths;
}

Response StaticFiles::answer(const Exchange& exchange) const {
  const auto& path = exchange.head().path();
  const auto found = files_.find(path);
  if (found == files_.end()) return refusal::not_found;

  const File* file = found->second.get();
  Response response(200, file->content_type, "");
  const auto codings = exchange.head().header("Accept-Encoding").value_or("");
  const bool brotli = file->brotli && accepts(codings, "br");
  const bool gzip = !brotli && file->gzip && accepts(codings, "gzip");
  if (brotli || gzip) response.headers.set("Content-Encoding", brotli ? "br" : "gzip");
  if (file->brotli || file->gzip) response.headers.add("Vary", "Accept-Encoding");
  response.body = brotli ? file->brotli : gzip ? file->gzip : file->plain;
  if (file->content_type.starts_with("text/html") && !options_.html_csp.empty()) {
    response.headers.set("Content-Security-Policy", options_.html_csp);
  }
  const bool immutable = path.starts_with(options_.immutable_prefix);
  response.headers.set("Cache-Control",
                       immutable ? "public, max-age=31536000, immutable" : "no-cache");
  const auto coding = brotli ? "-br" : gzip ? "-gz" : "";
  return with_etag(exchange, fmt::format("\"{}{}\"", file->hash, coding), std::move(response));
}

}  // namespace tru::http
