// What clients can ask for. These tables are the API's parameters: see fields.h.
#pragma once

#include "api/fields.h"
#include "pipeline/question.h"

namespace tru::api {

using OptionalNumber = std::optional<double>;
using OptionalInt = std::optional<std::int64_t>;
using OptionalText = std::optional<std::string>;

// How a video is looked at.
struct VideoParams {
  OptionalNumber fps;
  OptionalInt num_frames, max_frames, min_pixels, max_pixels, total_pixels;
  OptionalNumber start_s, end_s;
  OptionalText profile, timing;
};

template <>
struct Fields<VideoParams> {
  using T = VideoParams;
  static constexpr std::string_view name = "VideoParams";
  static constexpr std::tuple table{
      field("fps", &T::fps,
            "Frames per second to look at. DEFAULT_VIDEO_FPS if neither this nor "
            "num_frames is given.")
          .above(0)
          .most(60)
          .excludes("num_frames"),
      field("num_frames", &T::num_frames, "Exactly this many frames, spread evenly.")
          .least(1)
          .most(2048),
      field("max_frames", &T::max_frames, "At most this many frames.").least(1).most(2048),
      field("min_pixels", &T::min_pixels, "Pixels of a frame, at least.").least(1).most(1LL << 40),
      field("max_pixels", &T::max_pixels, "Pixels of a frame, at most.").least(1).most(1LL << 40),
      field("total_pixels", &T::total_pixels,
            "Pixels of the whole clip, at most: frames * height * width.")
          .least(1)
          .most(1LL << 40),
      field("start_s", &T::start_s, "Look from this second on.").least(0),
      field("end_s", &T::end_s, "Look up to this second.").above(0),
      field("profile", &T::profile,
            "Pixel limits: checkpoint takes the model's own, the others are budgets that are "
            "fitted to the context.")
          .one_of("checkpoint|quick|balanced|detailed"),
      field("timing", &T::timing,
            "pts stamps each frame with its true time, index with number / average rate as the "
            "reference implementation does.")
          .one_of("pts|index")};
};

// How the answer is written.
struct GenerationParams {
  OptionalInt max_tokens;
  OptionalNumber temperature, top_p;
  OptionalInt top_k, seed;
  std::vector<std::string> stop;
  std::optional<bool> logprobs;
  OptionalInt top_logprobs;
};

template <>
struct Fields<GenerationParams> {
  using T = GenerationParams;
  static constexpr std::string_view name = "GenerationParams";
  static constexpr std::tuple table{
      field("max_tokens", &T::max_tokens, "Longest answer. MAX_NEW_TOKENS if not given.")
          .least(1)
          .most(32768),
      field("temperature", &T::temperature, "0 always takes the likeliest token.").least(0).most(2),
      field("top_p", &T::top_p, "Share of the likeliest tokens to choose from.").least(0).most(1),
      field("top_k", &T::top_k, "Number of the likeliest tokens to choose from; 0: all.")
          .least(0)
          .most(1 << 20),
      field("seed", &T::seed, "The same seed gives the same answer."),
      field("stop", &T::stop, "Texts that end the answer; they are not part of it.")
          .most(16)
          .bytes(1024),
      field("logprobs", &T::logprobs,
            "Whether the answer lists its tokens with log probabilities."),
      field("top_logprobs", &T::top_logprobs, "With logprobs: so many alternatives for each token.")
          .least(0)
          .most(20)};
};

// How the answer comes.
struct Delivery {
  std::optional<bool> stream, resumable;
};

template <>
struct Fields<Delivery> {
  using T = Delivery;
  static constexpr std::string_view name = "Delivery";
  static constexpr std::tuple table{
      field("stream", &T::stream,
            "Answer with server-sent events, as Accept: text/event-stream does."),
      field("resumable", &T::resumable,
            "With stream: the request lives on for 30 s without a reader, so that GET "
            "/v1/requests/{id}/events can take it up again.")};
};

inline constexpr std::size_t kMaxPromptBytes = 128 << 10;

// POST /v1/inference/upload, beside the file.
struct UploadRequest : Delivery {
  OptionalText prompt;
  VideoParams video_params;
  GenerationParams generation_params;
};

template <>
struct Fields<UploadRequest> {
  using T = UploadRequest;
  static constexpr std::string_view name = "UploadRequest";
  static constexpr auto table = std::tuple_cat(
      std::tuple{field("prompt", &T::prompt, "The question.").bytes(kMaxPromptBytes).required(),
                 field("video_params", &T::video_params, "How the video is looked at."),
                 field("generation_params", &T::generation_params, "How the answer is written.")},
      inherited<T, Delivery>());
};

// POST /v1/inference/url.
struct UrlRequest : UploadRequest {
  OptionalText video_url;
};

template <>
struct Fields<UrlRequest> {
  using T = UrlRequest;
  static constexpr std::string_view name = "UrlRequest";
  static constexpr auto table = std::tuple_cat(
      std::tuple{field("video_url", &T::video_url,
                       "Where the video is: http, https, or tru://videos/{id} of a kept one.")
                     .bytes(8 << 10)
                     .required()},
      inherited<T, UploadRequest>());
};

struct StreamOptions {
  std::optional<bool> include_usage;
};

template <>
struct Fields<StreamOptions> {
  static constexpr std::string_view name = "StreamOptions";
  static constexpr std::tuple table{
      field("include_usage", &StreamOptions::include_usage,
            "Whether the stream ends with a chunk that counts the tokens.")};
};

// What vLLM's clients say instead of video_params.
struct Sampling {
  OptionalNumber fps;
  OptionalInt num_frames;
};

template <>
struct Fields<Sampling> {
  static constexpr std::string_view name = "Sampling";
  static constexpr std::tuple table{
      field("fps", &Sampling::fps, "Frames per second to look at.").above(0).most(60),
      // vLLM's own "no limit" is -1.
      field("num_frames", &Sampling::num_frames, "So many frames; -1: as many as fps asks for.")
          .least(-1)
          .most(2048)};
};

struct MediaIo {
  Sampling video;
};

template <>
struct Fields<MediaIo> {
  static constexpr std::string_view name = "MediaIo";
  static constexpr std::tuple table{field("video", &MediaIo::video, "Of the videos.")};
};

// POST /v1/chat/completions.
struct ChatRequest : GenerationParams, Delivery {
  OptionalText model;
  json::value messages;
  OptionalInt n, max_completion_tokens;
  StreamOptions stream_options;
  VideoParams video_params;
  Sampling mm_processor_kwargs;
  MediaIo media_io_kwargs;
};

template <>
struct Fields<ChatRequest> {
  using T = ChatRequest;
  static constexpr std::string_view name = "ChatRequest";
  static constexpr auto table = std::tuple_cat(
      std::tuple{
          field("model", &T::model, "Any name; the answer says which model it was."),
          field("messages", &T::messages,
                "The conversation, as OpenAI has it: roles system, user, assistant and tool; "
                "content is a text or a list of parts of the types text, image_url, video_url and "
                "input_video. Addresses are http, https, data: or tru://videos/{id}.")
              .required(),
          field("n", &T::n, "One answer at a time.").least(1).most(1),
          field("max_completion_tokens", &T::max_completion_tokens, "The newer name of max_tokens.")
              .least(1)
              .most(32768)
              .excludes("max_tokens"),
          field("stream_options", &T::stream_options, "With stream."),
          field("video_params", &T::video_params, "How the videos are looked at."),
          field("mm_processor_kwargs", &T::mm_processor_kwargs, "Accepted for vLLM's clients."),
          field("media_io_kwargs", &T::media_io_kwargs, "Accepted for vLLM's clients.")},
      inherited<T, GenerationParams>(), inherited<T, Delivery>());
};

// GET /v1/videos/{id}/frames/{index}.jpg.
struct FrameQuery {
  OptionalInt width;
};

template <>
struct Fields<FrameQuery> {
  static constexpr std::string_view name = "FrameQuery";
  static constexpr std::tuple table{
      field("width", &FrameQuery::width, "Pixels; the video's own if not given or larger.")
          .least(16)
          .most(4096)};
};

// The tables' values as the pipeline takes them; field_invalid when two contradict each other.
// place: how the fields' names begin in messages.
http::Expected<pipeline::VideoRequest> video_request(const VideoParams& params,
                                                     const std::string& place);
http::Expected<backend::GenerationParams> generation_params(
    const GenerationParams& params, const backend::GenerationParams& defaults,
    const std::string& place);

}  // namespace tru::api
