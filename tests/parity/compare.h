// Our values beside the recorded ones.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "stages.h"

namespace tru::parity {

// Largest absolute differences, and every difference that is beyond its tolerance.
struct Comparison {
  double pixel_values = 0;
  double vision = 0;
  double deepstack = 0;
  double logprobs = 0;         // of the first token's top 20
  double chosen_logprobs = 0;  // of the tokens that agree
  std::size_t tokens = 0;      // that agree, from the first on
  std::size_t tokens_wanted = 0;
  std::vector<std::string> differences;
};

// How far an answer may be off.
struct AnswerTolerance {
  double logprobs = 0.002;
  double chosen_logprobs = 0.002;
  double near_tie = 0;            // tokens may part where the reference's margin is below this
  std::size_t least_listed = 20;  // of the reference's top 20
};

// What 16-bit arithmetic may do to this golden: the recorded effect on the reference, once and a
// half. Source: the rule of the fixtures' compare.py, --lenient-16bit.
AnswerTolerance tolerance_16bit(const boost::json::object& golden);

// Up to the vision encoder. Indices, texts, ids and pixel values agree exactly (as far as they were
// printed); features within 0.002.
void compare_stages(const boost::json::object& golden, const Stages& stages, Comparison& result);

void compare_answer(const boost::json::object& golden, const backend::Generation& answer,
                    const AnswerTolerance& tolerance, Comparison& result);

// chosen: one token for each of the golden's greedy steps (next_tokens). Counts the steps at which
// the reference is sure, its margin above 0.5.
void compare_sure_tokens(const boost::json::object& golden, const std::vector<std::int32_t>& chosen,
                         Comparison& result);

}  // namespace tru::parity
