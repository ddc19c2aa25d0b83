#include "jobs/job.h"

namespace tru::jobs {
namespace {

constexpr std::chrono::milliseconds kProgressEvery{100};

}  // namespace

Job::Job(JobOptions options, Work work) : options_(std::move(options)), work_(std::move(work)) {}

Job::Reader Job::attach() {
  std::lock_guard lock(mutex_);
  ++readers_;
  return Reader(shared_from_this());
}

Job::Reader::~Reader() {
  if (!job_) return;
  std::lock_guard lock(job_->mutex_);
  if (--job_->readers_ == 0) job_->no_reader_since_ = Clock::now();
}

void Job::on_progress(backend::Stage stage, std::int64_t done, std::int64_t total) {
  last_sign_ = Clock::now().time_since_epoch();
  // The text itself shows how generation goes.
  if (stage == backend::Stage::generate) return;
  {
    std::lock_guard lock(mutex_);
    Shown& shown = shown_.at(static_cast<std::size_t>(stage));
    const bool first_or_last = shown.total != total || done >= total;
    if (!first_or_last && Clock::now() - shown.at < kProgressEvery) return;
    shown = {Clock::now(), total};
  }
  events_.append(Progress{stage, done, total});
}

void Job::on_token(const backend::OutputToken& token) {
  std::lock_guard lock(mutex_);
  tokens_.push_back(token);
}

void Job::on_text(std::string_view text) {
  last_sign_ = Clock::now().time_since_epoch();
  Text event{std::string(text), {}};
  {
    std::lock_guard lock(mutex_);
    event.tokens.swap(tokens_);
  }
  events_.append(std::move(event));
}

void Job::stop(Error reason) {
  {
    std::lock_guard lock(mutex_);
    if (!reason_) reason_ = std::move(reason);
  }
  stop_.request_stop();
}

void Job::finish(Result<pipeline::Answer> result) {
  {
    // What the work holds, such as an upload, is gone before anyone hears the end.
    std::unique_lock lock(mutex_);
    Work work = std::exchange(work_, {});
    if (!result && result.error().code == ErrorCode::cancelled && reason_)
      result.error() = *reason_;
    lock.unlock();
  }
  if (result) {
    if (!tokens_.empty()) on_text("");  // those without a text, such as the one that ends it
    events_.append(Done{std::make_shared<const pipeline::Answer>(std::move(*result))});
  } else {
    events_.append(Failed{std::move(result).error()});
  }
}

bool Job::deserted(std::chrono::milliseconds since) const {
  std::lock_guard lock(mutex_);
  return readers_ == 0 && Clock::now() - no_reader_since_ > since;
}

std::chrono::milliseconds Job::quiet_for() const {
  const Clock::time_point last{last_sign_.load()};
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - last);
}

}  // namespace tru::jobs
