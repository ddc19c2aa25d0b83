// The reference implementation's recorded values, tests/data/goldens.json: one question per record,
// with what each stage made of it.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "pipeline/question.h"

namespace tru::parity {

// Records that share a question: any one of them is a right answer (`either_of`).
struct Group {
  std::string name;
  std::string model;  // folder in tests/data/models
  std::vector<const boost::json::object*> goldens;
};

// Those of the same model stand together.
std::vector<Group> golden_groups();

std::string model_dir(const std::string& model);

// As the goldens were made: the checkpoint's own pixel limits, times by frame number, greedy.
pipeline::Question question_of(const boost::json::object& golden);

}  // namespace tru::parity
