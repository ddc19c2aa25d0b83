#include "api/asking.h"

#include <algorithm>

#include "api/errors.h"
#include "api/rate_guard.h"
#include "api/repeating.h"
#include "base/json_text.h"
#include "base/stopwatch.h"

namespace tru::api {
namespace {

using http::Task;
using jobs::Job;

constexpr std::chrono::hours kForever{24};

// A job's events as a coroutine waits for them.
class Follower {
 public:
  explicit Follower(Job& job)
      : job_(job.shared_from_this()),
        reader_(job.attach()),
        subscription_(job.events().subscribe([wakeup = wakeup_] { wakeup.notify(); })) {}

  http::Wakeup& wakeup() { return wakeup_; }

 private:
  std::shared_ptr<Job> job_;  // outlives the subscription
  Job::Reader reader_;
  http::Wakeup wakeup_;
  jobs::EventLog::Subscription subscription_;
};

// The containers that the settings allow; what a file is called does not matter.
Status check_formats(const pipeline::PlannedQuestion& planned,
                     const std::vector<std::string>& allowed) {
  for (const pipeline::OpenMedia& media : planned.media) {
    if (!media.video) continue;
    const std::string container = "." + media.video->info().container;
    if (std::find(allowed.begin(), allowed.end(), container) != allowed.end()) continue;
    return fail(ErrorCode::media_unsupported, "{} files are not allowed here: use one of {}",
                container, fmt::join(allowed, ", "));
  }
  return {};
}

// Planning needs no engine, so it is done ahead: a file that cannot be used is told about without
// waiting for the answers before it.
jobs::Work make_work(const Service& service, Asked asked) {
  struct State {
    Asked asked;
    std::optional<pipeline::PlannedQuestion> planned;
    Stopwatch since;
  };
  const auto state = std::make_shared<State>();
  state->asked = std::move(asked);
  jobs::Work work;
  work.prepare = [&service, state](backend::AnswerListener& listener,
                                   std::stop_token stop) -> Status {
    const pipeline::Question& question = state->asked.question;
    TRU_TRY(const auto files,
            pipeline::fetch_media(question.media, service.fetcher, listener, stop));
    TRU_TRY(state->planned,
            pipeline::plan_question(question, files, service.config.video, *service.backend()));
    return check_formats(*state->planned, service.config.video_formats);
  };
  work.answer = [&service, state](backend::AnswerListener& listener, std::stop_token stop) {
    return pipeline::answer_planned(state->asked.question, *state->planned, state->since,
                                    *service.backend(), listener, stop);
  };
  return work;
}

const Error kLeft{ErrorCode::cancelled, "the client left"};

// Waits for the job's end; null when the client left first.
Task<const pipeline::Answer*> wait_for_answer(http::Exchange& exchange, Job& job,
                                              Follower& follower, Error& error) {
  const std::stop_token stop = exchange.stop();
  while (!job.events().ended()) {
    if (stop.stop_requested()) {
      error = kLeft;
      co_return nullptr;
    }
    co_await follower.wakeup().wait(kForever, stop);
  }
  if (const auto failure = job.events().failure()) {
    error = *failure;
    co_return nullptr;
  }
  const auto last = job.events().read(job.events().last_number() - 1).back();
  co_return std::get<jobs::Done>(last.event).answer.get();
}

// Waits until the answer begins or fails, but not so long that a client or a proxy gives up.
Task<void> wait_for_text(http::Exchange& exchange, Job& job, Follower& follower) {
  constexpr std::chrono::seconds kPatience{10};
  const auto deadline = jobs::Clock::now() + kPatience;
  const auto begun = [](const jobs::NumberedEvent& event) {
    return !std::holds_alternative<jobs::Queued>(event.event) &&
           !std::holds_alternative<jobs::Progress>(event.event);
  };
  std::uint64_t seen = 0;
  while (jobs::Clock::now() < deadline && !exchange.stop().stop_requested()) {
    const auto events = job.events().read(seen);
    if (std::any_of(events.begin(), events.end(), begun)) co_return;
    seen += events.size();
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - jobs::Clock::now());
    co_await follower.wakeup().wait(left, exchange.stop());
  }
}

const AnswerForm& form_of(const Job& job) {
  return *static_cast<const AnswerForm*>(job.about().get());
}

http::Expected<std::shared_ptr<Job>> submit(Service& service, const http::Exchange& exchange,
                                            std::string key, Asked asked) {
  if (auto ready = service.check_ready(); !ready) return http::refuse(ready.error());
  jobs::JobOptions options;
  options.id = exchange.id();
  options.owner = exchange.user();
  options.client = client_name(exchange);
  options.resumable = (asked.stream && asked.resumable) || !key.empty();
  options.about = asked.form;
  options.key = std::move(key);
  options.fingerprint = asked.fingerprint;
  if (const auto& trace = exchange.trace()) {
    options.trace_id = trace->trace_id;
    asked.question.generation.traceparent = http::child_traceparent(*trace);
  }
  auto job = service.queue.submit(std::move(options), make_work(service, std::move(asked)));
  if (job) return *job;
  if (job.error().code == ErrorCode::queue_full) return http::refuse(service.queue_full());
  return http::refuse(problem_of(job.error()));
}

}  // namespace

