// One request on its way from the queue to its answer.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "jobs/event_log.h"

namespace tru::jobs {

using Clock = std::chrono::steady_clock;

// What a job does. Both run on threads of the queue; what they capture (an upload's file) is let go
// before the job's last event.
struct Work {
  // What needs no engine, such as a download: may run beside the answers of other jobs. May be
  // empty.
  std::function<Status(backend::AnswerListener&, std::stop_token)> prepare;
  std::function<Result<pipeline::Answer>(backend::AnswerListener&, std::stop_token)> answer;
};

struct JobOptions {
  std::string id;          // of the request
  std::string owner;       // whose key; others don't find it
  bool resumable = false;  // lives on for a while without a reader
  // The submitter's own, for whoever finds the job by its id.
  std::shared_ptr<const void> about{};
  std::string client{};    // who counts as one for QueueLimits::per_client
  std::string trace_id{};  // of the caller's trace, for the log; empty: none
  // The owner's own name for what is asked, under which the job is found after its end too: for
  // resumable jobs. Empty: none.
  std::string key{};
  std::string fingerprint{};  // of what is asked under the key
};

enum class JobState { waiting, preparing, ready, running, ended };

// Any thread may call anything.
class Job : public backend::AnswerListener, public std::enable_shared_from_this<Job> {
 public:
  Job(JobOptions options, Work work);

  const std::string& id() const { return options_.id; }
  const std::string& owner() const { return options_.owner; }
  const std::string& client() const { return options_.client; }
  const std::string& trace_id() const { return options_.trace_id; }
  const std::string& key() const { return options_.key; }
  const std::string& fingerprint() const { return options_.fingerprint; }
  bool resumable() const { return options_.resumable; }
  const std::shared_ptr<const void>& about() const { return options_.about; }
  EventLog& events() { return events_; }
  const EventLog& events() const { return events_; }

  // A reader of the events counts as long as it holds one of these.
  class Reader;
  Reader attach();

  // Where the work says what it does; progress is thinned out to some ten events a second.
  void on_progress(backend::Stage stage, std::int64_t done, std::int64_t total) override;
  void on_text(std::string_view text) override;
  void on_token(const backend::OutputToken& token) override;

  double waited_ms() const { return waited_ms_; }

 private:
  friend class JobQueue;

  // The first reason counts: it is what a job that stopped reports.
  void stop(Error reason);
  void finish(Result<pipeline::Answer> result);
  std::chrono::milliseconds quiet_for() const;           // without a sign of life from the work
  bool deserted(std::chrono::milliseconds since) const;  // without a reader for so long

  const JobOptions options_;
  const Clock::time_point created_ = Clock::now();
  EventLog events_;
  std::stop_source stop_;
  std::atomic<double> waited_ms_ = 0;  // from submit to its turn
  std::atomic<Clock::duration> last_sign_ = Clock::now().time_since_epoch();

  mutable std::mutex mutex_;  // of what follows
  Work work_;
  std::optional<Error> reason_;
  int readers_ = 0;
  Clock::time_point no_reader_since_ = created_;
  std::vector<backend::OutputToken> tokens_;  // waiting for the text they complete
  struct Shown {
    Clock::time_point at{};
    std::int64_t total = -1;
  };
  std::array<Shown, 8> shown_;  // by stage: the last progress that became an event

  // Of the queue, under its lock.
  JobState state_ = JobState::waiting;
  std::int64_t position_ = -1;  // as last told
  Clock::time_point ended_at_{};
};

class Job::Reader {
 public:
  Reader(Reader&& other) noexcept : job_(std::move(other.job_)) {}
  Reader& operator=(Reader&&) = delete;
  ~Reader();

 private:
  friend class Job;
  explicit Reader(std::shared_ptr<Job> job) : job_(std::move(job)) {}
  std::shared_ptr<Job> job_;
};

}  // namespace tru::jobs
