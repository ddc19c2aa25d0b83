#include "api/errors.h"
#include "api/handlers.h"
#include "api/html.h"
#include "api/reading.h"
#include "api/requests.h"
#include "api/v1_form.h"
#include "http/upload.h"

namespace tru::api {
namespace {

bool wants_page(const Exchange& exchange) {
  return accepts_html(exchange.head().header("Accept").value_or(""));
}

// A question about one video, as both routes ask it: a form has all fields side by side, and may be
// a page's without JavaScript.
http::Expected<Asked> make_asked(const Service& service, const Exchange& exchange,
                                 const UploadRequest& request, pipeline::MediaRef video,
                                 std::string video_source, bool form) {
  const auto seen = video_request(request.video_params, form ? "" : "video_params.");
  if (!seen) return http::refuse(seen.error());
  const auto answer = generation_params(request.generation_params, service.config.generation,
                                        form ? "" : "generation_params.");
  if (!answer) return http::refuse(answer.error());
  Asked asked;
  asked.question.media = {std::move(video)};
  asked.question.messages = {
      {"user", {{text::PartKind::video, "", 0}, {text::PartKind::text, *request.prompt, 0}}}};
  asked.question.video = *seen;
  asked.question.generation = *answer;
  asked.stream = request.stream.value_or(wants_events(exchange.head()));
  asked.resumable = request.resumable.value_or(false);
  const backend::ModelInfo model = service.backend()->info();
  V1Facts facts;
  facts.prompt = *request.prompt;
  facts.video_source = std::move(video_source);
  facts.request_id = exchange.id();
  facts.backend = model.backend;
  facts.model = model.name;
  facts.logprobs = answer->logprobs;
  facts.html = form && wants_page(exchange);
  asked.form = v1_form(std::move(facts));
  return asked;
}

struct Form {
  Texts texts;
  PrivateFile video;
  std::string filename;
  std::optional<Digest> digest;  // of the video, if the request has an Idempotency-Key
};

// The same for any boundary and order of the fields.
std::string fingerprint_of(const Exchange& exchange, Form form) {
  if (!form.digest) return "";
  Fingerprint fingerprint(exchange);
  fingerprint.add(wants_page(exchange) ? "page" : "");
  fingerprint.add(form.filename);
  fingerprint.add(std::move(*form.digest).hex());
  for (const auto& [name, value] : form.texts) {
    fingerprint.add(name);
    fingerprint.add(value);
  }
  return std::move(fingerprint).hex();
}

// The form's texts, and its video on the disk; fields may come in any order.
Task<http::Expected<Form>> read_form(Service& service, Exchange& exchange) {
  constexpr std::uint64_t kBesideVideo = 4 << 20;  // for texts and the form's own lines
  const std::uint64_t limit = service.config.max_video_bytes;
  TRU_HTTP_TRY(http::FormReader reader, http::FormReader::open(exchange, limit + kBesideVideo));
  Form form;
  if (has_idempotency_key(exchange.head())) form.digest.emplace();
  bool seen = false;
  for (;;) {
    TRU_HTTP_TRY(const auto part, co_await reader.next());
    if (!part) break;
    if (part->name == "video") {
      if (!part->filename) {
        co_return http::refuse(
            problem(refusal::field_invalid, "video", "video must be a file with a file name"));
      }
      if (std::exchange(seen, true)) {
        co_return http::refuse(
            problem(refusal::field_invalid, "video", "video is given more than once"));
      }
      http::SaveOptions options;
      options.folder = service.uploads.folder();
      options.limit_bytes = limit;
      if (form.digest) {
        options.on_bytes = [&form](std::string_view bytes) { form.digest->update(bytes); };
      }
      TRU_HTTP_TRY(form.video, co_await reader.save(std::move(options)));
      form.filename = *part->filename;
    } else if (!part->filename) {
      TRU_HTTP_TRY(std::string text, co_await reader.read_text(kMaxPromptBytes + 1));
      form.texts.emplace(part->name, std::move(text));
    }
  }
  if (!seen) co_return http::refuse(problem(refusal::field_missing, "video", "video is required"));
  form.video.close();
  co_return form;
}

}  // namespace

Task<Response> infer_upload(Service& service, Exchange& exchange) {
  // Before a gigabyte is sent in vain.
  TRU_HTTP_CHECK(check_welcome(service, exchange));
  const std::uint64_t announced = exchange.content_length().value_or(0);
  if (const auto room = service.uploads.check_room(announced); !room) {
    co_return problem_of(room.error());
  }
  TRU_HTTP_TRY(Form form, co_await read_form(service, exchange));
  Names unknown;
  TRU_HTTP_TRY(const UploadRequest request, from_texts<UploadRequest>(form.texts, unknown));
  warn_of(unknown, exchange);

  auto upload = std::make_shared<PrivateFile>(std::move(form.video));
  pipeline::MediaRef video{text::PartKind::video, upload->path(), form.filename};
  TRU_HTTP_TRY(Asked asked,
               make_asked(service, exchange, request, std::move(video), form.filename, true));
  asked.upload = std::move(upload);  // who answers it alone decides when it goes
  asked.fingerprint = fingerprint_of(exchange, std::move(form));
  co_return co_await answer(service, exchange, std::move(asked));
}

Task<Response> infer_url(Service& service, Exchange& exchange) {
  std::string fingerprint;
  TRU_HTTP_TRY(const UrlRequest request,
               co_await read_json<UrlRequest>(exchange, false, &fingerprint));
  TRU_HTTP_CHECK(check_welcome(service, exchange));
  TRU_HTTP_TRY(Asked asked,
               make_asked(service, exchange, request, {text::PartKind::video, *request.video_url},
                          *request.video_url, false));
  asked.fingerprint = std::move(fingerprint);
  const std::string owner = exchange.user();
  const auto locate = [&] { return locate_media(service, owner, asked.question.media); };
  const auto located = co_await http::result_on(exchange.workers(), locate);
  if (!located) co_return http::refuse(located.error());
  co_return co_await answer(service, exchange, std::move(asked));
}

}  // namespace tru::api
