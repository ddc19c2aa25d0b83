// Tokenizer and chat template of a model on disk, whatever the kind of its files.
#pragma once

#include <filesystem>

#include "text/chat.h"
#include "text/tokenizer.h"
#include "weights/gguf_model.h"

namespace tru::backend {

struct ModelText {
  text::Tokenizer tokenizer;
  text::ChatTemplate chat;
};

// Of a Hugging Face checkpoint's folder, or of GGUF files where they are given.
// Errors: model_invalid.
Result<ModelText> load_model_text(const std::filesystem::path& dir, const weights::GgufModel* gguf);

}  // namespace tru::backend
