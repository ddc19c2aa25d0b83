#include "text/detokenizer.h"

namespace tru::text {

std::string Detokenizer::push(TokenId id) {
  std::string out;
  if (special_ == SpecialTokens::show || !tokenizer_->is_special(id)) {
    stream_.push(tokenizer_->bytes(id), out);
  }
  return out;
}

std::string Detokenizer::finish() {
  std::string out;
  stream_.finish(out);
  return out;
}

}  // namespace tru::text
