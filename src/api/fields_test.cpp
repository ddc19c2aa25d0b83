#include "api/fields.h"

#include <gmock/gmock.h>

#include "api/requests.h"

namespace tru::api {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

template <typename T>
http::Expected<T> read(std::string_view text, Names* unknown = nullptr) {
  Names ignored;
  const auto object = parse_object(text);
  if (!object) return http::refuse(object.error());
  return from_json<T>(*object, unknown != nullptr ? *unknown : ignored);
}

template <typename T>
http::Problem problem_with(std::string_view text) {
  const auto request = read<T>(text);
  EXPECT_FALSE(request) << text;
  return request ? http::Problem() : request.error();
}

TEST(Fields, ReadEveryKind) {
  const auto request = read<UrlRequest>(R"({
    "video_url": "https://example.org/a.mp4", "prompt": "What?",
    "video_params": {"fps": 2.5, "max_frames": 8, "profile": "quick", "start_s": null},
    "generation_params": {"seed": -3, "stop": ["a", "b"], "logprobs": true, "top_k": 4.0},
    "stream": false})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(*request->video_url, "https://example.org/a.mp4");
  EXPECT_EQ(request->video_params.fps, 2.5);
  EXPECT_EQ(request->video_params.max_frames, 8);
  EXPECT_EQ(request->video_params.profile, "quick");
  EXPECT_EQ(request->video_params.start_s, std::nullopt);
  EXPECT_EQ(request->generation_params.seed, -3);
  EXPECT_EQ(request->generation_params.top_k, 4);
  EXPECT_THAT(request->generation_params.stop, ElementsAre("a", "b"));
  EXPECT_EQ(request->stream, false);
  EXPECT_EQ(request->resumable, std::nullopt);
}

TEST(Fields, NameTheFieldAndWhatIsAllowed) {
  struct Case {
    const char* json;
    const char* field;
    const char* why;
  };
  const Case cases[] = {
      {R"({"fps": 0})", "fps", "above 0 and at most 60"},
      {R"({"fps": -1})", "fps", "above 0 and at most 60"},
      {R"({"fps": 1e9})", "fps", "above 0 and at most 60"},
      {R"({"fps": 1e400})", "fps", "must be"},
      {R"({"fps": "2"})", "fps", "must be a number"},
      {R"({"fps": [2]})", "fps", "must be a number"},
      {R"({"fps": true})", "fps", "must be a number"},
      {R"({"max_frames": 2.5})", "max_frames", "a whole number"},
      {R"({"max_frames": 0})", "max_frames", "from 1 to 2048"},
      {R"({"max_frames": 2049})", "max_frames", "from 1 to 2048"},
      {R"({"total_pixels": 9223372036854775808})", "total_pixels", "must be"},
      {R"({"start_s": -0.1})", "start_s", "at least 0"},
      {R"({"profile": "best"})", "profile", "checkpoint, quick, balanced, detailed"},
      {R"({"timing": 1})", "timing", "must be a text"},
      {R"({"fps": 2, "num_frames": 4})", "fps", "fps and num_frames exclude each other"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.json);
    const http::Problem problem = problem_with<VideoParams>(c.json);
    EXPECT_EQ(problem.status, problem.code == "json_invalid" ? 400 : 422);
    if (problem.code == "json_invalid") continue;
    EXPECT_EQ(problem.code, "field_invalid");
    EXPECT_EQ(problem.field, c.field);
    EXPECT_THAT(problem.message, HasSubstr(c.why));
  }
}

TEST(Fields, NameFieldsInsideOthersInFull) {
  const auto problem = problem_with<UrlRequest>(
      R"({"video_url": "u", "prompt": "p", "generation_params": {"temperature": 3}})");
  EXPECT_EQ(problem.field, "generation_params.temperature");
  EXPECT_EQ(
      problem_with<UrlRequest>(R"({"video_url": "u", "prompt": "p", "video_params": 1})").field,
      "video_params");
}

TEST(Fields, MissAndMeasureTexts) {
  EXPECT_EQ(problem_with<UrlRequest>(R"({"prompt": "p"})").code, "field_missing");
  EXPECT_EQ(problem_with<UrlRequest>(R"({"video_url": "u", "prompt": ""})").field, "prompt");
  const std::string most(kMaxPromptBytes, 'a');
  EXPECT_TRUE(read<UrlRequest>(R"({"video_url": "u", "prompt": ")" + most + R"("})"));
  const auto problem =
      problem_with<UrlRequest>(R"({"video_url": "u", "prompt": ")" + most + R"(b"})");
  EXPECT_EQ(problem.code, "prompt_too_large");
  EXPECT_EQ(problem.status, 413);
}

