#include "golden.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "pipeline/conversation.h"

namespace tru::parity {
namespace {

namespace json = boost::json;

const json::array& all_goldens() {
  static const json::value document = [] {
    std::ifstream file(TRU_TEST_DATA "/goldens.json");
    std::stringstream text;
    text << file.rdbuf();
    return json::parse(text.str());
  }();
  return document.at("cases").as_array();
}

template <typename Number>
void read(const json::value* params, const char* name, std::optional<Number>& target) {
  if (params == nullptr || !params->is_object()) return;
  if (const json::value* value = params->get_object().if_contains(name)) {
    target = value->to_number<Number>();
  }
}

}  // namespace

std::vector<Group> golden_groups() {
  std::vector<Group> groups;
  for (const json::value& value : all_goldens()) {
    const json::object& golden = value.as_object();
    const json::value* shared = golden.if_contains("either_of");
    const auto name = json::value_to<std::string>(shared != nullptr ? *shared : golden.at("id"));
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& other) { return other.name == name; });
    if (group == groups.end()) {
      groups.push_back({name, json::value_to<std::string>(golden.at("model")), {}});
      group = std::prev(groups.end());
    }
    group->goldens.push_back(&golden);
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const Group& a, const Group& b) { return a.model < b.model; });
  return groups;
}

std::string model_dir(const std::string& model) {
  return TRU_TEST_DATA "/models/" + model;
}

pipeline::Question question_of(const json::object& golden) {
  auto conversation = pipeline::parse_conversation(golden.at("messages"));
  if (!conversation) throw std::runtime_error(conversation.error().message);
  pipeline::Question question;
  question.messages = std::move(conversation->messages);
  for (pipeline::MediaRef& ref : conversation->media) {
    ref.url.replace(0, std::string_view("media:").size(), TRU_TEST_DATA "/media/");
    question.media.push_back(std::move(ref));
  }
  question.video.profile = pipeline::Profile::checkpoint;
  media::VideoParams& params = question.video.params;
  params.timing = media::Timing::index;
  const json::value* given = golden.if_contains("video_params");
  read(given, "fps", params.fps);
  read(given, "num_frames", params.num_frames);
  read(given, "max_frames", params.max_frames);
  read(given, "min_pixels", params.min_pixels);
  read(given, "max_pixels", params.max_pixels);
  read(given, "total_pixels", params.total_pixels);
  question.generation.max_tokens = golden.at("max_tokens").as_int64();
  question.generation.temperature = 0;
  question.generation.logprobs = true;
  question.generation.top_logprobs = 20;
  return question;
}

}  // namespace tru::parity
