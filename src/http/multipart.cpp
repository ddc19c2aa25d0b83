#include "http/multipart.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "http/text.h"

namespace tru::http {
namespace {

tl::unexpected<Problem> malformed(std::string why) {
  return refuse({refusal::multipart_malformed, std::move(why)});
}

// The value of a parameter: a token, or quoted with backslashes before quotes and backslashes.
// Browsers write quotes as %22 and keep backslashes, so only those two pairs are escapes.
std::string take_value(std::string_view& text) {
  std::string value;
  if (!text.starts_with('"')) {
    const auto end = std::min(text.find_first_of("; \t"), text.size());
    value = text.substr(0, end);
    text.remove_prefix(end);
    return value;
  }
  for (text.remove_prefix(1); !text.empty(); text.remove_prefix(1)) {
    if (text.front() == '"') {
      text.remove_prefix(1);
      break;
    }
    if (text.starts_with("\\\"") || text.starts_with("\\\\")) text.remove_prefix(1);
    value += text.front();
  }
  return value;
}

// Calls each(name, value) for the parameters behind a field's first word, which it returns.
template <typename Each>
std::string_view parameters(std::string_view text, Each each) {
  const auto first = std::min(text.find(';'), text.size());
  const auto word = trim(text.substr(0, first));
  text.remove_prefix(first);
  while (text.starts_with(';')) {
    text = trim(text.substr(1));
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) break;
    const auto name = trim(text.substr(0, equals));
    text = trim(text.substr(equals + 1));
    each(name, take_value(text));
    text = trim(text);
  }
  return word;
}

// The last part of a path of any system, without what could break a line; never empty.
std::string base_name(std::string_view path) {
  const auto slash = path.find_last_of("/\\");
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  std::string name(path);
  std::erase_if(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  return name.empty() || name == "." || name == ".." ? "file" : name;
}

bool is_boundary(std::string_view text) {  // RFC 2046
  const auto allowed = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("'()+_,-./:=? ").find(static_cast<char>(c)) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 70 && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace

std::optional<std::string> multipart_boundary(std::string_view content_type) {
  std::optional<std::string> boundary;
  const auto kind = parameters(content_type, [&](std::string_view name, std::string value) {
    if (same_word(name, "boundary")) boundary = std::move(value);
  });
  if (!same_word(kind, "multipart/form-data") || !boundary || !is_boundary(*boundary)) return {};
  return boundary;
}

MultipartParser::MultipartParser(std::string_view boundary, MultipartLimits limits)
    : delimiter_("\r\n--" + std::string(boundary)), limits_(limits) {}

Expected<MultipartParser::Event> MultipartParser::next(std::string_view& input) {
  while (!input.empty()) {
    switch (state_) {
      case State::content: {
        const Event event = content(input);
        if (event.kind == Kind::need_more) continue;
        return event;
      }
      case State::header: {
        auto complete = header(input);
        if (!complete) return refuse(std::move(complete).error());
        if (*complete) return Event{Kind::part, {}};
        continue;
      }
      default:
        break;
    }
    const char c = input.front();
    input.remove_prefix(1);
    auto ended = between_parts(c);
    if (!ended) return refuse(std::move(ended).error());
    if (*ended) return Event{Kind::end, {}};
  }
  return Event{};
}

// Everything from a boundary to the headers behind it; true at the form's end.
Expected<bool> MultipartParser::between_parts(char c) {
  const bool blank = c == ' ' || c == '\t';
  switch (state_) {
    case State::boundary:  // only the form's first one: content() finds the others
      if (c != delimiter_[matched_]) return malformed("the form does not begin with its boundary");
      if (++matched_ == delimiter_.size()) state_ = State::boundary_tail;
      return false;
    case State::boundary_tail:
      if (c == '-') {
        state_ = State::closing;
        return false;
      }
      [[fallthrough]];
    case State::padding:
      state_ = c == '\r' ? State::line_feed : State::padding;
      if (c != '\r' && !blank) return malformed("a boundary is followed by something else");
      return false;
    case State::line_feed:
      if (c != '\n') return malformed("a boundary is followed by something else");
      state_ = State::header;
      return begin_part();
    case State::closing:
      if (c != '-') return malformed("a boundary is followed by something else");
      state_ = State::epilogue;
      return true;
    default:  // the epilogue
      if (!blank && c != '\r' && c != '\n') return malformed("bytes follow the end of the form");
      return false;
  }
}

Expected<bool> MultipartParser::begin_part() {
  if (++parts_ > limits_.parts) {
    return refuse(
        {refusal::multipart_limits, fmt::format("a form has at most {} parts", limits_.parts)});
  }
  part_ = {};
  headers_ = 0;
  return false;
}

// Takes input to the end of a header line; true after the empty one.
Expected<bool> MultipartParser::header(std::string_view& input) {
  const auto end = input.find('\n');
  const auto piece = input.substr(0, end);
  if (line_.size() + piece.size() > limits_.header_bytes) {
    return refuse({refusal::multipart_limits, "a header of a part is too long"});
  }
  line_.append(piece);
  input.remove_prefix(std::min(piece.size() + 1, input.size()));
  if (end == std::string_view::npos) return false;
  if (!line_.ends_with('\r')) return malformed("a header line does not end with CR LF");
  line_.pop_back();
  if (line_.empty()) {
    if (part_.name.empty()) return malformed("a part has no name");
    state_ = State::content;
    matched_ = 0;
    return true;
  }
  if (++headers_ > limits_.headers) {
    return refuse(
        {refusal::multipart_limits, fmt::format("a part has at most {} headers", limits_.headers)});
  }
  auto taken = take_header(line_);
  if (!taken) return refuse(std::move(taken).error());
  line_.clear();
  return false;
}

Expected<void> MultipartParser::take_header(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return malformed("a header line has no colon");
  const auto name = trim(line.substr(0, colon));
  const auto value = trim(line.substr(colon + 1));
  if (same_word(name, "Content-Type")) part_.content_type = value;
  if (!same_word(name, "Content-Disposition")) return {};
  std::optional<std::string> encoded;  // filename*=UTF-8''...
  const auto kind = parameters(value, [&](std::string_view key, std::string text) {
    if (same_word(key, "name")) part_.name = std::move(text);
    if (same_word(key, "filename")) part_.filename = base_name(text);
    if (same_word(key, "filename*") && same_word(text.substr(0, 7), "UTF-8''")) {
      encoded = percent_decode(text.substr(7), false);
    }
  });
  if (!same_word(kind, "form-data")) return malformed("a part is not form-data");
  if (encoded && is_utf8(*encoded)) part_.filename = base_name(*encoded);
  return {};
}

MultipartParser::Event MultipartParser::content(std::string_view& input) {
  if (matched_ > 0) {  // the input before ended like the delimiter begins
    const auto rest = std::string_view(delimiter_).substr(matched_);
    const auto same = std::mismatch(rest.begin(), rest.end(), input.begin(), input.end());
    const auto count = static_cast<std::size_t>(same.first - rest.begin());
    matched_ += count;
    input.remove_prefix(count);
    if (matched_ < delimiter_.size()) {
      if (input.empty()) return {};
      // It was content after all. A delimiter has one CR, its first byte, so none begins in there.
      return {Kind::data, std::string_view(delimiter_).substr(0, std::exchange(matched_, 0))};
    }
  } else if (input.starts_with(delimiter_)) {
    input.remove_prefix(delimiter_.size());
    matched_ = delimiter_.size();
  }
  if (matched_ == delimiter_.size()) {
    state_ = State::boundary_tail;
    return {Kind::part_end, {}};
  }
  auto end = input.find(delimiter_);
  if (end == std::string_view::npos) {
    end = std::min(input.rfind('\r'), input.size());
    const auto tail = input.substr(end);
    const bool begins = delimiter_.starts_with(tail);
    matched_ = begins ? tail.size() : 0;
    if (!begins) end = input.size();
  }
  const Event event{end > 0 ? Kind::data : Kind::need_more, input.substr(0, end)};
  input.remove_prefix(matched_ > 0 ? input.size() : end);
  return event;
}

}  // namespace tru::http
