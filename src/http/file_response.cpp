#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <ctime>
#include <utility>

#include "http/files.h"
#include "http/text.h"

namespace tru::http {
namespace {

struct Opened {
  std::shared_ptr<const OpenFile> file;  // null: there is none
  std::uint64_t size_bytes = 0;
  timespec changed{};
};

Opened open_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return {};
  Opened opened{std::make_shared<OpenFile>(fd), 0, {}};
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return {};
  opened.size_bytes = static_cast<std::uint64_t>(info.st_size);
  opened.changed = info.st_mtim;
  return opened;
}

std::string http_time(std::time_t time) {
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

// If-None-Match's list, weakly compared.
bool lists(std::string_view list, std::string_view etag) {
  return !split(list, ',', [&](std::string_view item) {
    item = trim(item);
    if (item.starts_with("W/")) item.remove_prefix(2);
    return item != etag && item != "*";
  });
}

bool has_already(const RequestHead& head, std::string_view etag, std::string_view changed) {
  if (const auto known = head.header("If-None-Match")) return lists(*known, etag);
  // A browser sends back the very date that it was given.
  const auto since = head.header("If-Modified-Since");
  return since && !changed.empty() && *since == changed;
}

struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

enum class Wanted { whole, part, outside };

// One range of bytes; what is malformed or asks for several gets the whole file, as RFC 9110
// allows.
Wanted parse_range(std::string_view text, std::uint64_t size, Range& range) {
  if (!same_word(text.substr(0, 6), "bytes=")) return Wanted::whole;
  text = trim(text.substr(6));
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return Wanted::whole;
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1));
  if (dash == 0) {  // the last so many
    if (!last) return Wanted::whole;
    if (*last == 0 || size == 0) return Wanted::outside;
    range = {size - std::min(*last, size), size - 1};
    return Wanted::part;
  }
  const bool open_end = dash + 1 == text.size();
  if (!first || (!last && !open_end) || (last && *last < *first)) return Wanted::whole;
  if (*first >= size) return Wanted::outside;
  range = {*first, std::min(last.value_or(size), size - 1)};
  return Wanted::part;
}

}  // namespace

OpenFile::~OpenFile() {
  ::close(fd_);
}

Task<Response> file_response(Exchange& exchange, std::filesystem::path path, FileInfo info) {
  const auto open = [&path] { return open_file(path); };
  Opened opened = co_await result_on(exchange.workers(), open);
  if (!opened.file) co_return refusal::not_found;
  const std::string changed = http_time(opened.changed.tv_sec);
  if (info.etag.empty()) {
    info.etag = fmt::format("\"{:x}-{:x}-{:x}\"", opened.size_bytes, opened.changed.tv_sec,
                            opened.changed.tv_nsec);
  }
  Response response;
  response.headers.set("ETag", info.etag);
  response.headers.set("Last-Modified", changed);
  response.headers.set("Cache-Control", info.cache_control);
  response.headers.set("Accept-Ranges", "bytes");
  const RequestHead& head = exchange.head();
  if (has_already(head, info.etag, changed)) {
    response.status = 304;
    co_return response;
  }
  response.headers.set("Content-Type", info.content_type);
  FileSlice slice{std::move(opened.file), 0, opened.size_bytes};
  const auto condition = head.header("If-Range");
  const auto asked = head.header("Range");
  Range range;
  auto wanted = Wanted::whole;
  if (asked && (!condition || *condition == info.etag || *condition == changed)) {
    wanted = parse_range(*asked, slice.length, range);
  }
  if (wanted == Wanted::outside) {
    exchange.response_headers().set("Content-Range", fmt::format("bytes */{}", slice.length));
    co_return refusal::range_not_satisfiable;
  }
  if (wanted == Wanted::part) {
    response.status = 206;
    response.headers.set("Content-Range",
                         fmt::format("bytes {}-{}/{}", range.first, range.last, slice.length));
    slice.offset = range.first;
    slice.length = range.last - range.first + 1;
  }
  response.body = std::move(slice);
  co_return response;
}

Response with_etag(const Exchange& exchange, std::string_view etag, Response response) {
  response.headers.set("ETag", etag);
  if (!has_already(exchange.head(), etag, {})) return response;
  response.status = 304;
  response.body = std::string();
  return response;
}

}  // namespace tru::http
