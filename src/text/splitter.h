// The split regex of tokenizer.json, run by PCRE2.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"

struct pcre2_real_code_8;

namespace tru::text {

// Cuts text into the pieces that byte pairs never cross. Immutable: any thread may use it.
class Splitter {
 public:
  // model_invalid if the pattern is not a valid regular expression.
  static Result<Splitter> compile(std::string_view pattern);

  // The matches of the pattern and the text between them, in order ("Isolated" in tokenizer.json).
  // text is valid UTF-8 and outlives the pieces. invalid_argument if the pattern needs an
  // unreasonable number of steps somewhere in the text.
  Result<std::vector<std::string_view>> split(std::string_view text) const;

 private:
  struct CodeDeleter {
    void operator()(pcre2_real_code_8* code) const;
  };
  explicit Splitter(pcre2_real_code_8* code) : code_(code) {}

  std::unique_ptr<pcre2_real_code_8, CodeDeleter> code_;
};

}  // namespace tru::text
