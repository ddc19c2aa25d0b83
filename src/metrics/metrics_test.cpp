#include "metrics/metrics.h"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

namespace tru::metrics {
namespace {

using testing::HasSubstr;

TEST(Metrics, CountsRequestsByRouteMethodAndStatus) {
  Metrics metrics("1.2.3", "hf");
  for (int i = 0; i < 3; ++i) metrics.http_request({"/v1/videos/{id}", "GET", 200, 0.002, 10, 20});
  metrics.http_request({"", "POST", 404, 0.001, 0, 5});
  const std::string text = metrics.text({});
  EXPECT_THAT(
      text,
      HasSubstr(R"(tru_http_requests_total{method="GET",route="/v1/videos/{id}",status="200"} 3)"));
  EXPECT_THAT(text,
              HasSubstr(R"(tru_http_requests_total{method="POST",route="none",status="404"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(tru_http_bytes_total{direction="out"} 65)"));
  EXPECT_THAT(text, HasSubstr(R"(tru_build_info{backend="hf",version="1.2.3"} 1)"));
  EXPECT_THAT(text, HasSubstr("# TYPE tru_http_request_duration_seconds histogram"));
}

TEST(Metrics, ReportsTheQueueAsItIsNow) {
  Metrics metrics("0", "hf");
  Now now;
  now.queue_waiting = 5;
  now.queue_capacity = 64;
  EXPECT_THAT(metrics.text(now), HasSubstr("tru_queue_waiting 5"));
  now.queue_waiting = 0;
  const std::string text = metrics.text(now);
  EXPECT_THAT(text, HasSubstr("tru_queue_waiting 0"));
  EXPECT_THAT(text, HasSubstr("tru_queue_capacity 64"));
}

TEST(Metrics, AddsUpTokensAndStages) {
  Metrics metrics("0", "hf");
  FinishedAnswer answer;
  answer.finish_reason = "stop";
  answer.prompt_tokens = 100;
  answer.completion_tokens = 7;
  answer.reused_frame_pairs = 3;
  answer.vision_s = 0.5;
  answer.first_token_s = 0.7;
  metrics.answered(answer);
  metrics.answered(answer);
  const std::string text = metrics.text({});
  EXPECT_THAT(text, HasSubstr(R"(tru_answers_total{finish_reason="stop"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(tru_tokens_total{kind="prompt"} 200)"));
  EXPECT_THAT(text, HasSubstr(R"(tru_stage_seconds_sum{stage="vision"} 1)"));
  EXPECT_THAT(text, HasSubstr("tru_first_token_seconds_count 2"));
  EXPECT_THAT(text, HasSubstr("tru_frame_pairs_reused_total 6"));
  EXPECT_THAT(text, HasSubstr("tru_context_used_tokens_sum 214"));
}

TEST(Metrics, ManyThreadsCountAtOnce) {
  Metrics metrics("0", "hf");
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) metrics.rejected("queue_full");
    });
  }
  threads.clear();
  EXPECT_THAT(metrics.text({}),
              HasSubstr(R"(tru_requests_rejected_total{code="queue_full"} 2000)"));
}

TEST(ProcessUse, SeesThisProcess) {
  const ProcessUse use = process_use();
  EXPECT_GT(use.cpu_s, 0);
  EXPECT_GT(use.resident_bytes, 1 << 20);
  EXPECT_GT(use.open_files, 2);
}

}  // namespace
}  // namespace tru::metrics
