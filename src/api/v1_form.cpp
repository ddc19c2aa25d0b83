#include "api/v1_form.h"

#include "api/errors.h"
#include "api/html.h"
#include "base/json_text.h"
#include "pipeline/report_json.h"

namespace tru::api {
namespace {

namespace json = boost::json;

class V1Form : public AnswerForm {
 public:
  explicit V1Form(V1Facts facts) : facts_(std::move(facts)) {}

  http::Response body(const pipeline::Answer& answer) const override {
    if (facts_.html) return page(answer);
    return {200, "application/json", to_json_text(object(answer))};
  }

  void append(const jobs::NumberedEvent& event, std::string& wire) const override {
    append_progress(event, facts_.request_id, wire);
    const auto send = [&](std::string_view name, const json::object& data) {
      http::append_event(wire, {std::to_string(event.number), name, to_json_text(data)});
    };
    if (const auto* text = std::get_if<jobs::Text>(&event.event)) {
      send("token", {{"text", text->text}});
    } else if (const auto* done = std::get_if<jobs::Done>(&event.event)) {
      send("done", object(*done->answer));
    } else if (const auto* failed = std::get_if<jobs::Failed>(&event.event)) {
      send("error", {{"error", error_object(problem_of(failed->error), facts_.request_id, false)}});
    }
  }

  bool waits_for_text() const override { return false; }

 private:
  json::object object(const pipeline::Answer& answer) const {
    json::object object{{"response", answer.generation.text},
                        {"prompt", facts_.prompt},
                        {"video_source", facts_.video_source},
                        {"backend", facts_.backend},
                        {"model", facts_.model},
                        {"usage", pipeline::to_json(answer.generation.usage)},
                        {"finish_reason", answer.generation.finish_reason},
                        {"video_report", pipeline::to_json(answer.videos)},
                        {"timings_ms", pipeline::to_json(answer.timings)},
                        {"request_id", facts_.request_id}};
    if (facts_.logprobs) {
      json::array tokens;
      for (const auto& token : answer.generation.tokens) {
        tokens.push_back(pipeline::to_json(token));
      }
      object["tokens"] = std::move(tokens);
    }
    return object;
  }

  http::Response page(const pipeline::Answer& answer) const {
    std::string body =
        fmt::format("<p>{}</p><p><strong>{}</strong></p>", escape_lines(facts_.prompt),
                    escape_lines(answer.generation.text));
    for (const pipeline::VideoReport& video : answer.videos) {
      body += fmt::format("<p>{}: {:.1f} s, {} frames of {} x {} were looked at.</p>",
                          escape_html(video.info.source), video.info.duration_s,
                          video.plan.frames.size(), video.plan.size.width, video.plan.size.height);
      for (const std::string& warning : video.warnings) {
        body += "<p>" + escape_html(warning) + "</p>";
      }
    }
    return html_answer(200, "Answer", body + "<p><a href=\"/\">Ask again</a></p>");
  }

  const V1Facts facts_;
};

}  // namespace

std::shared_ptr<AnswerForm> v1_form(V1Facts facts) {
  return std::make_shared<V1Form>(std::move(facts));
}

}  // namespace tru::api
