// Which files of a repository or folder make up one GGUF model, by their names. The rules are
// llama.cpp's (-hf ORG/NAME:TAG), but for the vision file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tru {

// "ORG/NAME:Q8_0": a name on the hub, and which of its GGUF models.
struct TaggedName {
  std::string name;
  std::string tag;  // empty: none was given
};
TaggedName split_tag(std::string_view text);

// A file of several that hold one model: NAME-00001-of-00003.gguf.
struct GgufPart {
  std::string base;  // what stands before the numbers
  int number = 1;    // from 1
  int count = 1;
};
std::optional<GgufPart> gguf_part(std::string_view name);

// The name of another part.
std::string gguf_part_name(const GgufPart& part, int number);

bool is_gguf_name(std::string_view name);

struct GgufChoice {
  std::vector<std::string> text;  // all parts, in order
  std::string mmproj;             // the vision file; empty: there is none
  std::vector<std::string> rest;  // first parts of the other models
};

// Of `names`, paths within the repository. tag: what stands in the name before a dot or dash, as
// "Q8_0" in model-Q8_0.gguf, in any case; without one Q4_K_M, else Q8_0, else the first whose
// format is read. The vision file is an F16 one, else BF16, F32, Q8_0, else the first. Errors:
// model_invalid, which tells what there is.
Result<GgufChoice> choose_gguf(std::vector<std::string> names, std::string_view tag);

// The vision file among `names`, as above; empty: there is none.
std::string choose_mmproj(std::vector<std::string> names);

}  // namespace tru
