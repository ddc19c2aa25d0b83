// Errors, keys, pages and the description of the API, without a server.
#include <gmock/gmock.h>

#include <set>

#include "api/access.h"
#include "api/errors.h"
#include "api/handlers.h"
#include "api/html.h"
#include "api/openapi.h"
#include "api/repeating.h"

namespace tru::api {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::Not;

TEST(Errors, CodesAreUniqueAndSentencesSayNoMoreThanTheyMay) {
  std::set<std::string_view> codes;
  for (const Refusal& refusal : all_refusals()) {
    EXPECT_TRUE(codes.insert(refusal.code).second) << refusal.code;
    EXPECT_GE(refusal.status, 400);
    EXPECT_LT(refusal.status, 600);
    EXPECT_THAT(std::string(refusal.message), Not(testing::ContainsRegex("[.]$| /|0x")));
  }
}

TEST(Errors, OfThePipelineKeepTheirSentencesUnlessTheyAreOurFault) {
  const auto shown = problem_of({ErrorCode::media_dimensions, "the picture is 9000 x 1"});
  EXPECT_EQ(shown.status, 422);
  EXPECT_EQ(shown.message, "the picture is 9000 x 1");
  EXPECT_EQ(problem_of({ErrorCode::invalid_argument, "x is 1", "x"}).field, "x");
  EXPECT_EQ(problem_of({ErrorCode::media_unsupported, "m"}).code, "unsupported_media");
  for (const ErrorCode code :
       {ErrorCode::internal, ErrorCode::engine_failed, ErrorCode::media_not_found,
        ErrorCode::model_invalid, ErrorCode::config_invalid, ErrorCode::storage_full}) {
    const auto hidden = problem_of({code, "/secret/path: library says no"});
    EXPECT_THAT(hidden.message, Not(HasSubstr("secret"))) << to_string(code);
    EXPECT_GE(hidden.status, 404);
  }
}

TEST(Errors, HaveTheContractsBody) {
  http::Problem problem(refusal::queue_full);
  problem.retry_after_s = 7;
  const auto response = render(problem, {"id-1", "/v1/chat/completions", ""});
  EXPECT_EQ(response.status, 429);
  const json::value body = json::parse(std::get<std::string>(response.body));
  EXPECT_EQ(body.at("detail"), body.at("error").at("message"));
  EXPECT_EQ(body.at("error").at("code"), "queue_full");
  EXPECT_EQ(body.at("error").at("request_id"), "id-1");
  EXPECT_EQ(body.at("error").at("retryable"), true);
  EXPECT_EQ(body.at("error").at("retry_after_s"), 7);
  EXPECT_EQ(body.at("error").at("type"), "rate_limit_error");
  const auto plain = render(problem, {"id-1", "/v1/inference/url", ""});
  EXPECT_FALSE(
      json::parse(std::get<std::string>(plain.body)).at("error").as_object().contains("type"));
}

TEST(Errors, OfAFormAreAPageThatRunsNothing) {
  http::Problem problem(refusal::field_invalid, "<script>alert(1)</script>");
  const auto response = render(problem, {"id", "/v1/inference/upload", "text/html,*/*;q=0.8"});
  const std::string page = std::get<std::string>(response.body);
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
}

TEST(OpenApi, DescribesEveryRouteAndNoOther) {
  std::set<std::string> routes;
  for (const auto& route : all_routes()) {
    const std::string path(route.pattern.text);
    if (path.starts_with("/docs") || path == "/openapi.json") continue;
    routes.insert(std::string(to_string(route.method)) + " " + path);
  }
  const auto documented = documented_operations();
  EXPECT_EQ(routes, std::set<std::string>(documented.begin(), documented.end()));
}

// Every reference leads somewhere, and every code of the table is in the document.
TEST(OpenApi, IsWhole) {
  const std::string& text = openapi_text("1.2.3");
  const json::value document = json::parse(text);
  EXPECT_EQ(document.at("info").at("version"), "1.2.3");
  for (std::size_t at = 0; (at = text.find("\"$ref\":\"#", at)) != std::string::npos; ++at) {
    const std::size_t start = at + 9, end = text.find('"', start);
    EXPECT_NE(document.find_pointer(text.substr(start, end - start),
                                    *std::make_unique<boost::system::error_code>()),
              nullptr)
        << text.substr(start, end - start);
  }
  for (const Refusal& refusal : all_refusals()) {
    EXPECT_THAT(text, HasSubstr("`" + std::string(refusal.code) + "`"));
  }
}

http::RequestHead head_with(std::string fields) {
  return *http::parse_head("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n");
}

TEST(IdempotencyKey, IsOneVisibleTextBareOrQuoted) {
  const auto key_of = [](const std::string& fields) { return idempotency_key(head_with(fields)); };
  EXPECT_EQ(*key_of(""), "");
  EXPECT_EQ(*key_of("Idempotency-Key: 8e03978e-40d5\r\n"), "8e03978e-40d5");
  EXPECT_EQ(*key_of("idempotency-key: \"8e03978e-40d5\"\r\n"), "8e03978e-40d5");
  EXPECT_EQ(*key_of("Idempotency-Key: \"\r\n"), "\"");
  const std::string longest(kMaxIdempotencyKey, 'x');
  EXPECT_EQ(*key_of("Idempotency-Key: " + longest + "\r\n"), longest);
  for (const std::string& value : std::vector<std::string>{
           "", "\"\"", "a b", "a\tb", "\xc3\xa9", longest + "x", "a\r\nIdempotency-Key: a"}) {
    const auto key = key_of("Idempotency-Key: " + value + "\r\n");
    ASSERT_FALSE(key) << value;
    EXPECT_EQ(key.error().code, "field_invalid");
    EXPECT_EQ(key.error().field, "Idempotency-Key");
  }
}

std::shared_ptr<const store::KeyRing> ring_of(const std::vector<std::string>& keys) {
  return std::make_shared<store::KeyRing>(
      std::move(*store::KeyRing::load("no/such/folder/keys.json", keys)));
}

TEST(AccessKeys, LetTheirOwnersInAndNobodyElse) {
  const AccessKeys keys(ring_of({"alpha", "beta"}), true);
  const auto alpha = keys.owner_of(head_with("Authorization: Bearer alpha\r\n"));
  ASSERT_TRUE(alpha);
  EXPECT_EQ(keys.owner_of(head_with("X-API-Key: alpha\r\n")), alpha);
  EXPECT_NE(keys.owner_of(head_with("X-API-Key: beta\r\n")), alpha);
  EXPECT_THAT(*alpha, Not(HasSubstr("alpha")));
  for (const char* fields :
       {"", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n", "Authorization: alpha\r\n",
        "Authorization: Basic alpha\r\n", "X-API-Key: \r\n", "X-API-Key: alph\r\n",
        "X-API-Key: alphaa\r\n", "X-API-Key: ALPHA\r\n", "X-API-Key: alpha\r\nX-API-Key: alpha\r\n",
        "X-API-Key: alpha\r\nAuthorization: Bearer alpha\r\n"}) {
    EXPECT_FALSE(keys.owner_of(head_with(fields))) << fields;
  }
  EXPECT_EQ(AccessKeys(ring_of({}), false).owner_of(head_with("")), "");
}

}  // namespace
}  // namespace tru::api
