#include "http/upload.h"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "http/test_server.h"

namespace tru::http {
namespace {

using namespace test;
using testing::HasSubstr;
namespace fs = std::filesystem;

struct App {
  fs::path folder;
  std::uint64_t limit_bytes = 10'000'000;
  std::uint64_t keep_free_bytes = 0;
  std::atomic<std::uint64_t> seen_bytes{0};

  SaveOptions save() {
    SaveOptions options;
    options.folder = folder;
    options.limit_bytes = limit_bytes;
    options.keep_free_bytes = keep_free_bytes;
    options.on_bytes = [this](std::string_view bytes) { seen_bytes += bytes.size(); };
    return options;
  }
};

std::string read_back(const PrivateFile& file) {
  std::ifstream stream(file.path(), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Answers with all texts, then the file's content.
Task<Response> post_form(App& app, Exchange& exchange) {
  TRU_HTTP_TRY(FormReader form, FormReader::open(exchange, app.limit_bytes + 10'000));
  std::string texts;
  PrivateFile video;
  for (;;) {
    TRU_HTTP_TRY(const std::optional<FormPart> part, co_await form.next());
    if (!part) break;
    if (part->name == "skipped") continue;
    if (part->filename) {
      TRU_HTTP_TRY(video, co_await form.save(app.save()));
    } else {
      TRU_HTTP_TRY(const std::string text, co_await form.read_text(1000));
      texts += part->name + "=" + text + ";";
    }
  }
  std::string content = texts + read_back(video);
  discard(exchange.workers(), std::move(video));
  co_return Response(200, "text/plain", std::move(content));
}

Task<Response> post_raw(App& app, Exchange& exchange) {
  TRU_HTTP_TRY(PrivateFile file, co_await save_body(exchange, app.save()));
  co_return Response(200, "text/plain", read_back(file));
}

constexpr std::array kRoutes{
    Route<App>{Verb::post, "/form", post_form},
    Route<App>{Verb::post, "/raw", post_raw},
};

class UploadTest : public testing::Test {
 protected:
  UploadTest() {
    app.folder = fs::path(testing::TempDir()) / ("tru_upload_" + std::to_string(::getpid()));
    fs::create_directories(app.folder);
    Router router;
    router.add(app, kRoutes);
    ServerConfig config;
    config.limits.body_grace = 2s;
    server = start(std::move(router), std::move(config));
  }
  ~UploadTest() override {
    server.reset();
    fs::remove_all(app.folder);
  }

  bool no_file_left() {
    return eventually([&] { return fs::is_empty(app.folder); });
  }

  App app;
  std::unique_ptr<Server> server;
};

std::string text_part(std::string_view name, std::string_view text) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" +
         std::string(text) + "\r\n";
}

std::string file_part(std::string_view content) {
  return "--B\r\nContent-Disposition: form-data; name=\"video\"; filename=\"v.mp4\"\r\n\r\n" +
         std::string(content) + "\r\n";
}

std::string form_of(std::string_view parts) {
  return post("/form", std::string(parts) + "--B--\r\n",
              "Content-Type: multipart/form-data; boundary=B\r\n");
}

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

TEST_F(UploadTest, StoresAFileAndReadsFieldsInAnyOrder) {
  const std::string content = random_bytes(3'000'000, 1);
  Client client(server->port());
  const std::string form =
      text_part("a", "1") + text_part("skipped", "x") + file_part(content) + text_part("b", "2");
  for (int i = 0; i < 2; ++i) {  // the connection goes on
    const auto reply = client.ask(form_of(form));
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.body == "a=1;b=2;" + content);
  }
  EXPECT_EQ(app.seen_bytes, 2 * content.size());
  EXPECT_TRUE(no_file_left());
}

TEST_F(UploadTest, KeepsUploadsThatComeAtOnceApart) {
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] {
      const std::string content = random_bytes(1'000'000 + i, i);
      const auto reply = Client(server->port()).ask(form_of(file_part(content)));
      EXPECT_TRUE(reply.body == content);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(no_file_left());
}

TEST_F(UploadTest, StoresARawBody) {
  const std::string content = random_bytes(1'000'000, 2);
  EXPECT_TRUE(Client(server->port()).ask(post("/raw", content)).body == content);
  EXPECT_EQ(Client(server->port()).ask(post("/raw", "")).status, 200);
  EXPECT_TRUE(no_file_left());
}

TEST_F(UploadTest, RefusesLargeFilesBeforeAndWhileTheyCome) {
  const std::string head = "POST /raw HTTP/1.1\r\nHost: localhost\r\n";
  Client announced(server->port());
  const auto early =
      announced.ask(head + "Content-Length: 10000001\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(early.status, 413);
  EXPECT_THAT(early.body, HasSubstr("upload_too_large"));

  Client chunked(server->port());
  chunked.send(head + "Transfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "100000\r\n" + std::string(0x100000, 'x') + "\r\n";
  for (int i = 0; i < 10; ++i) chunked.send(chunk);
  EXPECT_EQ(chunked.reply().status, 413);
  EXPECT_TRUE(no_file_left());
}

TEST_F(UploadTest, RefusesLargeFieldsAndNamesThem) {
  const auto reply = Client(server->port())
                         .ask(form_of(file_part("v") + text_part("prompt", random_bytes(1001, 3))));
  EXPECT_EQ(reply.status, 413);
  EXPECT_THAT(reply.body, HasSubstr("field_too_large"));
  EXPECT_TRUE(no_file_left());
}

TEST_F(UploadTest, RefusesWhatIsNoForm) {
  EXPECT_EQ(Client(server->port()).ask(post("/form", "{}")).status, 415);
  Client broken(server->port());
  const auto type = "Content-Type: multipart/form-data; boundary=B\r\n";
  EXPECT_EQ(broken.ask(post("/form", file_part("half"), type)).status, 400);
  EXPECT_TRUE(no_file_left());
}

TEST_F(UploadTest, LeavesNothingBehindWhenAClientLeaves) {
  const std::string form = form_of(file_part(random_bytes(2'000'000, 4)));
  for (const std::size_t sent : {100UL, 1'000'000UL, form.size() - 1}) {
    Client client(server->port());
    client.send(form.substr(0, sent));
    ::usleep(20'000);
    client.reset();
    EXPECT_TRUE(no_file_left());
  }
}

TEST_F(UploadTest, LeavesNothingBehindWhenAClientStalls) {
  const std::string form = form_of(file_part(random_bytes(100'000, 5)));
  Client client(server->port());
  client.send(form.substr(0, form.size() - 5));
  EXPECT_EQ(client.reply().status, 408);
  EXPECT_TRUE(no_file_left());
}

TEST_F(UploadTest, SaysWhenTheDiskIsFull) {
  app.keep_free_bytes = std::uint64_t{1} << 60;
  const auto reply = Client(server->port()).ask(form_of(file_part("x")));
  EXPECT_EQ(reply.status, 507);
  EXPECT_THAT(reply.body, HasSubstr("storage_full"));
}

TEST_F(UploadTest, SaysWhenTheFolderIsGone) {
  fs::remove_all(app.folder);
  const auto reply = Client(server->port()).ask(form_of(file_part("x")));
  EXPECT_EQ(reply.status, 500);
  EXPECT_THAT(reply.body, HasSubstr("storage_error"));
  fs::create_directories(app.folder);
}

}  // namespace
}  // namespace tru::http
