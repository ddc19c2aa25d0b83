#include "metrics/metrics.h"

#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tru::metrics {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Histogram;
using Labels = prometheus::Labels;

// From a cached page to a long upload.
const Histogram::BucketBoundaries kRequestBuckets{0.001, 0.005, 0.025, 0.1, 0.5, 1,
                                                  2.5,   10,    30,    60,  300, 600};
// Stages of a question: milliseconds with the demo model, minutes with a large one on a CPU.
const Histogram::BucketBoundaries kStageBuckets{0.01, 0.03, 0.1, 0.3, 1,   3,
                                                10,   30,   60,  120, 300, 600};
// Of a question and its answer together, from a short text to a long video.
const Histogram::BucketBoundaries kTokenBuckets{64,    256,   1024,  4096,   8192,
                                                16384, 32768, 65536, 131072, 262144};

std::string text_of(std::string_view view) {
  return std::string(view);
}

auto& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

auto& histogram(prometheus::Registry& registry, const char* name, const char* help,
                const Histogram::BucketBoundaries& buckets = kStageBuckets) {
  return BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

auto& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildCounter().Name(name).Help(help).Register(registry);
}

auto& histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildHistogram().Name(name).Help(help).Register(registry);
}

}  // namespace

Metrics::Metrics(std::string_view version, std::string_view backend)
    : requests_(counters(registry_, "tru_http_requests_total", "Requests answered.")),
      durations_(histograms(registry_, "tru_http_request_duration_seconds",
                            "From a request's head to the end of its answer.")),
      bytes_(counters(registry_, "tru_http_bytes_total", "Bytes of bodies.")),
      rejections_(counters(registry_, "tru_requests_rejected_total",
                           "Requests turned away because of load or limits.")),
      failures_(counters(registry_, "tru_questions_failed_total", "Questions that failed.")),
      answers_(counters(registry_, "tru_answers_total", "Answers given, by what ended them.")),
      tokens_(counters(registry_, "tru_tokens_total", "Tokens read and written.")),
      reused_pairs_(counters(registry_, "tru_frame_pairs_reused_total",
                             "Pairs of frames with the pixels of the pair before: not encoded.")
                        .Add({})),
      stages_(histograms(registry_, "tru_stage_seconds", "Busy time of a stage per question.")),
      queue_wait_(histogram(registry_, "tru_queue_wait_seconds", "Time spent in the queue.")),
      first_token_(histogram(registry_, "tru_first_token_seconds",
                             "From a question's turn to its answer's first token.")),
      sequence_tokens_(histogram(registry_, "tru_context_used_tokens",
                                 "What a question and its answer filled of the KV cache.",
                                 kTokenBuckets)),
      connections_(gauge(registry_, "tru_http_connections", "Open connections.")),
      waiting_(gauge(registry_, "tru_queue_waiting", "Questions that wait for their turn.")),
      running_(gauge(registry_, "tru_queue_running", "Questions being answered.")),
      capacity_(gauge(registry_, "tru_queue_capacity", "Questions that may wait.")),
      videos_(gauge(registry_, "tru_videos_kept", "Videos uploaded to be asked about again.")),
      context_(gauge(registry_, "tru_context_capacity_tokens",
                     "What the KV cache holds; 0 until the model is loaded.")),
      loaded_(gauge(registry_, "tru_model_loaded", "1 when questions can be answered.")),
      resident_(gauge(registry_, "process_resident_memory_bytes", "Memory in use.")),
      cpu_(counters(registry_, "process_cpu_seconds_total", "CPU time used.").Add({})),
      files_(gauge(registry_, "process_open_fds", "Open file descriptors.")) {
  BuildGauge()
      .Name("tru_build_info")
      .Help("1, with what is running in the labels.")
      .Register(registry_)
      .Add({{"version", text_of(version)}, {"backend", text_of(backend)}})
      .Set(1);
}

void Metrics::http_request(const HttpRequest& request) {
  const std::string route = request.route.empty() ? "none" : text_of(request.route);
  requests_
      .Add({{"route", route},
            {"method", text_of(request.method)},
            {"status", request.status == 0 ? "left" : std::to_string(request.status)}})
      .Increment();
  durations_.Add({{"route", route}}, kRequestBuckets).Observe(request.duration_s);
  bytes_.Add({{"direction", "in"}}).Increment(static_cast<double>(request.bytes_in));
  bytes_.Add({{"direction", "out"}}).Increment(static_cast<double>(request.bytes_out));
}

void Metrics::queue_left(double waited_s) {
  queue_wait_.Observe(waited_s);
}

void Metrics::rejected(std::string_view code) {
  rejections_.Add({{"code", text_of(code)}}).Increment();
}

void Metrics::failed(std::string_view code) {
  failures_.Add({{"code", text_of(code)}}).Increment();
}

Histogram& Metrics::stage(std::string_view name) {
  return stages_.Add({{"stage", text_of(name)}}, kStageBuckets);
}

void Metrics::answered(const FinishedAnswer& answer) {
  answers_.Add({{"finish_reason", text_of(answer.finish_reason)}}).Increment();
  const auto count = [&](const char* kind, std::int64_t tokens) {
    tokens_.Add({{"kind", kind}}).Increment(static_cast<double>(tokens));
  };
  count("prompt", answer.prompt_tokens);
  count("cached", answer.cached_tokens);
  count("completion", answer.completion_tokens);
  reused_pairs_.Increment(static_cast<double>(answer.reused_frame_pairs));
  sequence_tokens_.Observe(static_cast<double>(answer.prompt_tokens + answer.completion_tokens));
  stage("decode").Observe(answer.decode_s);
  stage("vision").Observe(answer.vision_s);
  stage("prefill").Observe(answer.prefill_s);
  stage("generate").Observe(answer.generate_s);
  first_token_.Observe(answer.first_token_s);
}

std::string Metrics::text(const Now& now) {
  connections_.Set(static_cast<double>(now.http_connections));
  waiting_.Set(static_cast<double>(now.queue_waiting));
  running_.Set(static_cast<double>(now.queue_running));
  capacity_.Set(static_cast<double>(now.queue_capacity));
  videos_.Set(static_cast<double>(now.videos_kept));
  context_.Set(static_cast<double>(now.context_tokens));
  loaded_.Set(now.model_loaded ? 1 : 0);
  const ProcessUse use = process_use();
  resident_.Set(static_cast<double>(use.resident_bytes));
  cpu_.Increment(use.cpu_s - cpu_.Value());
  files_.Set(static_cast<double>(use.open_files));
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

ProcessUse process_use() {
  ProcessUse use;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    use.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  std::ifstream statm("/proc/self/statm");
  std::int64_t size_pages = 0, resident_pages = 0;
  if (statm >> size_pages >> resident_pages) {
    use.resident_bytes = resident_pages * sysconf(_SC_PAGESIZE);
  }
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++use.open_files;
  }
  return use;
}

}  // namespace tru::metrics
