#include "http/multipart.h"

#include <gmock/gmock.h>

#include <random>
#include <utility>
#include <vector>

namespace tru::http {
namespace {

using testing::ElementsAre;
using Kind = MultipartParser::Kind;

struct Seen {
  FormPart part;
  std::string content;
  bool ended = false;
};

// The form in pieces of the sizes that next_size() gives; a problem's code when it was refused.
template <typename NextSize>
Expected<std::vector<Seen>> parse(std::string_view form, NextSize next_size,
                                  std::string_view boundary = "XyZ") {
  MultipartParser parser(boundary);
  std::vector<Seen> seen;
  bool ended = false;
  while (!form.empty()) {
    auto piece = form.substr(0, next_size());
    // A copy of just these bytes, so that a sanitizer sees a look past them.
    const std::vector<char> bytes(piece.begin(), piece.end());
    form.remove_prefix(piece.size());
    std::string_view input(bytes.data(), bytes.size());
    for (;;) {
      auto event = parser.next(input);
      if (!event) return refuse(std::move(event).error());
      if (event->kind == Kind::need_more) break;
      if (event->kind == Kind::part) seen.push_back({parser.part(), {}});
      if (event->kind == Kind::data) seen.back().content.append(event->data);
      if (event->kind == Kind::part_end) seen.back().ended = true;
      if (event->kind == Kind::end) ended = true;
    }
    EXPECT_TRUE(input.empty());
  }
  if (!ended) return refuse({refusal::multipart_malformed, "no end"});
  return seen;
}

auto at_once() {
  return [] { return std::string_view::npos; };
}

std::string code_of(std::string_view form) {
  const auto seen = parse(form, at_once());
  return seen ? "" : seen.error().code;
}

std::string part(std::string_view disposition, std::string_view content) {
  return "--XyZ\r\nContent-Disposition: form-data; " + std::string(disposition) + "\r\n\r\n" +
         std::string(content) + "\r\n";
}

TEST(Multipart, ReadsFieldsAndFilesInAnyOrder) {
  const std::string form = part("name=\"a\"", "1") +
                           "--XyZ  \r\ncontent-type: video/mp4\r\nCONTENT-DISPOSITION: "
                           "form-data;filename=\"C:\\dir\\x.mp4\"; name=video\r\n\r\nbytes\r\n" +
                           part("name=\"empty\"", "") + "--XyZ--\r\n";
  const auto seen = parse(form, at_once());
  ASSERT_TRUE(seen);
  ASSERT_EQ(seen->size(), 3U);
  EXPECT_EQ((*seen)[0].part.name, "a");
  EXPECT_FALSE((*seen)[0].part.filename);
  EXPECT_EQ((*seen)[1].part.name, "video");
  EXPECT_EQ((*seen)[1].part.filename, "x.mp4");
  EXPECT_EQ((*seen)[1].part.content_type, "video/mp4");
  EXPECT_EQ((*seen)[1].content, "bytes");
  EXPECT_EQ((*seen)[2].content, "");
  EXPECT_TRUE((*seen)[2].ended);
}

TEST(Multipart, ContentLikeTheBoundaryIsContent) {
  // Every beginning of the delimiter, cut off by itself, by others and by its like.
  const std::string delimiter = "\r\n--XyZ";
  std::string content = delimiter.substr(0, delimiter.size() - 1);
  for (std::size_t i = 1; i < delimiter.size(); ++i) content += delimiter.substr(0, i);
  for (std::size_t i = 1; i < delimiter.size(); ++i) content += delimiter.substr(0, i) + "x\r\r";
  content += "--XyZ--XyZ\n--XyZ\r--XyZ\r\n-\r\n";
  const std::string form =
      part("name=\"video\"; filename=\"v\"", content) + part("name=\"a\"", content) + "--XyZ--";
  for (std::size_t size = 1; size <= form.size(); ++size) {
    const auto seen = parse(form, [&] { return size; });
    ASSERT_TRUE(seen) << size;
    ASSERT_EQ(seen->size(), 2U);
    EXPECT_EQ((*seen)[0].content, content) << size;
    EXPECT_EQ((*seen)[1].content, content) << size;
  }
  for (std::size_t split = 1; split < form.size(); ++split) {
    bool first = true;
    const auto seen =
        parse(form, [&] { return std::exchange(first, false) ? split : std::string_view::npos; });
    ASSERT_TRUE(seen) << split;
    EXPECT_EQ((*seen)[0].content, content) << split;
  }
}

TEST(Multipart, RandomFormsInRandomPieces) {
  std::mt19937 random(1);
  const std::string alphabet = "\r\n-XyZ";  // nearly everything is nearly a boundary
  for (int round = 0; round < 3000; ++round) {
    std::string form;
    std::vector<std::string> contents(random() % 5);
    for (std::string& content : contents) {
      for (auto left = random() % 80; left > 0; --left) content += alphabet[random() % 6];
      while (content.find("\r\n--XyZ") != std::string::npos || content.starts_with("--XyZ")) {
        content.erase(0, 1);
      }
      form += part("name=\"n\"", content);
    }
    form += "--XyZ--\r\n";
    const auto seen = parse(form, [&] { return 1 + random() % 12; });
    ASSERT_TRUE(seen) << form;
    ASSERT_EQ(seen->size(), contents.size());
    for (std::size_t i = 0; i < contents.size(); ++i) {
      ASSERT_EQ((*seen)[i].content, contents[i]) << form;
    }
  }
}

TEST(Multipart, TakesTheNamesThatClientsSend) {
  const std::vector<std::pair<std::string, std::string>> names = {
      {"filename=\"../../x\"", "x"},
      {"filename=\"C:\\fakepath\\a b.mp4\"", "a b.mp4"},
      {"filename=\"say \\\"hi\\\".mp4\"", "say \"hi\".mp4"},
      {"filename=\"%22quoted%22.mp4\"", "%22quoted%22.mp4"},
      {"filename=plain.mp4", "plain.mp4"},
      {"filename=\"a;b=c.mp4\"", "a;b=c.mp4"},
      {"filename=\"\"", "file"},
      {"filename=\"..\"", "file"},
      {"filename=\"x\"; filename*=UTF-8''%e2%82%ac%20rates.mp4", "\xe2\x82\xac rates.mp4"},
      {"filename=\"x\"; filename*=UTF-8''%ff", "x"},
      {"filename=\"%03d.mp4\"", "%03d.mp4"},
      {"filename=\"-i\"", "-i"},
      {"filename=\"concat:a|sh\"", "concat:a|sh"},
      {"filename=\"\xe2\x80\xaegpj.mp4\"", "\xe2\x80\xaegpj.mp4"},
  };
  for (const auto& [field, name] : names) {
    const auto seen = parse(part("name=\"video\"; " + field, "x") + "--XyZ--\r\n", at_once());
    ASSERT_TRUE(seen) << field;
    EXPECT_EQ((*seen)[0].part.filename, name) << field;
  }
}

TEST(Multipart, RefusesWhatIsMalformed) {
  const std::string good = part("name=\"a\"", "1");
  for (const std::string& form : {
           std::string("x") + good + "--XyZ--",
           std::string(1000, 'p'),
           good,            // no end
           good + "--XyZ",  // nor here
           good + "--XyZx\r\n",
           good + "--XyZ-\r\n",
           good + "--XyZ--more",
           std::string("--XyZ\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--XyZ--"),
           std::string("--XyZ\r\nContent-Disposition: form-data; name=a\n\r\n\r\n--XyZ--"),
           std::string("--XyZ\r\nno colon\r\n\r\n\r\n--XyZ--"),
           std::string("--XyZ\r\n\r\nno name\r\n--XyZ--"),
           std::string("--XyZ\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--XyZ--"),
           std::string("--XyZ\r\nContent-Disposition: form-data; name=\"\"\r\n\r\n\r\n--XyZ--"),
       }) {
    EXPECT_EQ(code_of(form), "multipart_malformed") << form;
  }
  EXPECT_EQ(code_of("--XyZ--"), "");  // a form of nothing
}

TEST(Multipart, LimitsPartsAndHeaders) {
  std::string many_parts;
  for (int i = 0; i < 33; ++i) many_parts += part("name=\"a\"", "1");
  EXPECT_EQ(code_of(many_parts + "--XyZ--"), "multipart_limits");
  EXPECT_EQ(code_of(many_parts.substr(many_parts.size() / 33) + "--XyZ--"), "");

  std::string many_headers = "--XyZ\r\n";
  for (int i = 0; i < 17; ++i) many_headers += "X-" + std::to_string(i) + ": 1\r\n";
  EXPECT_EQ(code_of(many_headers), "multipart_limits");

  const std::string long_header = "--XyZ\r\nX: " + std::string(9000, 'x');
  EXPECT_EQ(code_of(long_header), "multipart_limits");
  const auto byte_by_byte = parse(long_header, [] { return 1; });
  ASSERT_FALSE(byte_by_byte);
  EXPECT_EQ(byte_by_byte.error().code, "multipart_limits");
}

TEST(Multipart, FindsTheBoundary) {
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(multipart_boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\""), "a b");
  EXPECT_EQ(multipart_boundary("multipart/form-data"), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary="), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/mixed; boundary=abc"), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=" + std::string(70, 'a')),
            std::string(70, 'a'));
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'a')),
            std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=\"a\rb\""), std::nullopt);
  EXPECT_EQ(multipart_boundary("application/json"), std::nullopt);
}

}  // namespace
}  // namespace tru::http
