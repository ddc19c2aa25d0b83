#include "text/splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cstdint>
#include <string>

namespace tru::text {
namespace {

// A run of white space takes a step per character, so this leaves room above the tokenizer's limit
// of 16 MiB of text; only a pattern made to explode meets it (after some 0.2 s).
constexpr std::uint32_t kMaxSteps = 64'000'000;
constexpr std::uint32_t kMaxHeapKib = 64 * 1024;
constexpr std::size_t kMaxPatternBytes = 16384;

struct Deleter {
  void operator()(pcre2_compile_context* c) const { pcre2_compile_context_free(c); }
  void operator()(pcre2_match_context* c) const { pcre2_match_context_free(c); }
  void operator()(pcre2_match_data* d) const { pcre2_match_data_free(d); }
};
using CompileContext = std::unique_ptr<pcre2_compile_context, Deleter>;
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter>;
using MatchData = std::unique_ptr<pcre2_match_data, Deleter>;

// tokenizer.json is written for Oniguruma, whose \s is Unicode's White_Space. PCRE2's \s also
// holds U+180E, which lost that property in Unicode 6.3.
std::string to_pcre2(std::string_view pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view escape = pattern.substr(i, 2);
    if (escape == "\\s") {
      out += "\\p{White_Space}";
    } else if (escape == "\\S") {
      out += "\\P{White_Space}";
    } else {
      out += escape.front() == '\\' ? escape : escape.substr(0, 1);
    }
    if (escape.front() == '\\') ++i;
  }
  return out;
}

std::string error_text(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

PCRE2_SPTR as_subject(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

int match(const pcre2_code* code, std::string_view text, std::size_t at, std::uint32_t options,
          pcre2_match_data* data, pcre2_match_context* context) {
  return pcre2_match(code, as_subject(text), text.size(), at, options | PCRE2_NO_UTF_CHECK, data,
                     context);
}

}  // namespace

void Splitter::CodeDeleter::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}

Result<Splitter> Splitter::compile(std::string_view pattern) {
  const CompileContext context(pcre2_compile_context_create(nullptr));
  pcre2_set_max_pattern_length(context.get(), kMaxPatternBytes);
  const std::string translated = to_pcre2(pattern);
  int error = 0;
  PCRE2_SIZE error_at = 0;
  Splitter splitter(pcre2_compile(as_subject(translated), translated.size(),
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error,
                                  &error_at, context.get()));
  if (splitter.code_ == nullptr) {
    return fail(ErrorCode::model_invalid, "the split pattern does not compile: {}",
                error_text(error));
  }
  // Where there is no JIT, pcre2_match interprets: slower, same matches.
  pcre2_jit_compile(splitter.code_.get(), PCRE2_JIT_COMPLETE);
  return splitter;
}

Result<std::vector<std::string_view>> Splitter::split(std::string_view text) const {
  const MatchContext context(pcre2_match_context_create(nullptr));
  const MatchData data(pcre2_match_data_create(1, nullptr));
  pcre2_set_match_limit(context.get(), kMaxSteps);
  pcre2_set_heap_limit(context.get(), kMaxHeapKib);
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data.get());

  std::vector<std::string_view> pieces;
  std::size_t done = 0;  // text before this is in pieces
  std::size_t from = 0;  // the search goes on here
  while (from < text.size()) {
    int found = match(code_.get(), text, from, 0, data.get(), context.get());
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
      found = match(code_.get(), text, from, PCRE2_NO_JIT, data.get(), context.get());
    }
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0 || span[1] < span[0] || span[0] < done) {
      return fail(ErrorCode::invalid_argument,
                  "the tokenizer's split pattern cannot handle this text: {}", error_text(found));
    }
    if (span[0] > done) pieces.push_back(text.substr(done, span[0] - done));
    if (span[1] > span[0]) pieces.push_back(text.substr(span[0], span[1] - span[0]));
    done = span[1];
    // An empty match cuts nothing; step over one character to get on.
    from = done;
    if (span[1] == span[0]) {
      ++from;
      while (from < text.size() && (text[from] & 0xC0) == 0x80) ++from;
    }
  }
  if (done < text.size()) pieces.push_back(text.substr(done));
  return pieces;
}

}  // namespace tru::text
