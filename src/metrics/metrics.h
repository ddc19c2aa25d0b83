// What the service counts, by Prometheus' conventions: base units (seconds, bytes), _total for
// counters. Every metric is declared here and nowhere else; any thread may count.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tru::metrics {

// Values that are read when somebody asks, not counted as they happen.
struct Now {
  std::int64_t http_connections = 0;
  std::int64_t queue_waiting = 0;
  std::int64_t queue_running = 0;
  std::int64_t queue_capacity = 0;
  std::int64_t videos_kept = 0;
  std::int64_t context_tokens = 0;
  bool model_loaded = false;
};

struct HttpRequest {
  std::string_view route;  // the pattern, never the path: a path would make a series per video
  std::string_view method;
  int status = 0;  // 0: the client left first
  double duration_s = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
};

struct FinishedAnswer {
  std::string_view finish_reason;
  std::int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  std::int64_t reused_frame_pairs = 0;  // same pixels as the pair before
  double first_token_s = 0;
  double decode_s = 0, vision_s = 0, prefill_s = 0, generate_s = 0;  // busy time of stages
};

class Metrics {
 public:
  Metrics(std::string_view version, std::string_view backend);

  void http_request(const HttpRequest& request);
  void queue_left(double waited_s);      // a request began to run
  void rejected(std::string_view code);  // 429s and 503s, by error code
  void failed(std::string_view code);    // questions that ended in an error
  void answered(const FinishedAnswer& answer);

  // The text that GET /metrics answers; `now` is sampled by the caller.
  std::string text(const Now& now);

 private:
  prometheus::Histogram& stage(std::string_view name);

  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Family<prometheus::Counter>& bytes_;
  prometheus::Family<prometheus::Counter>& rejections_;
  prometheus::Family<prometheus::Counter>& failures_;
  prometheus::Family<prometheus::Counter>& answers_;
  prometheus::Family<prometheus::Counter>& tokens_;
  prometheus::Counter& reused_pairs_;
  prometheus::Family<prometheus::Histogram>& stages_;
  prometheus::Histogram& queue_wait_;
  prometheus::Histogram& first_token_;
  prometheus::Histogram& sequence_tokens_;
  prometheus::Gauge& connections_;
  prometheus::Gauge& waiting_;
  prometheus::Gauge& running_;
  prometheus::Gauge& capacity_;
  prometheus::Gauge& videos_;
  prometheus::Gauge& context_;
  prometheus::Gauge& loaded_;
  prometheus::Gauge& resident_;
  prometheus::Counter& cpu_;
  prometheus::Gauge& files_;
};

// Of this process, from /proc.
struct ProcessUse {
  double cpu_s = 0;
  std::int64_t resident_bytes = 0;
  std::int64_t open_files = 0;
};
ProcessUse process_use();

}  // namespace tru::metrics
