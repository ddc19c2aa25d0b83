#include "backend/remote/remote_backend.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "backend/remote/reply_error.h"
#include "backend/remote/sse_reader.h"

namespace tru::backend {
namespace {

constexpr int kMostAttempts = 3;
constexpr int kFirstTokenPatience = 5;  // times the idle timeout: prompts are long

// Before the same server is asked again.
void pause(int attempt, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, std::chrono::milliseconds(250) * attempt, [] { return false; });
}

}  // namespace

Result<std::unique_ptr<RemoteBackend>> RemoteBackend::connect(const RemoteConfig& config,
                                                              std::unique_ptr<LocalServer> own,
                                                              std::stop_token stop) {
  TRU_TRY(RemotePlanner planner, RemotePlanner::load(config));
  auto pool = ServerPool::open(config, stop);
  if (!pool && pool.error().code == ErrorCode::backend_unavailable) {
    return fail(ErrorCode::config_invalid,
                "MODEL_BACKEND is vllm and no server of VLLM_BASE_URL can be reached; start one "
                "there, or correct the address");
  }
  if (!pool) return tl::unexpected(pool.error());
  return std::unique_ptr<RemoteBackend>(
      new RemoteBackend(config, std::move(planner), std::move(own), std::move(*pool)));
}

ModelInfo RemoteBackend::info() const {
  constexpr std::int64_t kUnknownContext = 32768;
  const ServerTraits traits = pool_->traits();
  ModelInfo info;
  info.backend = "vllm";
  info.name = shown_model(traits);
  info.max_context = traits.max_context > 0 ? traits.max_context : kUnknownContext;
  if (config_.max_context > 0) info.max_context = std::min(info.max_context, config_.max_context);
  info.vision = planner_.vision();
  return info;
}

Result<std::unique_ptr<Prompt>> RemoteBackend::build_prompt(
    const std::vector<text::Message>& messages, const std::vector<MediaShape>& media) const {
  return planner_.build_prompt(messages, media, pool_->traits());
}

Result<Estimate> RemoteBackend::estimate(const Prompt& prompt, const std::vector<MediaShape>&,
                                         std::int64_t) {
  return Estimate{prompt.num_tokens(), std::nullopt, std::nullopt};
}

Result<Generation> RemoteBackend::generate(const Prompt& prompt,
                                           const std::vector<FrameSource*>& frames,
                                           const GenerationParams& params, AnswerListener& listener,
                                           std::stop_token stop) {
  Question question{dynamic_cast<const RemotePrompt&>(prompt), frames, {}};
  Error last{ErrorCode::backend_unavailable, "no back end can be reached at the moment"};
  std::vector<int> tried;
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    auto server = pool_->take(tried);
    if (!server) break;
    const bool again = std::count(tried.begin(), tried.end(), server->number()) > 0;
    if (again) pause(attempt, stop);
    tried.push_back(server->number());
    Attempt result = ask(*server, question, params, listener, stop);
    if (result.answer) {
      server->succeeded();
      compare_tokens(*server, question, *result.answer);
      return std::move(result.answer);
    }
    last = result.answer.error();
    if (!result.servers_fault) break;
    if (!again) server->failed();  // a request counts once
    config_.log(fmt::format("server {}: {}", server->number(), last.message));
    if (result.heard) break;
  }
  return tl::unexpected(last);
}

Result<std::string> RemoteBackend::body_for(const ServerTraits& traits, Question& question,
                                            const GenerationParams& params,
                                            AnswerListener& listener, std::stop_token stop) const {
  const auto& media = question.prompt.media();
  const FrameTransport transport = transport_for(traits, media);
  TRU_TRY(const auto messages,
          wire_messages(question.prompt.messages(), media, transport, planner_.plain_text()));
  std::vector<std::string> files;
  if (transport == FrameTransport::whole_file) {
    for (FrameSource* source : question.sources) {
      TRU_TRY(std::string file, encode_file(source->file()));
      files.push_back(std::move(file));
    }
  } else if (question.frames.size() < media.size()) {
    TRU_TRY(question.frames,
            encode_media(question.sources, media, config_.frame_format, listener, stop));
  }
  return chat_request_body({traits, transport, messages, media, question.frames, files,
                            planner_.vision(), config_.frame_format},
                           params);
}

RemoteBackend::Attempt RemoteBackend::ask(const ServerPool::Lease& server, Question& question,
                                          const GenerationParams& params, AnswerListener& listener,
                                          std::stop_token stop) const {
  auto body = body_for(server.traits(), question, params, listener, stop);
  if (!body) return {tl::unexpected(body.error())};

  AnswerReader reader(params, server.traits().model, planner_.tokenizer(),
                      question.prompt.num_tokens(), listener);
  SseReader events([&](const std::string& data) { return reader.on_event(data); });
  Status status;
  HttpRequest request{"/v1/chat/completions",
                      std::move(*body),
                      config_.idle_timeout * kFirstTokenPatience,
                      config_.idle_timeout,
                      {},
                      params.traceparent};
  request.on_data = [&](std::string_view bytes) {
    status = events.push(bytes);
    return status && !reader.ended();
  };
  const auto reply = server.client().send(request, stop);

  const bool heard = reader.started();
  if (!status) return {tl::unexpected(status.error()), true, heard};
  if (!reply) {
    return {tl::unexpected(reply.error()), reply.error().code != ErrorCode::cancelled, heard};
  }
  if (reply->status != 200) {
    return {tl::unexpected(reply_error(*reply)), may_be_retried(reply->status)};
  }
  if (!heard && !reply->content_type.starts_with("text/event-stream")) {
    return {fail(ErrorCode::backend_protocol, "the back end's answer is no stream of events"),
            true};
  }
  auto answer = reader.finish();
  const bool cut_off = !answer;
  return {std::move(answer), cut_off, heard};
}

// A server that counts otherwise than the plan sees other frames, times or text than it was sent.
void RemoteBackend::compare_tokens(const ServerPool::Lease& server, const Question& question,
                                   const Generation& generation) const {
  const auto& media = question.prompt.media();
  const bool as_images = transport_for(server.traits(), media) == FrameTransport::timed_images;
  std::int64_t planned = question.prompt.num_tokens();
  for (std::size_t i = 0; i < std::min(media.size(), question.frames.size()); ++i) {
    const EncodedMedia& sent = question.frames[i];
    if (sent.size() != static_cast<std::size_t>(media[i].grid_thw[0])) {
      return;  // the file's tail could not be decoded
    }
    if (!as_images || media[i].kind != text::PartKind::video) continue;
    // A frame that a pair has twice is planned as two images, and sent as one.
    planned -=
        planner_.image_tokens(media[i]) *
        std::count_if(sent.begin(), sent.end(), [](const auto& pair) { return pair[1].empty(); });
  }
  const std::int64_t counted = generation.usage.prompt_tokens;
  // vLLM cuts text at the time stamps, where the model's own processor does not.
  const std::int64_t tolerance = 2 * static_cast<std::int64_t>(media.size());
  if (planner_.tokenizer() == nullptr || std::abs(planned - counted) <= tolerance) return;
  config_.log(fmt::format("server {}: it counted {} prompt tokens where {} were planned",
                          server.number(), counted, planned));
}

}  // namespace tru::backend
