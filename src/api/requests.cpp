#include "api/requests.h"

#include <random>

#include "api/errors.h"

namespace tru::api {

http::Expected<pipeline::VideoRequest> video_request(const VideoParams& params,
                                                     const std::string& place) {
  if (params.min_pixels && params.max_pixels && *params.min_pixels > *params.max_pixels) {
    return http::refuse(problem(refusal::field_invalid, place + "min_pixels",
                                "{0}min_pixels is {1}: it must be at most {0}max_pixels, {2}",
                                place, *params.min_pixels, *params.max_pixels));
  }
  if (params.start_s && params.end_s && *params.end_s <= *params.start_s) {
    return http::refuse(problem(refusal::field_invalid, place + "end_s",
                                "{0}end_s is {1}: it must be after {0}start_s, {2}", place,
                                *params.end_s, *params.start_s));
  }
  const auto as_int = [](const OptionalInt& value) {
    return value ? std::optional<int>(static_cast<int>(*value)) : std::nullopt;
  };
  pipeline::VideoRequest request;
  request.params.fps = params.fps;
  request.params.num_frames = as_int(params.num_frames);
  request.params.max_frames = as_int(params.max_frames);
  request.params.min_pixels = params.min_pixels;
  request.params.max_pixels = params.max_pixels;
  request.params.total_pixels = params.total_pixels;
  request.params.start_s = params.start_s.value_or(0);
  request.params.end_s = params.end_s;
  if (params.timing == "index") request.params.timing = media::Timing::index;
  if (params.profile) request.profile = *pipeline::parse_profile(*params.profile);
  return request;
}

http::Expected<backend::GenerationParams> generation_params(
    const GenerationParams& params, const backend::GenerationParams& defaults,
    const std::string& place) {
  if (params.top_logprobs.value_or(0) > 0 && !params.logprobs.value_or(false)) {
    return http::refuse(problem(refusal::field_invalid, place + "top_logprobs",
                                "{0}top_logprobs needs {0}logprobs to be true", place));
  }
  backend::GenerationParams request = defaults;
  request.max_tokens = params.max_tokens.value_or(defaults.max_tokens);
  request.temperature = params.temperature.value_or(defaults.temperature);
  request.top_p = params.top_p.value_or(defaults.top_p);
  request.top_k = static_cast<int>(params.top_k.value_or(defaults.top_k));
  request.seed = params.seed ? static_cast<std::uint64_t>(*params.seed) : std::random_device()();
  request.stop = params.stop;
  request.logprobs = params.logprobs.value_or(false);
  request.top_logprobs = static_cast<int>(params.top_logprobs.value_or(0));
  return request;
}

}  // namespace tru::api
