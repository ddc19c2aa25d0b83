#include <charconv>

#include "api/errors.h"
#include "api/handlers.h"
#include "api/reading.h"
#include "api/requests.h"
#include "base/digest.h"
#include "base/json_text.h"
#include "http/upload.h"
#include "pipeline/report_json.h"
#include "pipeline/still.h"

namespace tru::api {
namespace {

using store::StoredVideo;

pipeline::Question question_about(const Service& service, const StoredVideo& video) {
  pipeline::Question question;
  question.media = {{text::PartKind::video, video.path, video.name}};
  question.messages = {{"user", {{text::PartKind::video, "", 0}}}};
  question.generation = service.config.generation;
  return question;
}

Result<pipeline::PlannedQuestion> plan(const Service& service, const pipeline::Question& question,
                                       std::stop_token stop) {
  class Nobody : public backend::AnswerListener {
    void on_progress(backend::Stage, std::int64_t, std::int64_t) override {}
    void on_text(std::string_view) override {}
  } nobody;
  TRU_TRY(const auto files, pipeline::fetch_media(question.media, service.fetcher, nobody, stop));
  return pipeline::plan_question(question, files, service.config.video, *service.backend());
}

json::object facts_of(const StoredVideo& video, const pipeline::PlannedQuestion& planned) {
  return {{"id", video.id},
          {"sha256", video.sha256},
          {"bytes", video.bytes},
          {"video_report", pipeline::to_json(planned.reports())}};
}

// The route's {id} as a video of the client's.
Task<http::Expected<StoredVideo>> find_video(Service& service, Exchange& exchange) {
  const std::string id = exchange.param("id"), owner = exchange.user();
  const auto find = [&] { return service.videos.find(id, owner); };
  auto video = co_await http::result_on(exchange.workers(), find);
  if (!video) co_return http::refuse(problem_of(video.error()));
  co_return *video;
}

http::Expected<void> check_model(const Service& service) {
  if (service.backend() == nullptr) return http::refuse(refusal::model_loading);
  return {};
}

std::string media_type(const std::string& container) {
  if (container == "mkv") return "video/x-matroska";
  if (container == "avi") return "video/x-msvideo";
  if (container == "mov") return "video/quicktime";
  return "video/" + container;  // mp4, webm
}

struct Received {
  PrivateFile file;
  std::string name = "video";
};

// The video of a raw body, or of a form whose file part may have any name.
Task<http::Expected<Received>> receive(Service& service, Exchange& exchange, Digest& digest) {
  http::SaveOptions options;
  options.folder = service.incoming.folder();
  options.limit_bytes = service.config.max_video_bytes;
  options.on_bytes = [&digest](std::string_view bytes) { digest.update(bytes); };
  Received received;
  const auto type = exchange.head().header("Content-Type");
  if (!type || !type->starts_with("multipart/")) {
    TRU_HTTP_TRY(received.file, co_await http::save_body(exchange, std::move(options)));
    co_return received;
  }
  constexpr std::uint64_t kBesideVideo = 1 << 20;
  TRU_HTTP_TRY(http::FormReader form,
               http::FormReader::open(exchange, options.limit_bytes + kBesideVideo));
  for (;;) {
    TRU_HTTP_TRY(const auto part, co_await form.next());
    if (!part) break;
    if (!part->filename) continue;
    if (!received.file.path().empty()) {
      co_return http::refuse(problem(refusal::field_invalid, part->name, "one file at a time"));
    }
    received.name = *part->filename;
    TRU_HTTP_TRY(received.file, co_await form.save(options));
  }
  if (received.file.path().empty()) {
    co_return http::refuse(problem(refusal::field_missing, "video", "video is required"));
  }
  co_return received;
}

// Keeps what was received if it can be planned for.
Result<json::object> keep(const Service& service, Received received, const std::string& sha256,
                          const std::string& owner, std::stop_token stop) {
  received.file.close();
  StoredVideo incoming;
  incoming.name = received.name;
  incoming.path = received.file.path();
  TRU_TRY(const auto planned, plan(service, question_about(service, incoming), stop));
  TRU_TRY(const StoredVideo kept,
          service.videos.keep(std::move(received.file), sha256, owner, received.name,
                              media_type(planned.media.front().video->info().container)));
  return facts_of(kept, planned);
}

}  // namespace

Task<Response> create_video(Service& service, Exchange& exchange) {
  if (auto ready = check_model(service); !ready) co_return http::refuse(ready.error());
  if (const auto room = service.incoming.check_room(exchange.content_length().value_or(0)); !room) {
    co_return problem_of(room.error());
  }
  Digest digest;
  TRU_HTTP_TRY(Received received, co_await receive(service, exchange, digest));
  const std::string sha256 = std::move(digest).hex(), owner = exchange.user();
  const std::stop_token stop = exchange.stop();
  const auto work = [&] { return keep(service, std::move(received), sha256, owner, stop); };
  const auto kept = co_await http::result_on(exchange.workers(), work);
  if (!kept) co_return problem_of(kept.error());
  Response response(201, "application/json", to_json_text(*kept));
  response.headers.set("Location", "/v1/videos/" + std::string(kept->at("id").as_string()));
  co_return response;
}

Task<Response> get_video(Service& service, Exchange& exchange) {
  if (auto ready = check_model(service); !ready) co_return http::refuse(ready.error());
  TRU_HTTP_TRY(const StoredVideo video, co_await find_video(service, exchange));
  const std::stop_token stop = exchange.stop();
  const auto work = [&] { return plan(service, question_about(service, video), stop); };
  const auto planned = co_await http::result_on(exchange.workers(), work);
  if (!planned) co_return problem_of(planned.error());
  co_return Response(200, "application/json", to_json_text(facts_of(video, *planned)));
}

Task<Response> delete_video(Service& service, Exchange& exchange) {
  const std::string id = exchange.param("id"), owner = exchange.user();
  const auto work = [&] { return service.videos.remove(id, owner); };
  const auto removed = co_await http::result_on(exchange.workers(), work);
  if (!removed) co_return problem_of(removed.error());
  Response response;
  response.status = 204;
  co_return response;
}

Task<Response> plan_video(Service& service, Exchange& exchange) {
  if (auto ready = check_model(service); !ready) co_return http::refuse(ready.error());
  TRU_HTTP_TRY(const VideoParams params, co_await read_json<VideoParams>(exchange, true));
  TRU_HTTP_TRY(const auto seen, video_request(params, ""));
  TRU_HTTP_TRY(const StoredVideo video, co_await find_video(service, exchange));
  const std::stop_token stop = exchange.stop();
  const auto work = [&]() -> Result<json::object> {
    pipeline::Question question = question_about(service, video);
    question.video = seen;
    TRU_TRY(const auto planned, plan(service, question, stop));
    backend::Backend& backend = *service.backend();
    TRU_TRY(const auto estimate,
            backend.estimate(*planned.prompt, planned.shapes(), question.generation.max_tokens));
    return json::object{{"video_report", pipeline::to_json(planned.reports())},
                        {"estimate", pipeline::to_json(estimate, backend.info())}};
  };
  const auto planned = co_await http::result_on(exchange.workers(), work);
  if (!planned) co_return problem_of(planned.error());
  co_return Response(200, "application/json", to_json_text(*planned));
}

Task<Response> video_frame(Service& service, Exchange& exchange) {
  const std::string& text = exchange.param("index");
  int index = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (wrong != std::errc() || end != text.data() + text.size() || index < 0) {
    co_return problem(refusal::field_invalid, "index", "index must be a whole number from 0 on");
  }
  Names unknown;
  Texts texts;
  for (const auto& [name, value] : exchange.head().target.query) texts.emplace(name, value);
  TRU_HTTP_TRY(const FrameQuery query, from_texts<FrameQuery>(texts, unknown));
  warn_of(unknown, exchange);
  TRU_HTTP_TRY(const StoredVideo video, co_await find_video(service, exchange));
  const std::string etag =
      fmt::format("\"{}-{}-{}\"", video.sha256.substr(0, 16), index, query.width.value_or(0));
  std::optional<int> width;
  if (query.width) width = static_cast<int>(*query.width);
  const std::stop_token stop = exchange.stop();
  const auto work = [&] { return pipeline::still(video.path, video.name, index, width, stop); };
  const auto picture = co_await http::result_on(exchange.workers(), work);
  if (!picture) co_return problem_of(picture.error());
  Response response(200, "image/jpeg", *picture);
  response.headers.set("Cache-Control", "private, max-age=86400");
  co_return http::with_etag(exchange, etag, std::move(response));
}

Task<Response> video_content(Service& service, Exchange& exchange) {
  TRU_HTTP_TRY(const StoredVideo video, co_await find_video(service, exchange));
  http::FileInfo info;
  info.content_type = video.type;
  info.etag = "\"" + video.sha256 + "\"";
  co_return co_await http::file_response(exchange, video.path, info);
}

}  // namespace tru::api