void append_progress(const jobs::NumberedEvent& event, const std::string& request_id,
                     std::string& wire) {
  const std::string number = std::to_string(event.number);
  if (const auto* queued = std::get_if<jobs::Queued>(&event.event)) {
    const boost::json::object data{{"position", queued->position}, {"request_id", request_id}};
    http::append_event(wire, {number, "queued", to_json_text(data)});
  } else if (const auto* progress = std::get_if<jobs::Progress>(&event.event)) {
    const boost::json::object data{{"stage", to_string(progress->stage)},
                                   {"done", progress->done},
                                   {"total", progress->total}};
    http::append_event(wire, {number, "progress", to_json_text(data)});
  }
}

http::Expected<void> locate_media(const Service& service, const std::string& owner,
                                  std::vector<pipeline::MediaRef>& media) {
  constexpr std::string_view kKept = "tru://videos/";
  for (pipeline::MediaRef& ref : media) {
    // The scheme in lower case, so that whoever reads it next sees the same as we do.
    const std::size_t colon = std::min(ref.url.find(':'), ref.url.size());
    std::transform(ref.url.begin(), ref.url.begin() + static_cast<std::ptrdiff_t>(colon),
                   ref.url.begin(), [](unsigned char c) { return std::tolower(c); });
    if (ref.url.starts_with(kKept)) {
      const auto video = service.videos.find(ref.url.substr(kKept.size()), owner);
      if (!video) return http::refuse(problem_of(video.error()));
      ref.url = video->path;
      ref.name = video->name;
    } else if (!ref.url.starts_with("http://") && !ref.url.starts_with("https://") &&
               !ref.url.starts_with("data:")) {
      return http::refuse(refusal::url_scheme_not_allowed);
    }
  }
  return {};
}

Task<http::Response> stream_events(Service& service, http::Exchange& exchange,
                                   std::shared_ptr<Job> job, std::uint64_t after) {
  Follower follower(*job);
  const AnswerForm& form = form_of(*job);
  if (form.waits_for_text() && after == 0) {
    co_await wait_for_text(exchange, *job, follower);
    if (const auto error = job->events().failure()) co_return problem_of(*error);
  }
  http::EventStream events = co_await exchange.start_events();
  std::string wire;
  for (;;) {
    // Read before the events, so that none comes between.
    const bool ended = job->events().ended();
    const auto news = job->events().read(after);
    wire.clear();
    for (const jobs::NumberedEvent& event : news) form.append(event, wire);
    after += news.size();
    const bool there = wire.empty() || co_await events.send_raw(wire);
    if (there && ended && news.empty()) co_return co_await events.finish();
    if (there && (ended || !news.empty())) continue;
    if (there && co_await events.wait(follower.wakeup())) continue;
    if (!job->resumable()) service.queue.stop(*job, kLeft);
    co_return http::EventStream::left();
  }
}

Task<http::Response> answer(Service& service, http::Exchange& exchange, Asked asked) {
  const bool stream = asked.stream;
  // Nothing is awaited from here to submit(), so that of several at once one is the first.
  TRU_HTTP_TRY(std::string key, idempotency_key(exchange.head()));
  TRU_HTTP_TRY(std::shared_ptr<Job> job, find_repeated(service, exchange, key, asked.fingerprint));
  if (job) {
    // Its copy of the upload is not needed. The disk may take a while.
    const auto drop = [&] { asked.upload.reset(); };
    co_await http::run_on(exchange.workers(), drop);
  } else {
    TRU_HTTP_TRY(job, submit(service, exchange, std::move(key), std::move(asked)));
  }
  if (stream) co_return co_await stream_events(service, exchange, job, 0);

  Follower follower(*job);
  Error error;
  const pipeline::Answer* done = co_await wait_for_answer(exchange, *job, follower, error);
  if (done != nullptr) co_return form_of(*job).body(*done);
  if (!job->resumable()) service.queue.stop(*job, error);
  co_return problem_of(error);
}

}  // namespace tru::api
