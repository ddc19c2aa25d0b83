#include <chrono>

#include "api/chat_form.h"
#include "api/errors.h"
#include "api/handlers.h"
#include "api/reading.h"
#include "api/requests.h"
#include "base/json_text.h"
#include "pipeline/conversation.h"

namespace tru::api {
namespace {

// Media in data: URLs make them large.
constexpr std::size_t kMaxChatBytes = 64 << 20;

std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// video_params, or else what vLLM's clients say in its two places.
VideoParams video_params_of(const ChatRequest& request) {
  VideoParams params = request.video_params;
  for (const Sampling& sampling : {request.mm_processor_kwargs, request.media_io_kwargs.video}) {
    if (params.fps || params.num_frames) break;
    if (sampling.num_frames.value_or(0) > 0) {
      params.num_frames = sampling.num_frames;
    } else {
      params.fps = sampling.fps;
    }
  }
  return params;
}

struct ReadChat {
  ChatRequest request;
  pipeline::Conversation conversation;
  Names unknown;
};

// What one text may be long is the same as for a question of the other routes.
http::Expected<void> check_texts(const std::vector<text::Message>& messages) {
  for (const text::Message& message : messages) {
    for (const auto& part : message.parts) {
      if (part.text.size() <= kMaxPromptBytes) continue;
      http::Problem problem(refusal::prompt_too_large);
      problem.field = "messages";
      return http::refuse(problem);
    }
  }
  return {};
}

// Blocks: a large body takes a while, kept videos are on the disk.
http::Expected<ReadChat> read_chat(const Service& service, const std::string& owner,
                                   const std::string& body) {
  ReadChat chat;
  const auto object = parse_object(body);
  if (!object) return http::refuse(object.error());
  auto request = from_json<ChatRequest>(*object, chat.unknown);
  if (!request) return http::refuse(request.error());
  auto conversation = pipeline::parse_conversation(request->messages);
  if (!conversation) return http::refuse(problem_of(conversation.error()));
  if (auto fits = check_texts(conversation->messages); !fits) return http::refuse(fits.error());
  if (auto located = locate_media(service, owner, conversation->media); !located) {
    return http::refuse(located.error());
  }
  request->messages = nullptr;
  chat.request = std::move(*request);
  chat.conversation = std::move(*conversation);
  return chat;
}

http::Expected<Asked> make_asked(const Service& service, const Exchange& exchange, ReadChat chat) {
  ChatRequest& request = chat.request;
  if (request.max_completion_tokens) request.max_tokens = request.max_completion_tokens;
  const auto seen = video_request(video_params_of(request), "video_params.");
  if (!seen) return http::refuse(seen.error());
  const auto answer = generation_params(request, service.config.generation, "");
  if (!answer) return http::refuse(answer.error());
  Asked asked;
  asked.question.messages = std::move(chat.conversation.messages);
  asked.question.media = std::move(chat.conversation.media);
  asked.question.video = *seen;
  asked.question.generation = *answer;
  asked.stream = request.stream.value_or(false);
  asked.resumable = request.resumable.value_or(false);
  ChatFacts facts;
  facts.request_id = exchange.id();
  facts.model = service.backend()->info().name;
  facts.created = now_s();
  facts.logprobs = answer->logprobs;
  facts.include_usage = request.stream_options.include_usage.value_or(false);
  // Only clients of ours ask for this: OpenAI's might stumble over events with a name.
  facts.progress = asked.resumable;
  asked.form = chat_form(std::move(facts));
  return asked;
}

}  // namespace

Task<Response> chat_completions(Service& service, Exchange& exchange) {
  TRU_HTTP_CHECK(check_welcome(service, exchange));
  TRU_HTTP_TRY(BodyBudget budget, BodyBudget::claim(service, exchange, kMaxChatBytes));
  TRU_HTTP_TRY(std::string body, co_await exchange.read_body(kMaxChatBytes));
  const std::string owner = exchange.user();
  std::string fingerprint;
  const auto read = [&] {
    fingerprint = fingerprint_of(exchange, body);
    return read_chat(service, owner, std::exchange(body, {}));
  };
  TRU_HTTP_TRY(ReadChat chat, co_await http::result_on(exchange.workers(), read));
  warn_of(chat.unknown, exchange);
  TRU_HTTP_TRY(Asked asked, make_asked(service, exchange, std::move(chat)));
  asked.upload = std::make_shared<BodyBudget>(std::move(budget));
  asked.fingerprint = std::move(fingerprint);
  co_return co_await answer(service, exchange, std::move(asked));
}

Task<Response> list_models(Service& service, Exchange&) {
  const backend::Backend* backend = service.backend();
  if (backend == nullptr) co_return refusal::model_loading;
  const backend::ModelInfo info = backend->info();
  const json::object model{{"id", info.name},
                           {"object", "model"},
                           {"created", 0},
                           {"owned_by", "tru"},
                           {"max_model_len", info.max_context}};
  co_return Response(200, "application/json",
                     to_json_text(json::object{{"object", "list"}, {"data", json::array{model}}}));
}

}  // namespace tru::api
