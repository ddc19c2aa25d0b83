#include "api/chat_form.h"

#include "api/errors.h"
#include "base/json_text.h"
#include "pipeline/report_json.h"

namespace tru::api {
namespace {

namespace json = boost::json;

// From TRU's own names to OpenAI's.
json::object renamed(json::object token) {
  json::object entry{{"token", std::move(token["text"])},
                     {"logprob", std::move(token["logprob"])},
                     {"bytes", std::move(token["bytes"])}};
  if (json::value* alternatives = token.if_contains("top_logprobs")) {
    json::array list;
    for (json::value& alternative : alternatives->get_array()) {
      list.push_back(renamed(std::move(alternative.get_object())));
    }
    entry["top_logprobs"] = std::move(list);
  }
  return entry;
}

json::object logprobs_of(const std::vector<backend::OutputToken>& tokens) {
  json::array content;
  for (const auto& token : tokens) content.push_back(renamed(pipeline::to_json(token)));
  return {{"content", std::move(content)}};
}

json::object usage_of(const backend::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

json::object facts_of(const pipeline::Answer& answer) {
  return {{"video_report", pipeline::to_json(answer.videos)},
          {"timings_ms", pipeline::to_json(answer.timings)},
          {"finish_reason", answer.generation.finish_reason}};
}

// OpenAI knows stop and length; an answer that only repeated itself was stopped.
std::string_view finish_reason(const pipeline::Answer& answer) {
  return answer.generation.finish_reason == "length" ? "length" : "stop";
}

class ChatForm : public AnswerForm {
 public:
  explicit ChatForm(ChatFacts facts) : facts_(std::move(facts)) {}

  http::Response body(const pipeline::Answer& answer) const override {
    const backend::Generation& generation = answer.generation;
    json::object choice{{"index", 0},
                        {"message", {{"role", "assistant"}, {"content", generation.text}}},
                        {"logprobs", nullptr},
                        {"finish_reason", finish_reason(answer)}};
    if (facts_.logprobs) choice["logprobs"] = logprobs_of(generation.tokens);
    json::object object = head("chat.completion");
    object["choices"] = json::array{std::move(choice)};
    object["usage"] = usage_of(generation.usage);
    object["tru"] = facts_of(answer);
    return {200, "application/json", to_json_text(object)};
  }

  // Of the messages that one event becomes, the last has the id: who got it has got them all.
  void append(const jobs::NumberedEvent& event, std::string& wire) const override {
    const std::string number = std::to_string(event.number);
    const auto send = [&](const json::object& data, std::string_view id = {}) {
      http::append_event(wire, {id, {}, to_json_text(data)});
    };
    if (event.number == 1) send(chunk({{"role", "assistant"}, {"content", ""}}));
    if (facts_.progress) append_progress(event, facts_.request_id, wire);
    if (const auto* text = std::get_if<jobs::Text>(&event.event)) {
      json::object object = chunk({{"content", text->text}});
      if (facts_.logprobs) choice_of(object)["logprobs"] = logprobs_of(text->tokens);
      send(object, number);
    } else if (const auto* done = std::get_if<jobs::Done>(&event.event)) {
      json::object object = chunk({});
      choice_of(object)["finish_reason"] = finish_reason(*done->answer);
      object["tru"] = facts_of(*done->answer);
      send(object);
      if (facts_.include_usage) {
        object = head("chat.completion.chunk");
        object["choices"] = json::array();
        object["usage"] = usage_of(done->answer->generation.usage);
        send(object);
      }
      http::append_event(wire, {number, {}, "[DONE]"});
    } else if (const auto* failed = std::get_if<jobs::Failed>(&event.event)) {
      send({{"error", error_object(problem_of(failed->error), facts_.request_id, true)}});
      http::append_event(wire, {number, {}, "[DONE]"});
    }
  }

  bool waits_for_text() const override { return !facts_.progress; }

 private:
  json::object head(std::string_view object) const {
    return {{"id", "chatcmpl-" + facts_.request_id},
            {"object", object},
            {"created", facts_.created},
            {"model", facts_.model}};
  }

  static json::object& choice_of(json::object& chunk) {
    return chunk["choices"].at(0).get_object();
  }

  json::object chunk(json::object delta) const {
    json::object object = head("chat.completion.chunk");
    object["choices"] = json::array{json::object{{"index", 0},
                                                 {"delta", std::move(delta)},
                                                 {"logprobs", nullptr},
                                                 {"finish_reason", nullptr}}};
    if (facts_.include_usage) object["usage"] = nullptr;
    return object;
  }

  const ChatFacts facts_;
};

}  // namespace

std::shared_ptr<AnswerForm> chat_form(ChatFacts facts) {
  return std::make_shared<ChatForm>(std::move(facts));
}

}  // namespace tru::api
