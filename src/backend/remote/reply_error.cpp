#include "backend/remote/reply_error.h"

namespace tru::backend {
namespace {

namespace json = boost::json;

// vLLM, llama-server and SGLang say it in words only.
bool is_about_context(std::string_view message) {
  for (const char* words : {"context length", "context size", "exceed_context_size"}) {
    if (message.find(words) != std::string_view::npos) return true;
  }
  return false;
}

Error error_of(long status, std::string_view message) {
  switch (status) {
    case 400:
    case 413:
    case 422:
      if (is_about_context(message)) {
        return {ErrorCode::context_overflow,
                "the prompt does not fit the back end's context; use fewer or smaller frames"};
      }
      return {ErrorCode::backend_error, "the back end refused the request"};
    case 401:
    case 403:
      return {ErrorCode::backend_error, "the back end refused the key; check VLLM_API_KEY"};
    case 404:
    case 405:
      return {ErrorCode::backend_error, "the back end has no chat API for this model"};
    case 408:
    case 504:
      return {ErrorCode::backend_timeout, "the back end took too long"};
    case 429:
    case 503:
      return {ErrorCode::backend_unavailable, "the back end is overloaded"};
    case 502:
      return {ErrorCode::backend_unavailable, "the back end can't be reached"};
    default:
      break;
  }
  if (status >= 500) return {ErrorCode::backend_error, "the back end failed at the request"};
  return {ErrorCode::backend_protocol, "the back end's answer can't be understood"};
}

}  // namespace

Error reply_error(const HttpReply& reply) {
  return error_of(reply.status, reply.body);
}

Error stream_error(const json::value& error) {
  const json::object* object = error.if_object();
  const json::value* code = object == nullptr ? nullptr : object->if_contains("code");
  const long status = code != nullptr && code->is_int64() ? code->get_int64() : 500;
  return error_of(status, json::serialize(error));
}

bool may_be_retried(long status) {
  return status == 408 || status == 429 || status >= 500;
}

}  // namespace tru::backend
