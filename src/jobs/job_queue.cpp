#include "jobs/job_queue.h"

#include <algorithm>
#include <cmath>

#include "base/stopwatch.h"

namespace tru::jobs {
namespace {

constexpr std::chrono::milliseconds kWatchEvery{250};

// Exceptions of libraries, such as std::bad_alloc, cost one job and not the program.
template <typename Call>
auto guarded(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::engine_failed, "there is not enough memory for this request");
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "{}", error.what());
  }
}

// A client may use a name again: the newest job has it.
template <typename Index>
void forget(Index& index, const std::string& name, const std::shared_ptr<Job>& job) {
  const auto found = index.find({job->owner(), name});
  if (found != index.end() && found->second == job) index.erase(found);
}

}  // namespace

JobQueue::JobQueue(QueueLimits limits, Ended ended) : limits_(limits), ended_(std::move(ended)) {
  for (std::size_t i = 0; i < limits_.prepared; ++i) {
    threads_.emplace_back([this](std::stop_token stop) { prepare_jobs(stop); });
  }
  threads_.emplace_back([this](std::stop_token stop) { watch_jobs(stop); });
}

JobQueue::~JobQueue() {
  shut_down(std::chrono::milliseconds(0));
}

void JobQueue::start(int runners) {
  std::lock_guard lock(mutex_);
  if (closing_) return;
  runners_ = static_cast<std::size_t>(runners);
  for (int i = 0; i < runners; ++i) {
    threads_.emplace_back([this](std::stop_token stop) { run_jobs(stop); });
  }
}

Result<JobQueue::JobPtr> JobQueue::submit(JobOptions options, Work work) {
  std::lock_guard lock(mutex_);
  if (closing_) return fail(ErrorCode::shutting_down, "the service is shutting down");
  if (is_full()) {
    return fail(ErrorCode::queue_full, "{} requests are waiting already: try again later",
                limits_.capacity);
  }
  const auto is_theirs = [&](const JobPtr& job) { return job->client() == options.client; };
  if (limits_.per_client > 0 && static_cast<std::size_t>(std::count_if(
                                    line_.begin(), line_.end(), is_theirs)) >= limits_.per_client) {
    return fail(ErrorCode::busy, "{} of your questions wait or run already: try again later",
                limits_.per_client);
  }
  auto job = std::make_shared<Job>(std::move(options), std::move(work));
  if (!job->work_.prepare) job->state_ = JobState::ready;
  line_.push_back(job);
  kept_[{job->owner(), job->id()}] = job;
  if (!job->key().empty()) keyed_[{job->owner(), job->key()}] = job;
  tell_positions();
  (job->state_ == JobState::ready ? to_run_ : to_prepare_).notify_one();
  return job;
}

void JobQueue::stop(Job& job, Error why) {
  job.stop(std::move(why));
  JobPtr waiting;
  {
    std::lock_guard lock(mutex_);
    if (job.state_ == JobState::waiting || job.state_ == JobState::ready) {
      waiting = job.shared_from_this();
      job.state_ = JobState::ended;  // no thread takes it from here on
    }
  }
  if (waiting) end(waiting, fail(ErrorCode::cancelled, "the request was cancelled"));
}

JobQueue::JobPtr JobQueue::find(const std::string& id, const std::string& owner) const {
  std::lock_guard lock(mutex_);
  const auto found = kept_.find({owner, id});
  return found == kept_.end() ? nullptr : found->second;
}

JobQueue::JobPtr JobQueue::find_by_key(const std::string& key, const std::string& owner) const {
  std::lock_guard lock(mutex_);
  const auto found = keyed_.find({owner, key});
  return found == keyed_.end() ? nullptr : found->second;
}

bool JobQueue::is_full() const {
  // A job that an idle runner is about to take does not wait.
  const std::size_t idle = runners_ - count(JobState::running, JobState::running);
  return count(JobState::waiting, JobState::ready) >= limits_.capacity + idle;
}

bool JobQueue::full() const {
  std::lock_guard lock(mutex_);
  return is_full();
}

std::size_t JobQueue::count(JobState first, JobState last) const {
  return static_cast<std::size_t>(std::count_if(line_.begin(), line_.end(), [&](const auto& job) {
    return job->state_ >= first && job->state_ <= last;
  }));
}

JobQueue::Counts JobQueue::counts() const {
  std::lock_guard lock(mutex_);
  return {count(JobState::waiting, JobState::ready), count(JobState::running, JobState::running),
          limits_.capacity};
}

int JobQueue::retry_after_s() const {
  std::lock_guard lock(mutex_);
  const double jobs =
      static_cast<double>(line_.size()) / static_cast<double>(std::max<std::size_t>(runners_, 1));
  return static_cast<int>(std::clamp(std::ceil(jobs * mean_run_s_ / 2), 1.0, 600.0));
}

bool JobQueue::healthy() const {
  std::lock_guard lock(mutex_);
  return healthy_;
}

void JobQueue::tell_positions() {
  std::int64_t ahead = 0;
  for (const JobPtr& job : line_) {
    if (job->state_ <= JobState::ready && job->position_ != ahead) {
      job->position_ = ahead;
      job->events_.append(Queued{ahead});
    }
    ++ahead;
  }
}

