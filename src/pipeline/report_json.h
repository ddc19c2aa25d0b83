// Answers and reports as the JSON of the command line and the API.
#pragma once

#include <boost/json.hpp>

#include "pipeline/question.h"

namespace tru::pipeline {

// One entry of `video_report`.
boost::json::object to_json(const VideoReport& report);
boost::json::array to_json(const std::vector<VideoReport>& reports);

// One entry of `tokens`: id, text, bytes, logprob, top_logprobs.
boost::json::object to_json(const backend::OutputToken& token);

boost::json::object to_json(const backend::Usage& usage);

// `estimate` of a plan; what is not known is null.
boost::json::object to_json(const backend::Estimate& estimate, const backend::ModelInfo& model);

// `timings_ms`, without what loading took.
boost::json::object to_json(const AnswerTimings& timings);

// One remote server; names no address.
boost::json::object to_json(const backend::ServerStatus& server);

}  // namespace tru::pipeline
