#include "media/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tru::media {

Result<std::shared_ptr<const InputFile>> InputFile::open(const std::filesystem::path& path,
                                                         std::string name) {
  if (name.empty()) name = path.filename().string();
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return fail(ErrorCode::media_not_found, "{} cannot be opened: {}", path.string(),
                std::strerror(errno));
  struct stat status {};
  const bool is_file = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  std::shared_ptr<const InputFile> file(new InputFile(fd, status.st_size, name));
  if (!is_file) return fail(ErrorCode::media_not_found, "{} is not a file", path.string());
  if (file->size_bytes_ == 0) return fail(ErrorCode::media_empty, "{} is empty", name);
  return file;
}

InputFile::~InputFile() {
  ::close(fd_);
}

std::int64_t InputFile::read(std::int64_t position, std::uint8_t* to, std::size_t count) const {
  for (;;) {
    const ssize_t read = ::pread(fd_, to, count, position);
    if (read >= 0 || errno != EINTR) return read;
  }
}

}  // namespace tru::media
