#include "weights/mapped_file.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace tru::weights {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::string reason() {
  return std::generic_category().message(errno);
}

}  // namespace

void MappedFile::Unmap::operator()(const std::byte* data) const {
  ::munmap(const_cast<std::byte*>(data), size);
}

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code ec;
  // Asked first because opening a pipe would wait for its other end.
  if (!std::filesystem::is_regular_file(path, ec)) {
    return fail(ErrorCode::model_invalid, "{}: no such file", name);
  }
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(name.c_str(), "rbe"));
  if (!file) return fail(ErrorCode::model_invalid, "{}: cannot be opened: {}", name, reason());
  struct stat status {};
  if (::fstat(::fileno(file.get()), &status) != 0) {
    return fail(ErrorCode::model_invalid, "{}: cannot be read: {}", name, reason());
  }
  if (status.st_size == 0) return fail(ErrorCode::model_invalid, "{}: is empty", name);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, ::fileno(file.get()), 0);
  if (data == MAP_FAILED) {
    return fail(ErrorCode::model_invalid, "{}: cannot be mapped: {}", name, reason());
  }
  return MappedFile(path, Mapping(static_cast<const std::byte*>(data), Unmap{size}));
}

}  // namespace tru::weights
