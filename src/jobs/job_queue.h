// Admission: how many requests wait, whose turn it is, and who is stopped.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "jobs/job.h"

namespace tru::jobs {

struct QueueLimits {
  std::size_t capacity = 64;   // jobs that wait for their turn
  std::size_t per_client = 0;  // jobs of one client that wait or run; 0: any number
  std::size_t prepared = 16;   // jobs that prepare or are prepared: each holds what it opened
  std::chrono::milliseconds without_reader{30'000};  // a resumable job lives on for this long
  // Jobs that have ended and are found by their key: for how long, and how many of what size
  // together. The first to end are the first to go.
  std::chrono::milliseconds keyed{600'000};
  std::size_t keyed_jobs = 1000;
  std::size_t keyed_bytes = std::size_t{64} << 20;
  // A running job without a sign of life for this long is given up: the device hangs.
  std::chrono::milliseconds silence{600'000};
};

// Threads of its own prepare and answer jobs in the order in which they came; one that prepares
// does not hold up those behind it. Any thread may call anything.
class JobQueue {
 public:
  using Ended = std::function<void(const Job&)>;

  // ended: called for each job after its last event, on a thread of the queue or of a caller.
  explicit JobQueue(QueueLimits limits, Ended ended = {});
  ~JobQueue();  // as shut_down() without grace

  // Begins to answer, `runners` jobs at a time. Jobs may be submitted before.
  void start(int runners);

  // Errors: queue_full, busy (per_client), shutting_down.
  Result<std::shared_ptr<Job>> submit(JobOptions options, Work work);

  // Stops the job, wherever it is; its last event says why. No effect on one that has ended.
  void stop(Job& job, Error why);

  // A job of that owner that has not ended, or one that has and can still be read. Null: none.
  std::shared_ptr<Job> find(const std::string& id, const std::string& owner) const;

  // The newest job of that owner with this key, unless it was stopped because nobody read it or
  // ended too long ago: see QueueLimits. Null: none.
  std::shared_ptr<Job> find_by_key(const std::string& key, const std::string& owner) const;

  struct Counts {
    std::size_t waiting = 0;
    std::size_t running = 0;
    std::size_t capacity = 0;
  };
  Counts counts() const;

  // Whether submit() would say queue_full now.
  bool full() const;

  // When there will be room, going by how long jobs took lately.
  int retry_after_s() const;

  // False when a running job hangs.
  bool healthy() const;

  // Refuses new jobs, waits for the others until `grace` is over, then stops them and joins all
  // threads. For the owner's thread, once.
  void shut_down(std::chrono::milliseconds grace);

 private:
  using JobPtr = std::shared_ptr<Job>;
  using Index = std::map<std::pair<std::string, std::string>, JobPtr>;  // by owner and name

  void prepare_jobs(std::stop_token stop);
  void run_jobs(std::stop_token stop);
  void watch_jobs(std::stop_token stop);
  void run(const JobPtr& job);
  void end(const JobPtr& job, Result<pipeline::Answer> result);
  void tell_positions();  // the lock is held
  void forget_keyed();    // the lock is held
  JobPtr next_to_prepare(std::stop_token stop);
  JobPtr next_to_run(std::stop_token stop);
  JobPtr first(JobState state) const;                      // the lock is held
  std::size_t count(JobState first, JobState last) const;  // the lock is held
  bool is_full() const;                                    // the lock is held

  const QueueLimits limits_;
  const Ended ended_;

  mutable std::mutex mutex_;
  // Jobs were added to those that wait or may be prepared; are ready; have ended.
  std::condition_variable_any to_prepare_, to_run_, fewer_;
  std::deque<JobPtr> line_;     // in order of arrival, until they end
  Index kept_;                  // by id, to be found
  Index keyed_;                 // by key
  std::deque<JobPtr> repeats_;  // those of keyed_ that have ended, in that order
  std::size_t repeats_bytes_ = 0;
  std::size_t runners_ = 0;
  bool closing_ = false;
  bool healthy_ = true;
  double mean_run_s_ = 5;  // of the last ones, the newest counting most

  std::vector<std::jthread> threads_;  // the last member: they use the others
};

}  // namespace tru::jobs
