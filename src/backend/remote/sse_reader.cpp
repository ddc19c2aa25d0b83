#include "backend/remote/sse_reader.h"

namespace tru::backend {
namespace {

// The first event of vLLM may hold the ids of a prompt of 262,144 tokens.
constexpr std::size_t kMaxBytes = 4 << 20;

}  // namespace

Status SseReader::push(std::string_view bytes) {
  for (const char c : bytes) {
    const bool second_half = after_cr_ && c == '\n';  // of one line's end
    after_cr_ = c == '\r';
    if (second_half) continue;
    if (c == '\n' || c == '\r') {
      TRU_CHECK(end_line());
      continue;
    }
    if (c == '\0' || line_.size() + data_.size() >= kMaxBytes) {
      return fail(ErrorCode::backend_protocol, "the back end's stream holds what is not an event");
    }
    line_ += c;
  }
  return {};
}

Status SseReader::end_line() {
  std::string_view line = line_;
  if (line.empty()) {
    if (data_.empty()) return {};
    data_.pop_back();  // the last line feed
    const Status status = on_data_(data_);
    data_.clear();
    return status;
  }
  if (line.starts_with("data:")) {
    line.remove_prefix(5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    data_.append(line).push_back('\n');
  }
  line_.clear();
  return {};
}

}  // namespace tru::backend
