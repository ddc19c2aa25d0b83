#include "pipeline/report_json.h"

#include <cmath>

#include "text/utf8.h"

namespace tru::pipeline {
namespace {

namespace json = boost::json;

template <typename Values>
json::array array_of(const Values& values) {
  json::array array;
  for (const auto& value : values) array.emplace_back(value);
  return array;
}

// Times to the microsecond: below that there is only the noise of division.
double micros(double seconds) {
  return std::round(seconds * 1e6) / 1e6;
}

json::object describe(const backend::AlternativeToken& token) {
  json::array bytes;
  for (const char byte : token.bytes) bytes.emplace_back(static_cast<unsigned char>(byte));
  return {{"id", token.id},
          {"text", text::repair_utf8(token.bytes)},
          {"bytes", std::move(bytes)},
          {"logprob", token.logprob}};
}

}  // namespace

json::object to_json(const VideoReport& report) {
  const media::VideoInfo& info = report.info;
  const media::VideoPlan& plan = report.plan;
  json::array frames;
  for (const media::PlannedFrame& frame : plan.frames) {
    frames.push_back(json::object{{"index", frame.index}, {"time_s", micros(frame.time_s)}});
  }
  json::array timestamps;
  for (const double time : plan.timestamps_s) timestamps.emplace_back(micros(time));
  return {{"source", info.source},
          {"container", info.container},
          {"codec", info.codec},
          {"duration_s", micros(info.duration_s)},
          {"width", info.width},
          {"height", info.height},
          {"rotation_deg", info.rotation_deg},
          {"fps", micros(info.sampling_fps)},
          {"variable_frame_rate", info.variable_frame_rate},
          {"frames_total", info.frames_total},
          {"frames", std::move(frames)},
          {"resized_width", plan.size.width},
          {"resized_height", plan.size.height},
          {"grid_thw", array_of(plan.grid_thw)},
          {"video_tokens", plan.video_tokens},
          {"timestamps_s", std::move(timestamps)},
          {"limits", array_of(plan.limits)},
          {"audio", info.has_audio ? "present_not_used" : "none"},
          {"subtitles", info.has_text_subtitles ? "present_not_used" : "none"},
          {"warnings", array_of(report.warnings)}};
}

json::array to_json(const std::vector<VideoReport>& reports) {
  json::array array;
  for (const VideoReport& report : reports) array.push_back(to_json(report));
  return array;
}

json::object to_json(const backend::OutputToken& token) {
  json::object object = describe(token);
  json::array alternatives;
  for (const backend::AlternativeToken& alternative : token.top_logprobs) {
    alternatives.push_back(describe(alternative));
  }
  object["top_logprobs"] = std::move(alternatives);
  return object;
}

json::object to_json(const AnswerTimings& timings) {
  return {{"decode", timings.decode_ms},     {"vision", timings.vision_ms},
          {"prefill", timings.prefill_ms},   {"first_token", timings.first_token_ms},
          {"generate", timings.generate_ms}, {"total", timings.total_ms}};
}

json::object to_json(const backend::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"cached_tokens", usage.cached_tokens}};
}

json::object to_json(const backend::Estimate& estimate, const backend::ModelInfo& model) {
  json::value memory_bytes, first_token_s;
  if (estimate.memory_bytes) memory_bytes = *estimate.memory_bytes;
  if (estimate.first_token_s) first_token_s = *estimate.first_token_s;
  return {{"prompt_tokens", estimate.prompt_tokens},
          {"memory_bytes", std::move(memory_bytes)},
          {"first_token_s", std::move(first_token_s)},
          {"fits", estimate.prompt_tokens < model.max_context}};
}

json::object to_json(const backend::ServerStatus& server) {
  return {{"available", server.available},
          {"running", server.running},
          {"kind", server.kind},
          {"version", server.version},
          {"model", server.model},
          {"transport", server.transport},
          {"prompt_form", server.prompt_form},
          {"warnings", array_of(server.warnings)}};
}

}  // namespace tru::pipeline
