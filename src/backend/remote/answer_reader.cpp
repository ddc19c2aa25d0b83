#include "backend/remote/answer_reader.h"

#include <charconv>

#include "backend/remote/reply_error.h"

namespace tru::backend {
namespace {

namespace json = boost::json;

constexpr std::string_view kTokenId = "token_id:";  // vLLM's spelling of a token by its number

const json::value* find(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const json::object* find_object(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* find_array(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value == nullptr ? nullptr : value->if_array();
}

std::string_view find_text(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                : std::string_view();
}

std::int64_t find_number(const json::object& object, std::string_view key, std::int64_t fallback) {
  const json::value* value = find(object, key);
  return value != nullptr && value->is_int64() ? value->get_int64() : fallback;
}

std::string bytes_of(const json::array& numbers) {
  std::string bytes;
  for (const json::value& number : numbers) {
    if (number.is_int64()) bytes += static_cast<char>(number.get_int64());
  }
  return bytes;
}

}  // namespace

Status AnswerReader::on_event(const std::string& data) {
  if (data == "[DONE]") {
    ended_ = true;
    return {};
  }
  boost::system::error_code broken;
  const json::value event = json::parse(data, broken);
  if (broken || !event.is_object()) {
    return fail(ErrorCode::backend_protocol, "the back end's stream holds what is not JSON");
  }
  return read(event.get_object());
}

Status AnswerReader::read(const json::object& event) {
  if (const json::value* error = find(event, "error")) return tl::unexpected(stream_error(*error));
  const std::string_view model = find_text(event, "model");
  if (!model.empty() && model != model_) {
    return fail(ErrorCode::backend_protocol, "the back end answered as another model");
  }
  if (const json::array* ids = find_array(event, "prompt_token_ids"); ids && params_.logprobs) {
    for (const json::value& id : *ids) {
      if (id.is_int64()) {
        generation_.prompt_token_ids.push_back(static_cast<std::int32_t>(id.get_int64()));
      }
    }
  }
  if (const json::object* usage = find_object(event, "usage")) read_usage(*usage);
  const json::array* choices = find_array(event, "choices");
  if (choices == nullptr || choices->empty()) return {};
  const json::object* choice = choices->front().if_object();
  if (choice != nullptr) read_choice(*choice);
  return {};
}

void AnswerReader::read_choice(const json::object& choice) {
  const json::object* delta = find_object(choice, "delta");
  const std::string_view text = delta == nullptr ? "" : find_text(*delta, "content");
  const json::array* ids = find_array(choice, "token_ids");
  if (ids != nullptr || !text.empty()) {
    count(ids != nullptr ? static_cast<std::int64_t>(ids->size()) : 1);
  }
  if (const json::object* logprobs = find_object(choice, "logprobs");
      logprobs && params_.logprobs) {
    read_logprobs(*logprobs);
  }
  if (!text.empty()) {
    generation_.text += text;
    listener_.on_text(text);
  }
  const std::string_view reason = find_text(choice, "finish_reason");
  if (!reason.empty()) generation_.finish_reason = reason == "length" ? "length" : "stop";
  // A server that ignores max_tokens is not listened to for ever.
  if (num_tokens_ > params_.max_tokens && generation_.finish_reason.empty()) {
    generation_.finish_reason = "length";
    ended_ = true;
  }
}

void AnswerReader::count(std::int64_t tokens) {
  if (tokens == 0) return;
  if (num_tokens_ == 0) {
    generation_.timings.prefill_ms = watch_.elapsed_ms();
    watch_ = Stopwatch();
    listener_.on_progress(Stage::prefill, prompt_tokens_, prompt_tokens_);
  }
  for (; tokens > 0; --tokens) {
    listener_.on_progress(Stage::generate, ++num_tokens_, params_.max_tokens);
  }
}

void AnswerReader::read_logprobs(const json::object& logprobs) {
  const json::array* content = find_array(logprobs, "content");
  if (content == nullptr) return;
  for (const json::value& value : *content) {
    const json::object* entry = value.if_object();
    if (entry == nullptr) continue;
    OutputToken token;
    static_cast<AlternativeToken&>(token) = token_of(*entry);
    if (const json::array* top = find_array(*entry, "top_logprobs")) {
      for (const json::value& other : *top) {
        if (other.is_object()) token.top_logprobs.push_back(token_of(other.get_object()));
      }
    }
    listener_.on_token(token);
    generation_.tokens.push_back(std::move(token));
  }
}

AlternativeToken AnswerReader::token_of(const json::object& entry) const {
  AlternativeToken token;
  std::string_view text = find_text(entry, "token");
  token.id = static_cast<std::int32_t>(find_number(entry, "id", -1));
  if (text.starts_with(kTokenId)) {
    text.remove_prefix(kTokenId.size());
    std::from_chars(text.data(), text.data() + text.size(), token.id);
    text = {};
  }
  const json::array* bytes = find_array(entry, "bytes");
  if (tokenizer_ != nullptr && token.id >= 0) {
    token.bytes = tokenizer_->bytes(token.id);
  } else {
    token.bytes = bytes == nullptr ? std::string(text) : bytes_of(*bytes);
  }
  if (const json::value* logprob = find(entry, "logprob"); logprob && logprob->is_number()) {
    token.logprob = logprob->to_number<float>();
  }
  return token;
}

void AnswerReader::read_usage(const json::object& usage) {
  has_usage_ = true;
  generation_.usage.prompt_tokens = find_number(usage, "prompt_tokens", 0);
  generation_.usage.completion_tokens = find_number(usage, "completion_tokens", num_tokens_);
  if (const json::object* details = find_object(usage, "prompt_tokens_details")) {
    generation_.usage.cached_tokens = find_number(*details, "cached_tokens", 0);
  }
}

Result<Generation> AnswerReader::finish() {
  if (generation_.finish_reason.empty()) {
    return fail(ErrorCode::backend_protocol, "the back end ended its answer in the middle");
  }
  if (!has_usage_) generation_.usage = {prompt_tokens_, num_tokens_, 0};
  generation_.timings.generate_ms = watch_.elapsed_ms();
  return std::move(generation_);
}

}  // namespace tru::backend