TEST(Fields, NoteWhatTheyDoNotKnow) {
  Names unknown;
  ASSERT_TRUE(read<UrlRequest>(
      R"({"video_url": "u", "prompt": "p", "colour": 1, "video_params": {"speed": 2}})", &unknown));
  EXPECT_THAT(unknown, testing::UnorderedElementsAre("colour", "video_params.speed"));
}

TEST(Fields, ComeFromTheTextsOfAForm) {
  Names unknown;
  const Texts texts{{"prompt", "2"},     {"fps", "2.5"},     {"max_tokens", "7"}, {"stop", "a"},
                    {"stop", "[b]"},     {"logprobs", "on"}, {"stream", "0"},     {"top_p", ""},
                    {"timing", "index"}, {"colour", "red"}};
  const auto request = from_texts<UploadRequest>(texts, unknown);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(*request->prompt, "2");
  EXPECT_EQ(request->video_params.fps, 2.5);
  EXPECT_EQ(request->video_params.timing, "index");
  EXPECT_EQ(request->generation_params.max_tokens, 7);
  EXPECT_EQ(request->generation_params.top_p, std::nullopt);
  EXPECT_THAT(request->generation_params.stop, ElementsAre("a", "[b]"));
  EXPECT_EQ(request->generation_params.logprobs, true);
  EXPECT_EQ(request->stream, false);
  EXPECT_THAT(unknown, ElementsAre("colour"));

  for (const auto& [name, text] : Texts{{"fps", "NaN"},

                                        {"fps", "0x2"},
                                        {"max_tokens", "1.5"},
                                        {"logprobs", "maybe"}}) {
    const auto bad = from_texts<UploadRequest>({{"prompt", "p"}, {name, text}}, unknown);
    ASSERT_FALSE(bad) << name << "=" << text;
    EXPECT_EQ(bad.error().field, name);
  }
}

TEST(Fields, DescribeThemselves) {
  const json::object schema = schema_of<VideoParams>();
  const json::object& fps = schema.at("properties").at("fps").as_object();
  EXPECT_EQ(fps.at("exclusiveMinimum"), 0);
  EXPECT_EQ(fps.at("maximum"), 60);
  EXPECT_EQ(fps.at("type"), (json::array{"number", "null"}));
  EXPECT_EQ(schema.at("not").at("required"), (json::array{"fps", "num_frames"}));
  const json::object flat = schema_of<UploadRequest>(true);
  EXPECT_TRUE(flat.at("properties").as_object().contains("top_logprobs"));
  EXPECT_EQ(flat.at("required"), (json::array{"prompt"}));
  const json::object chat = schema_of<ChatRequest>();
  EXPECT_EQ(chat.at("properties").at("video_params").at("anyOf").at(0).at("$ref"),
            "#/components/schemas/VideoParams");
  EXPECT_TRUE(chat.at("properties").as_object().contains("max_tokens"));
}

TEST(Json, IsReadStrictly) {
  struct Case {
    std::string text;
    const char* code;
  };
  const Case cases[] = {
      {"", "json_invalid"},
      {"{", "json_invalid"},
      {"{}x", "json_invalid"},
      {"[]", "field_invalid"},
      {"null", "field_invalid"},
      {"\xef\xbb\xbf{}", "json_invalid"},
      {std::string("{\0\"\0a\0", 6), "json_invalid"},
      {R"({"a": NaN})", "json_invalid"},
      {R"({"a": "\ud800"})", "json_invalid"},
      {"{\"a\": \"\xff\"}", "json_invalid"},
      {R"({"a": 1, "a": 2})", "json_invalid"},
      {R"({"b": {"a": 1, "a": 2}})", "json_invalid"},
      {std::string(100'000, '['), "json_too_deep"},
      {"{\"a\":" + std::string(33, '[') + std::string(33, ']') + "}", "json_too_deep"},
  };
  for (const Case& c : cases) {
    const auto object = parse_object(c.text);
    ASSERT_FALSE(object) << c.text.substr(0, 40);
    EXPECT_EQ(object.error().code, c.code) << c.text.substr(0, 40);
  }
  EXPECT_TRUE(parse_object(R"({"a": "\u0000\ud83d\ude00", "b": {"a": 1}})"));
}

TEST(Requests, RefuseContradictions) {
  VideoParams params;
  params.min_pixels = 100;
  params.max_pixels = 50;
  EXPECT_EQ(video_request(params, "video_params.").error().field, "video_params.min_pixels");
  params = {};
  params.start_s = 5;
  params.end_s = 5;
  EXPECT_EQ(video_request(params, "").error().field, "end_s");
  GenerationParams answer;
  answer.top_logprobs = 5;
  EXPECT_EQ(generation_params(answer, {}, "").error().field, "top_logprobs");
  answer.logprobs = true;
  EXPECT_EQ(generation_params(answer, {}, "")->top_logprobs, 5);
}

}  // namespace
}  // namespace tru::api
