#include "backend/model_text.h"

namespace tru::backend {

Result<ModelText> load_model_text(const std::filesystem::path& dir,
                                  const weights::GgufModel* gguf) {
  if (gguf == nullptr) {
    TRU_TRY(text::Tokenizer tokenizer, text::Tokenizer::load(dir));
    TRU_TRY(text::ChatTemplate chat, text::ChatTemplate::load(dir, tokenizer));
    return ModelText{std::move(tokenizer), std::move(chat)};
  }
  const weights::GgufVocabulary& in_file = gguf->vocabulary();
  const std::string file = gguf->text_path().string();
  TRU_TRY(
      text::Tokenizer tokenizer,
      text::Tokenizer::load({in_file.tokens, in_file.types, in_file.merges, in_file.pre}, file));
  TRU_TRY(text::ChatTemplate chat,
          text::ChatTemplate::recognise(in_file.chat_template, file, tokenizer));
  return ModelText{std::move(tokenizer), std::move(chat)};
}

}  // namespace tru::backend
