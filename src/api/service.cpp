#include "api/service.h"

#include "api/errors.h"
#include "pipeline/report_json.h"

namespace tru::api {
namespace {

void count_answer(metrics::Metrics& metrics, const pipeline::Answer& answer) {
  const backend::Usage& usage = answer.generation.usage;
  const pipeline::AnswerTimings& timings = answer.timings;
  metrics.answered({.finish_reason = answer.generation.finish_reason,
                    .prompt_tokens = usage.prompt_tokens,
                    .cached_tokens = usage.cached_tokens,
                    .completion_tokens = usage.completion_tokens,
                    .reused_frame_pairs = answer.generation.reused_temporal_patches,
                    .first_token_s = timings.first_token_ms / 1000,
                    .decode_s = timings.decode_ms / 1000,
                    .vision_s = timings.vision_ms / 1000,
                    .prefill_s = timings.prefill_ms / 1000,
                    .generate_s = timings.generate_ms / 1000});
}

}  // namespace

Service::Service(ServiceConfig config_, AccessKeys keys_, const fetch::Fetcher& fetcher_,
                 store::Spool uploads_, store::Spool incoming_, store::VideoStore videos_,
                 std::optional<http::StaticFiles> web_, LogEvent log_)
    : config(std::move(config_)),
      keys(std::move(keys_)),
      fetcher(fetcher_),
      uploads(std::move(uploads_)),
      incoming(std::move(incoming_)),
      videos(std::move(videos_)),
      web(std::move(web_)),
      log(std::move(log_)),
      metrics(config.version, std::string_view(config.model.at("backend").as_string())),
      queue({.capacity = config.queue_size,
             .per_client = config.requests_per_client,
             .keyed = config.keep_keyed},
            [this](const jobs::Job& job) { log_end(job); }) {}

void Service::model_ready(backend::Backend& backend) {
  backend_ = &backend;
  queue.start(backend.max_concurrency());
}

http::Problem Service::queue_full() const {
  http::Problem problem(refusal::queue_full);
  problem.retry_after_s = queue.retry_after_s();
  return problem;
}

http::Expected<void> Service::check_ready() {
  constexpr int kSoon = 2;
  if (backend() == nullptr || !queue.healthy()) {
    http::Problem problem(backend() == nullptr ? refusal::model_loading : refusal::engine_stalled);
    problem.retry_after_s = kSoon;
    return http::refuse(problem);
  }
  if (queue.full()) return http::refuse(queue_full());
  return {};
}

// One line for each question, with what its stages took and without its words.
void Service::log_end(const jobs::Job& job) {
  boost::json::object fields{{"request_id", job.id()}, {"waited_ms", job.waited_ms()}};
  if (!job.trace_id().empty()) fields["trace_id"] = job.trace_id();
  const auto last = job.events().read(job.events().last_number() - 1).back();
  metrics.queue_left(job.waited_ms() / 1000);
  if (const auto* done = std::get_if<jobs::Done>(&last.event)) {
    count_answer(metrics, *done->answer);
    const backend::Generation& generation = done->answer->generation;
    fields["finish_reason"] = generation.finish_reason;
    fields["usage"] = pipeline::to_json(generation.usage);
    fields["timings_ms"] = pipeline::to_json(done->answer->timings);
    log("info", "answered", std::move(fields));
  } else if (const auto* failed = std::get_if<jobs::Failed>(&last.event)) {
    const http::Problem problem = problem_of(failed->error);
    metrics.failed(problem.code);
    fields["code"] = problem.code;
    // What users must not see is what those who run the service need.
    if (problem.status >= 500) fields["cause"] = failed->error.message;
    log(problem.status >= 500 ? "error" : "info", "failed", std::move(fields));
  }
}

http::Expected<BodyBudget> BodyBudget::claim(Service& service, const http::Exchange& exchange,
                                             std::size_t limit_bytes) {
  constexpr std::size_t kAllBodies = std::size_t{256} << 20;
  const auto announced = exchange.content_length();
  // read_body() refuses what is longer than announced or than the limit.
  const std::size_t bytes =
      announced ? static_cast<std::size_t>(std::min<std::uint64_t>(*announced, limit_bytes))
                : limit_bytes;
  if (service.body_bytes + bytes > kAllBodies) {
    http::Problem problem(refusal::busy);
    problem.retry_after_s = 1;
    return http::refuse(problem);
  }
  return BodyBudget(service, bytes);
}

}  // namespace tru::api
