#include "http/files.h"

#include <gmock/gmock.h>

#include <array>
#include <fstream>

#include "http/test_server.h"

namespace tru::http {
namespace {

using namespace test;
using testing::HasSubstr;
namespace fs = std::filesystem;

struct App {
  fs::path video;
  StaticFiles page;
};

Task<Response> get_video(App& app, Exchange& exchange) {
  FileInfo info;
  info.content_type = "video/mp4";
  co_return co_await file_response(exchange, app.video, info);
}

Task<Response> get_page(App& app, Exchange& exchange) {
  co_return app.page.answer(exchange);
}

constexpr std::array kRoutes{
    Route<App>{Verb::get, "/video", get_video, 1},
};

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    fs::create_directories(folder / "page/_next/static");
    fs::create_directories(folder / "page/about");
    fs::create_directories(folder / "page/video");
    for (std::size_t i = 0; i < 600'000; ++i) content += static_cast<char>(i * 7 + i / 256);
    write("video.mp4", content);
    write("secret.txt", "secret");
    write("page/index.html", "<home>");
    write("page/index.html.gz", "gzipped");
    write("page/index.html.br", "brotli");
    write("page/video/more.html", "<more>");
    write("page/plan.html", "<plan>");
    write("page/about/index.html", "<about>");
    write("page/_next/static/x.js", "js");
    write("page/notes.gz", "an archive");
    app.video = folder / "video.mp4";
    app.page = *StaticFiles::load(folder / "page", {"default-src 'self'", "/_next/static/"});
    Router router;
    router.add(app, kRoutes);
    router.add_files(app, app.page.paths(), "(page)", get_page, 0);
    server = start(std::move(router));
  }
  ~FilesTest() override {
    server.reset();
    fs::remove_all(folder);
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
  }
  Reply ask(std::string_view path, std::string_view fields = "") {
    return Client(server->port()).ask(get(path, fields));
  }
  Reply range(const std::string& range, const std::string& more = "") {
    return ask("/video", "Range: " + range + "\r\n" + more);
  }

  const fs::path folder =
      fs::path(testing::TempDir()) / ("tru_files_" + std::to_string(::getpid()));
  std::string content;
  App app;
  std::unique_ptr<Server> server;
};

TEST_F(FilesTest, SendsAWholeFile) {
  const auto reply = ask("/video");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.body == content);
  EXPECT_EQ(reply.header("Content-Type"), "video/mp4");
  EXPECT_EQ(reply.header("Accept-Ranges"), "bytes");
}

