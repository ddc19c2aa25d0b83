// Bodies on their way to the disk, in constant memory: a form's parts one after the other, or a
// whole body as one file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/private_file.h"
#include "http/exchange.h"
#include "http/multipart.h"
#include "http/problem.h"
#include "http/task.h"

namespace tru::http {

// Fill one in before the co_await that passes it on: GCC 12 frees the strings of a braced one
// twice.
struct SaveOptions {
  std::filesystem::path folder;
  std::uint64_t limit_bytes = 0;      // more is 413 upload_too_large
  std::string suffix;                 // of the file's random name
  std::uint64_t keep_free_bytes = 0;  // of the disk; else 507 storage_full
  // Sees every piece in order, on a worker thread: for a hash.
  std::function<void(std::string_view)> on_bytes;
};

// The rest of the body, or 507 storage_full, 500 storage_error, or what read_some() refuses. The
// file is removed on every way but success.
Task<Expected<PrivateFile>> save_body(Exchange& exchange, SaveOptions options);

// Removes a file on a worker thread: a large one takes the disk a while.
void discard(Workers& workers, PrivateFile file);

//   TRU_HTTP_TRY(FormReader form, FormReader::open(exchange, max_bytes));
//   for (;;) {
//     TRU_HTTP_TRY(const auto part, co_await form.next());
//     if (!part) break;
//     if (part->filename) { TRU_HTTP_TRY(video, co_await form.save(options)); }
//     else { TRU_HTTP_TRY(fields[part->name], co_await form.read_text()); }
//   }
class FormReader {
 public:
  // 415 multipart_expected; 413 upload_too_large when Content-Length alone is above body_limit.
  static Expected<FormReader> open(Exchange& exchange, std::uint64_t body_limit_bytes,
                                   MultipartLimits limits = {});

  // The next part, after skipping what was not read of this one; nothing at the form's end.
  Task<Expected<std::optional<FormPart>>> next();

  // This part's content: 413 field_too_large, its field named.
  Task<Expected<std::string>> read_text(std::size_t limit_bytes = 64 << 10);

  // This part's content as a file; errors as save_body().
  Task<Expected<PrivateFile>> save(SaveOptions options);

  FormReader(FormReader&&) noexcept;
  FormReader& operator=(FormReader&&) noexcept;
  ~FormReader();

 private:
  struct State;
  explicit FormReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tru::http
