#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>

#include "base/base64.h"
#include "pipeline/media_set.h"

namespace tru::pipeline {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Resolves %XX.
std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                        hex_digit(text[i + 2]) >= 0;
    if (!escape) {
      decoded += text[i];
      continue;
    }
    decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return decoded;
}

// An anonymous file that exists as long as the descriptor.
Result<std::shared_ptr<const int>> keep_in_memory(const std::vector<std::uint8_t>& bytes) {
  const int fd = memfd_create("media", MFD_CLOEXEC);
  if (fd < 0) return fail(ErrorCode::internal, "no memory for a data: URL");
  std::shared_ptr<const int> owner(new int(fd), [](const int* p) {
    close(*p);
    delete p;
  });
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written = write(fd, bytes.data() + done, bytes.size() - done);
    if (written <= 0) return fail(ErrorCode::internal, "no memory for a data: URL");
    done += static_cast<std::size_t>(written);
  }
  return owner;
}

}  // namespace

Result<LocalFile> LocalFile::resolve(const MediaRef& ref, const fetch::Fetcher& fetcher,
                                     const fetch::Fetcher::Progress& progress,
                                     std::stop_token stop) {
  const std::string& url = ref.url;
  LocalFile file;
  if (fetch::is_web_url(url)) {
    TRU_TRY(fetch::Download download, fetcher.fetch(url, progress, stop));
    file.path_ = download.file.path();
    file.name_ = std::move(download.name);
    file.owner_ = std::make_shared<PrivateFile>(std::move(download.file));
  } else if (url.starts_with("data:")) {
    const std::size_t comma = url.find(',');
    const bool base64 = comma != std::string::npos && url.substr(0, comma).ends_with(";base64");
    const auto bytes = base64 ? decode_base64(std::string_view(url).substr(comma + 1))
                              : std::optional<std::vector<std::uint8_t>>();
    if (!bytes) {
      return fail(ErrorCode::invalid_argument,
                  "a data: URL must have the form data:TYPE;base64,DATA");
    }
    TRU_TRY(const auto memory, keep_in_memory(*bytes));
    file.path_ = fmt::format("/proc/self/fd/{}", *memory);
    file.name_ = "data";
    file.owner_ = memory;
  } else {
    file.path_ = url.starts_with("file://") ? percent_decode(std::string_view(url).substr(7)) : url;
    file.name_ = std::filesystem::path(file.path_).filename();
  }
  if (!ref.name.empty()) file.name_ = ref.name;
  return file;
}

}  // namespace tru::pipeline
