#include "jobs/job_queue.h"

#include <gmock/gmock.h>

#include <future>

namespace tru::jobs {
namespace {

using namespace std::chrono_literals;
using backend::Stage;
using testing::ElementsAre;
using testing::HasSubstr;

pipeline::Answer answer_of(std::string text) {
  pipeline::Answer answer;
  answer.generation.text = std::move(text);
  return answer;
}

Work answers(const std::string& text) {
  return {{}, [text](auto&, auto) -> Result<pipeline::Answer> { return answer_of(text); }};
}

// Says "working" and goes on until it is stopped.
Work works_until_stopped() {
  return {{}, [](backend::AnswerListener& listener, std::stop_token stop) {
            listener.on_text("working");
            std::promise<void> stopped;
            const std::stop_callback wake(stop, [&] { stopped.set_value(); });
            stopped.get_future().wait();
            return Result<pipeline::Answer>(fail(ErrorCode::cancelled, "stopped"));
          }};
}

// Reads a job's events to the last, as words.
std::vector<std::string> read_all(Job& job, std::uint64_t after = 0) {
  std::vector<std::string> words;
  std::mutex mutex;
  std::condition_variable news;
  std::uint64_t seen = 0;
  const auto subscription = job.events().subscribe([&] {
    std::lock_guard lock(mutex);
    ++seen;
    news.notify_all();
  });
  for (;;) {
    for (const NumberedEvent& event : job.events().read(after)) {
      EXPECT_EQ(event.number, ++after);
      if (const auto* queued = std::get_if<Queued>(&event.event)) {
        words.push_back(fmt::format("queued {}", queued->position));
      } else if (const auto* text = std::get_if<Text>(&event.event)) {
        words.push_back("text " + text->text);
      } else if (const auto* done = std::get_if<Done>(&event.event)) {
        words.push_back("done " + done->answer->generation.text);
      } else if (const auto* failed = std::get_if<Failed>(&event.event)) {
        words.push_back("failed " + std::string(to_string(failed->error.code)));
      } else if (const auto* progress = std::get_if<Progress>(&event.event)) {
        words.push_back(
            fmt::format("{} {}/{}", to_string(progress->stage), progress->done, progress->total));
      }
    }
    if (job.events().ended() && after == job.events().last_number()) return words;
    std::unique_lock lock(mutex);
    news.wait_for(lock, 10ms, [&] { return seen > after; });
  }
}

void wait_for_text(Job& job) {
  while (job.events().last_number() < 2) std::this_thread::sleep_for(1ms);
}

JobOptions named(std::string id, std::string owner = "me") {
  JobOptions options;
  options.id = std::move(id);
  options.client = owner;
  options.owner = std::move(owner);
  return options;
}

TEST(JobQueue, AnswersInTheOrderOfArrivalAndSaysWhoIsAhead) {
  JobQueue queue({});
  const auto first = *queue.submit(named("1"), answers("one"));
  const auto second = *queue.submit(named("2"), answers("two"));
  queue.start(1);
  EXPECT_THAT(read_all(*first), ElementsAre("queued 0", "done one"));
  const auto told = read_all(*second);
  EXPECT_EQ(told.front(), "queued 1");
  EXPECT_EQ(told.back(), "done two");
}

TEST(JobQueue, RefusesWhatDoesNotFitAndSaysWhenToComeBack) {
  JobQueue queue({.capacity = 2});
  queue.start(1);
  const auto running = *queue.submit(named("1"), works_until_stopped());
  wait_for_text(*running);
  ASSERT_TRUE(queue.submit(named("2"), answers("")));
  ASSERT_TRUE(queue.submit(named("3"), answers("")));
  const auto refused = queue.submit(named("4"), answers(""));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::queue_full);
  EXPECT_TRUE(queue.full());
  EXPECT_GE(queue.retry_after_s(), 1);
  EXPECT_EQ(queue.counts().waiting, 2u);
  EXPECT_EQ(queue.counts().running, 1u);
}

TEST(JobQueue, LimitsWhatOneClientAsksAtATime) {
  JobQueue queue({.per_client = 2});
  queue.start(1);
  const auto running = *queue.submit(named("1"), works_until_stopped());
  ASSERT_TRUE(queue.submit(named("2"), answers("")));
  EXPECT_EQ(queue.submit(named("3"), answers("")).error().code, ErrorCode::busy);
  ASSERT_TRUE(queue.submit(named("4", "other"), answers("")));
  queue.stop(*running, {ErrorCode::cancelled, ""});
  read_all(*running);
  bool taken = false;
  for (int i = 0; i < 1000 && !taken; ++i) {
    std::this_thread::sleep_for(10ms);
    taken = queue.submit(named("5"), answers("")).has_value();
  }
  EXPECT_TRUE(taken);
}

TEST(JobQueue, WithoutRoomToWaitStillAnswersOneAtATime) {
  JobQueue queue({.capacity = 0});
  queue.start(1);
  EXPECT_FALSE(queue.full());
  const auto running = *queue.submit(named("1"), works_until_stopped());
  wait_for_text(*running);
  EXPECT_EQ(queue.submit(named("2"), answers("")).error().code, ErrorCode::queue_full);
}

TEST(JobQueue, StopsWaitingAndRunningJobsWithTheFirstReason) {
  JobQueue queue({});
  queue.start(1);
  const auto running = *queue.submit(named("1"), works_until_stopped());
  wait_for_text(*running);
  const auto waiting = *queue.submit(named("2"), answers("never"));
  queue.stop(*waiting, {ErrorCode::cancelled, "deleted"});
  EXPECT_THAT(read_all(*waiting), ElementsAre("queued 1", "failed cancelled"));
  EXPECT_EQ(queue.counts().waiting, 0u);
  queue.stop(*running, {ErrorCode::shutting_down, "first"});
  queue.stop(*running, {ErrorCode::cancelled, "second"});
  EXPECT_THAT(read_all(*running), ElementsAre("queued 0", "text working", "failed shutting_down"));
}

TEST(JobQueue, PreparingJobsHoldNobodyUp) {
  JobQueue queue({});
  queue.start(1);
  std::promise<void> downloaded;
  Work slow = answers("slow");
  slow.prepare = [&](backend::AnswerListener& listener, std::stop_token) -> Status {
    listener.on_progress(Stage::decode, 1, 2);
    downloaded.get_future().wait();
    return {};
  };
  const auto preparing = *queue.submit(named("1"), slow);
  const auto quick = *queue.submit(named("2"), answers("quick"));
  EXPECT_THAT(read_all(*quick).back(), "done quick");
  downloaded.set_value();
  EXPECT_EQ(read_all(*preparing).back(), "done slow");

  Work broken = answers("never");
  broken.prepare = [](auto&, auto) { return fail(ErrorCode::media_unreadable, "no"); };
  EXPECT_EQ(read_all(**queue.submit(named("3"), broken)).back(), "failed media_unreadable");
}

TEST(JobQueue, LetsGoOfTheWorkBeforeTheLastEvent) {
  JobQueue queue({});
  auto upload = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = upload;
  Work work = answers("");
  work.prepare = [held = std::move(upload)](auto&, auto) { return Status(); };
  const auto job = *queue.submit(named("1"), std::move(work));
  bool expired = false;
  const auto subscription = job->events().subscribe([&] { expired = watched.expired(); });
  queue.start(1);
  read_all(*job);
  EXPECT_TRUE(expired);
}

TEST(JobQueue, AnExceptionCostsOneJob) {
  JobQueue queue({});
  queue.start(1);
  Work work;
  work.answer = [](auto&, auto) -> Result<pipeline::Answer> { throw std::bad_alloc(); };
  EXPECT_EQ(read_all(**queue.submit(named("1"), work)).back(), "failed engine_failed");
  EXPECT_EQ(read_all(**queue.submit(named("2"), answers("on"))).back(), "done on");
}

TEST(JobQueue, FindsJobsOfTheirOwnersOnly) {
  JobQueue queue({});
  const auto mine = *queue.submit(named("1", "me"), answers("me"));
  const auto other = *queue.submit(named("1", "you"), answers("you"));
  EXPECT_EQ(queue.find("1", "me"), mine);
  EXPECT_EQ(queue.find("1", "you"), other);
  EXPECT_EQ(queue.find("1", "they"), nullptr);
  queue.start(1);
  read_all(*mine);
  read_all(*other);
  queue.shut_down(0ms);
  EXPECT_EQ(queue.find("1", "me"), nullptr);
}

TEST(JobQueue, AResumableJobOutlivesItsReadersForAWhile) {
  JobQueue queue({.without_reader = 300ms});
  queue.start(1);
  const auto job = *queue.submit({"1", "me", true, nullptr}, works_until_stopped());
  {
    const Job::Reader reader = job->attach();
    wait_for_text(*job);
    std::this_thread::sleep_for(600ms);
    EXPECT_FALSE(job->events().ended());  // somebody reads
  }
  EXPECT_EQ(queue.find("1", "me"), job);
  EXPECT_THAT(read_all(*job, 2), ElementsAre("failed cancelled"));  // nobody came back
  while (queue.find("1", "me")) std::this_thread::sleep_for(10ms);
}

JobOptions keyed(std::string id, std::string key, std::string owner = "me") {
  JobOptions options = named(std::move(id), std::move(owner));
  options.resumable = true;
  options.key = std::move(key);
  return options;
}

TEST(JobQueue, FindsJobsByTheKeysOfTheirOwners) {
  JobQueue queue({});
  queue.start(1);
  const auto first = *queue.submit(keyed("1", "key"), answers("one"));
  EXPECT_EQ(queue.find_by_key("key", "me"), first);
  EXPECT_EQ(queue.find_by_key("key", "you"), nullptr);
  EXPECT_EQ(queue.find_by_key("1", "me"), nullptr);
  EXPECT_EQ(queue.find("key", "me"), nullptr);
  read_all(*first);
  EXPECT_EQ(queue.find_by_key("key", "me"), first);  // after its end too
  const auto second = *queue.submit(keyed("1", "key"), answers("two"));
  EXPECT_EQ(queue.find_by_key("key", "me"), second);
  read_all(*second);
}

// The first to end are the first to go.
TEST(JobQueue, BoundsHowManyEndedJobsAreFoundByTheirKeys) {
  JobQueue queue({.keyed_jobs = 2});
  queue.start(1);
  for (const char* name : {"1", "2", "3"}) {
    read_all(**queue.submit(keyed(name, name), answers("x")));
  }
  while (queue.find_by_key("1", "me")) std::this_thread::sleep_for(1ms);
  EXPECT_NE(queue.find_by_key("2", "me"), nullptr);
  EXPECT_NE(queue.find_by_key("3", "me"), nullptr);

  JobQueue small({.keyed_bytes = 100'000});
  small.start(1);
  const auto large = *small.submit(keyed("1", "1"), answers(std::string(90'000, 'x')));
  read_all(*large);
  EXPECT_GT(large->events().size_bytes(), 90'000u);
  EXPECT_EQ(small.find_by_key("1", "me"), large);
  read_all(**small.submit(keyed("2", "2"), answers(std::string(20'000, 'x'))));
  while (small.find_by_key("1", "me")) std::this_thread::sleep_for(1ms);
  EXPECT_NE(small.find_by_key("2", "me"), nullptr);
}

TEST(JobQueue, ForgetsKeysInTime) {
  JobQueue queue({.keyed = 100ms});
  queue.start(1);
  const auto job = *queue.submit(keyed("1", "key"), works_until_stopped());
  const Job::Reader reader = job->attach();
  wait_for_text(*job);
  std::this_thread::sleep_for(400ms);
  EXPECT_EQ(queue.find_by_key("key", "me"), job);  // while it runs, however long
  queue.stop(*job, {ErrorCode::cancelled, ""});
  EXPECT_EQ(queue.find_by_key("key", "me"), job);
  while (queue.find_by_key("key", "me")) std::this_thread::sleep_for(10ms);
}

TEST(JobQueue, AJobThatNobodyReadsGivesItsKeyBack) {
  JobQueue queue({.without_reader = 100ms});
  queue.start(1);
  const auto job = *queue.submit(keyed("1", "key"), works_until_stopped());
  EXPECT_EQ(read_all(*job).back(), "failed cancelled");
  EXPECT_EQ(queue.find_by_key("key", "me"), nullptr);
}

TEST(JobQueue, ShutsDownWithinItsGraceAndTakesNoMore) {
  JobQueue queue({});
  queue.start(1);
  const auto running = *queue.submit(named("1"), works_until_stopped());
  wait_for_text(*running);
  std::jthread closer([&] { queue.shut_down(100ms); });
  EXPECT_EQ(read_all(*running).back(), "failed shutting_down");
  closer.join();
  EXPECT_EQ(queue.submit(named("2"), answers("")).error().code, ErrorCode::shutting_down);
}

TEST(JobQueue, SaysWhenTheDeviceHangs) {
  JobQueue queue({.silence = 50ms});
  queue.start(1);
  EXPECT_TRUE(queue.healthy());
  const auto job = *queue.submit(named("1"), works_until_stopped());
  while (queue.healthy()) std::this_thread::sleep_for(10ms);
  queue.stop(*job, {ErrorCode::cancelled, ""});
  while (!queue.healthy()) std::this_thread::sleep_for(10ms);
}

TEST(Job, ThinsProgressOutButShowsFirstAndLast) {
  JobQueue queue({});
  queue.start(1);
  Work work = {{}, [](backend::AnswerListener& listener, auto) -> Result<pipeline::Answer> {
                 for (int i = 1; i <= 1000; ++i) listener.on_progress(Stage::decode, i, 1000);
                 listener.on_progress(Stage::generate, 1, 5);
                 return answer_of("x");
               }};
  const auto words = read_all(**queue.submit(named("1"), work));
  EXPECT_THAT(words, testing::Contains("decode 1/1000"));
  EXPECT_THAT(words, testing::Contains("decode 1000/1000"));
  EXPECT_LT(words.size(), 500u);
  EXPECT_THAT(words, testing::Not(testing::Contains(HasSubstr("generate"))));
}

TEST(Job, TextCarriesTheTokensItIsMadeOf) {
  JobQueue queue({});
  queue.start(1);
  Work work = {{}, [](backend::AnswerListener& listener, auto) -> Result<pipeline::Answer> {
                 backend::OutputToken half;
                 listener.on_token(half);
                 listener.on_token(half);
                 listener.on_text("é");
                 listener.on_text("!");
                 return answer_of("é!");
               }};
  const auto job = *queue.submit(named("1"), work);
  read_all(*job);
  const auto events = job->events().read(1);
  EXPECT_EQ(std::get<Text>(events[0].event).tokens.size(), 2u);
  EXPECT_EQ(std::get<Text>(events[1].event).tokens.size(), 0u);
}

// Readers, stoppers and workers at once, for ThreadSanitizer.
TEST(JobQueue, ManyThreadsAtOnce) {
  JobQueue queue({.capacity = 1000});
  queue.start(3);
  std::vector<std::jthread> clients;
  std::atomic<int> ended = 0;
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 20; ++i) {
        const bool stop = i % 3 == 0;
        const auto job = queue.submit({fmt::format("{}-{}", client, i), "me", i % 2 == 0, nullptr},
                                      stop ? works_until_stopped() : answers("x"));
        if (stop) queue.stop(**job, {ErrorCode::cancelled, ""});
        const Job::Reader reader = (*job)->attach();
        ended += read_all(**job).back() == (stop ? "failed cancelled" : "done x");
      }
    });
  }
  clients.clear();
  EXPECT_EQ(ended, 160);
  EXPECT_EQ(queue.counts().waiting + queue.counts().running, 0u);
}

}  // namespace
}  // namespace tru::jobs