TEST_F(FilesTest, SendsOneRange) {
  struct Case {
    const char* range;
    std::size_t first, last;
  };
  for (const auto& [field, first, last] : {
           Case{"bytes=0-0", 0, 0},
           Case{"bytes=5-9", 5, 9},
           Case{"bytes=599999-", 599'999, 599'999},
           Case{"bytes=100-99999999999", 100, 599'999},
           Case{"bytes=-10", 599'990, 599'999},
           Case{"bytes=-9999999", 0, 599'999},
           Case{"Bytes= 1-2", 1, 2},
       }) {
    const auto reply = range(field);
    EXPECT_EQ(reply.status, 206) << field;
    EXPECT_TRUE(reply.body == content.substr(first, last - first + 1)) << field;
    EXPECT_EQ(reply.header("Content-Range"),
              "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/600000");
  }
}

TEST_F(FilesTest, RefusesARangeOutside) {
  for (const char* field : {"bytes=600000-", "bytes=600000-600001", "bytes=-0"}) {
    const auto reply = range(field);
    EXPECT_EQ(reply.status, 416) << field;
    EXPECT_EQ(reply.header("Content-Range"), "bytes */600000");
    EXPECT_THAT(reply.body, HasSubstr("range_not_satisfiable"));
  }
}

TEST_F(FilesTest, SendsAllWhenARangeIsNotUnderstood) {
  std::string many = "bytes=0-1";
  for (int i = 0; i < 1000; ++i) many += ",0-1";
  for (const std::string& field :
       {std::string("bytes=5-4"), std::string("bytes=a-b"), std::string("bytes=-"),
        std::string("bytes=--1"), std::string("lines=0-1"),
        std::string("bytes=0-18446744073709551616"), many}) {
    const auto reply = range(field);
    EXPECT_EQ(reply.status, 200) << field;
    EXPECT_EQ(reply.body.size(), content.size());
  }
}

TEST_F(FilesTest, KnowsWhatTheClientHas) {
  const auto first = ask("/video");
  const auto etag = first.header("ETag");
  const auto changed = first.header("Last-Modified");
  EXPECT_EQ(ask("/video", "If-None-Match: \"x\", W/" + etag + "\r\n").status, 304);
  EXPECT_EQ(ask("/video", "If-None-Match: \"x\"\r\n").status, 200);
  EXPECT_EQ(ask("/video", "If-Modified-Since: " + changed + "\r\n").status, 304);
  EXPECT_EQ(range("bytes=0-4", "If-Range: " + etag + "\r\n").status, 206);
  EXPECT_EQ(range("bytes=0-4", "If-Range: \"old\"\r\n").status, 200);
}

TEST_F(FilesTest, HeadTellsTheLength) {
  Client client(server->port());
  client.send("HEAD /video HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.reply(true).header("Content-Length"), "600000");
  EXPECT_EQ(client.ask(get("/plan")).body, "<plan>");
}

TEST_F(FilesTest, SaysWhenTheFileIsGone) {
  fs::remove(app.video);
  EXPECT_EQ(ask("/video").status, 404);
  fs::create_directory(app.video);
  EXPECT_EQ(ask("/video").status, 404);
}

TEST_F(FilesTest, FindsPages) {
  EXPECT_EQ(ask("/").body, "<home>");
  EXPECT_EQ(ask("/").header("Content-Security-Policy"), "default-src 'self'");
  EXPECT_EQ(ask("/plan").body, "<plan>");
  EXPECT_EQ(ask("/about/").body, "<about>");
  EXPECT_EQ(ask("/notes.gz").body, "an archive");
}

TEST_F(FilesTest, KnowsEachFileByItsOwnNamesOnly) {
  for (const char* path : {"/nothing", "//plan", "/plan//", "/Plan", "/plan;x", "/plan.html.gz",
                           "/index.html.br", "/about/plan", "//", "/video/more", "/page/plan"}) {
    const auto reply = ask(path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_THAT(reply.body, HasSubstr("not_found")) << path;
  }
  const auto posted = Client(server->port()).ask(post("/plan", ""));
  EXPECT_EQ(posted.status, 405);
  EXPECT_EQ(posted.header("Allow"), "GET, HEAD, OPTIONS");
}

TEST_F(FilesTest, SendsWhatTheClientCanDecompress) {
  EXPECT_EQ(ask("/", "Accept-Encoding: gzip, deflate, br\r\n").body, "brotli");
  const auto gzip = ask("/", "Accept-Encoding: br;q=0, gzip;q=0.5\r\n");
  EXPECT_EQ(gzip.body, "gzipped");
  EXPECT_EQ(gzip.header("Content-Encoding"), "gzip");
  EXPECT_THAT(gzip.head, HasSubstr("Vary: Accept-Encoding"));
  EXPECT_NE(gzip.header("ETag"), ask("/").header("ETag"));
  EXPECT_EQ(
      ask("/", "Accept-Encoding: gzip\r\nIf-None-Match: " + gzip.header("ETag") + "\r\n").status,
      304);
}

TEST_F(FilesTest, CachesForeverWhatIsNamedByItsContent) {
  EXPECT_THAT(ask("/_next/static/x.js").header("Cache-Control"), HasSubstr("immutable"));
  EXPECT_EQ(ask("/").header("Cache-Control"), "no-cache");
}

TEST_F(FilesTest, ReachesNothingElse) {
  for (const char* path : {"/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt",
                           "/%252e%252e/secret.txt", "//secret.txt", "/..\\secret.txt",
                           "/index.html%00", "/./index.html", "/about/%2e./../secret.txt"}) {
    const auto reply = ask(path);
    EXPECT_TRUE(reply.status == 400 || reply.status == 404) << path;
    EXPECT_EQ(reply.body.find("secret\n"), std::string::npos);
  }
}

}  // namespace
}  // namespace tru::http
