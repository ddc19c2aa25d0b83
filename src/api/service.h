// What the handlers share: the model, the queue, the kept videos, the web page. Lives on the
// server's io thread, as the handlers do; what another thread may touch says so.
#pragma once

#include <atomic>
#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/access.h"
#include "http/exchange.h"
#include "http/files.h"
#include "http/server.h"
#include "jobs/job_queue.h"
#include "metrics/metrics.h"
#include "pipeline/answer_video.h"
#include "store/spool.h"
#include "store/video_store.h"

namespace tru::api {

struct ServiceConfig {
  pipeline::VideoDefaults video;
  backend::GenerationParams generation;
  std::uint64_t max_video_bytes = std::uint64_t{1000} << 20;
  std::vector<std::string> video_formats;  // containers, such as ".mp4"
  std::size_t queue_size = 64;
  std::size_t requests_per_client = 0;  // questions at once of one key or address; 0: any number
  std::chrono::milliseconds keep_keyed = jobs::QueueLimits().keyed;
  bool demo_model = false;
  std::string version;
  // The model as health/detailed shows it before it is loaded: backend, path.
  boost::json::object model;
  // The same for the machine: gpu, cpu, memory.
  std::function<boost::json::object()> describe_machine;
};

// One line of the log about something that happened; `fields` are its own.
using LogEvent =
    std::function<void(std::string_view level, std::string_view event, boost::json::object fields)>;

class Service {
 public:
  Service(ServiceConfig config, AccessKeys keys, const fetch::Fetcher& fetcher,
          store::Spool uploads, store::Spool incoming, store::VideoStore videos,
          std::optional<http::StaticFiles> web, LogEvent log);

  // The model can answer from now on. It outlives the service. Any thread, once.
  void model_ready(backend::Backend& backend);
  // Null until then. Any thread.
  backend::Backend* backend() const { return backend_.load(); }

  // Whether a question would be taken now: model_loading, engine_stalled, queue_full.
  http::Expected<void> check_ready();
  http::Problem queue_full() const;

  const ServiceConfig config;
  const AccessKeys keys;
  const fetch::Fetcher& fetcher;
  const store::Spool uploads;   // one-shot videos
  const store::Spool incoming;  // videos to be kept, on the disk of `videos`
  const store::VideoStore videos;
  const std::optional<http::StaticFiles> web;
  const LogEvent log;

  metrics::Metrics metrics;  // any thread may count

  // Large bodies in memory at this moment; see BodyBudget.
  std::atomic<std::size_t> body_bytes{0};

 private:
  void log_end(const jobs::Job& job);

  std::atomic<backend::Backend*> backend_{nullptr};

 public:
  jobs::JobQueue queue;  // the last member: its threads use the others
};

// Claims memory for a request's body as long as its media may be in memory; none when too much is
// taken already.
class BodyBudget {
 public:
  static http::Expected<BodyBudget> claim(Service& service, const http::Exchange& exchange,
                                          std::size_t limit_bytes);
  BodyBudget(BodyBudget&& other) noexcept
      : service_(other.service_), bytes_(std::exchange(other.bytes_, 0)) {}
  BodyBudget& operator=(BodyBudget&&) = delete;
  ~BodyBudget() { service_.body_bytes -= bytes_; }

 private:
  BodyBudget(Service& service, std::size_t bytes) : service_(service), bytes_(bytes) {
    service_.body_bytes += bytes_;
  }

  Service& service_;
  std::size_t bytes_;
};

}  // namespace tru::api