JobQueue::JobPtr JobQueue::first(JobState state) const {
  const auto found = std::find_if(line_.begin(), line_.end(),
                                  [&](const auto& job) { return job->state_ == state; });
  return found == line_.end() ? nullptr : *found;
}

// Both wait for a job and move it on; null when the queue ends.
JobQueue::JobPtr JobQueue::next_to_prepare(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  JobPtr job;
  to_prepare_.wait(lock, stop, [&] {
    const bool room = count(JobState::preparing, JobState::ready) < limits_.prepared;
    job = room ? first(JobState::waiting) : nullptr;
    return job != nullptr;
  });
  if (job) job->state_ = JobState::preparing;
  return job;
}

JobQueue::JobPtr JobQueue::next_to_run(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  JobPtr job;
  to_run_.wait(lock, stop, [&] { return (job = first(JobState::ready)) != nullptr; });
  if (!job) return nullptr;
  job->state_ = JobState::running;
  to_prepare_.notify_one();
  return job;
}

void JobQueue::prepare_jobs(std::stop_token stop) {
  while (const JobPtr job = next_to_prepare(stop)) {
    const auto prepare = [&] { return job->work_.prepare(*job, job->stop_.get_token()); };
    const Status status = guarded(prepare);
    if (!status) {
      end(job, tl::unexpected(status.error()));
      continue;
    }
    std::lock_guard lock(mutex_);
    job->state_ = JobState::ready;
    to_run_.notify_one();
  }
}

void JobQueue::run_jobs(std::stop_token stop) {
  while (const JobPtr job = next_to_run(stop)) run(job);
}

void JobQueue::run(const JobPtr& job) {
  const Stopwatch watch;
  job->waited_ms_ = std::chrono::duration<double, std::milli>(Clock::now() - job->created_).count();
  job->last_sign_ = Clock::now().time_since_epoch();
  const auto answer = [&] { return job->work_.answer(*job, job->stop_.get_token()); };
  auto result = guarded(answer);
  {
    std::lock_guard lock(mutex_);
    constexpr double kNewest = 0.3;
    mean_run_s_ += kNewest * (watch.elapsed_ms() / 1000 - mean_run_s_);
  }
  end(job, std::move(result));
}

void JobQueue::end(const JobPtr& job, Result<pipeline::Answer> result) {
  job->finish(std::move(result));
  if (ended_) ended_(*job);
  std::lock_guard lock(mutex_);
  job->state_ = JobState::ended;
  job->ended_at_ = Clock::now();
  std::erase(line_, job);
  if (!job->resumable()) forget(kept_, job->id(), job);
  if (!job->key().empty()) {
    repeats_.push_back(job);
    repeats_bytes_ += job->events_.size_bytes();
    forget_keyed();
  }
  tell_positions();
  to_prepare_.notify_one();
  fewer_.notify_all();
}

void JobQueue::forget_keyed() {
  while (!repeats_.empty()) {
    const JobPtr& oldest = repeats_.front();
    if (repeats_.size() <= limits_.keyed_jobs && repeats_bytes_ <= limits_.keyed_bytes &&
        Clock::now() - oldest->ended_at_ < limits_.keyed) {
      return;
    }
    repeats_bytes_ -= oldest->events_.size_bytes();
    forget(keyed_, oldest->key(), oldest);
    repeats_.pop_front();
  }
}

// Stops jobs that nobody reads any more, forgets those that nobody comes back for, and notices
// when the device hangs.
void JobQueue::watch_jobs(std::stop_token ending) {
  std::unique_lock lock(mutex_);
  while (!ending.stop_requested()) {
    fewer_.wait_for(lock, ending, kWatchEvery, [] { return false; });
    std::vector<JobPtr> deserted;
    bool healthy = true;
    for (const JobPtr& job : line_) {
      if (job->state_ == JobState::running && job->quiet_for() > limits_.silence) healthy = false;
      if (!job->resumable() || !job->deserted(limits_.without_reader)) continue;
      forget(keyed_, job->key(), job);  // who comes too late may ask anew
      deserted.push_back(job);
    }
    std::erase_if(kept_, [&](const auto& entry) {
      const Job& job = *entry.second;
      return job.state_ == JobState::ended && job.deserted(limits_.without_reader);
    });
    forget_keyed();
    healthy_ = healthy;
    lock.unlock();
    for (const JobPtr& job : deserted) {
      stop(*job, {ErrorCode::cancelled, "nobody came back to read the answer"});
    }
    lock.lock();
  }
}

void JobQueue::shut_down(std::chrono::milliseconds grace) {
  std::unique_lock lock(mutex_);
  closing_ = true;
  fewer_.wait_for(lock, grace, [this] { return line_.empty(); });
  const std::deque<JobPtr> left = line_;
  lock.unlock();
  for (const JobPtr& job : left) {
    stop(*job, {ErrorCode::shutting_down, "the service was shut down before the answer was done"});
  }
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
}

}  // namespace tru::jobs
