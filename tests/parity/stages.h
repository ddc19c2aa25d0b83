// The main path's stages, run one by one so that each can be looked at.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "backend/native_backend.h"
#include "model/qwen3vl/mrope.h"
#include "pipeline/question.h"

namespace tru::parity {

// All images of a question, or all its videos: rows in the order of the prompt.
struct Visual {
  std::int64_t row_size = 0;                  // values per patch
  std::vector<float> patches;                 // f32 [patches, row_size]
  std::vector<float> merged;                  // f32 [tokens, hidden_size]
  std::vector<std::vector<float>> deepstack;  // each as merged
};

struct Stages {
  // One entry per video.
  std::vector<std::vector<int>> frames_indices;
  std::vector<std::vector<int>> resized_hw;
  // One entry per image or video, by kind.
  std::map<text::PartKind, std::vector<std::vector<int>>> grid_thw;
  std::vector<std::string> timestamps_text;  // of all videos' temporal patches
  std::vector<std::int32_t> prompt_token_ids;
  model::qwen3vl::Positions positions;
  std::int64_t next_position = 0;
  std::map<text::PartKind, Visual> visual;
};

// Everything before the language model. Errors: those of the stages.
Result<Stages> run_stages(const pipeline::Question& question, backend::NativeBackend& backend);

// The whole path. Errors: those of answer_video.
Result<backend::Generation> run_answer(const pipeline::Question& question,
                                       backend::NativeBackend& backend);

// What the model would choose next, after the prompt and after each of `ids` but the last: as many
// tokens as ids, each of them with what is before it in `ids`, whatever was chosen there. The
// question is greedy. Errors: those of answer_video.
Result<std::vector<std::int32_t>> next_tokens(const pipeline::Question& question,
                                              const std::vector<std::int32_t>& ids,
                                              backend::NativeBackend& backend);

}  // namespace tru::parity
