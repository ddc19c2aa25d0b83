// What a back end server is and takes, as a probe found out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tru::backend {

enum class ServerKind { vllm, llama_server, other };

// How the frames of a video travel, best first.
enum class FrameTransport {
  frame_list,    // one data:video/jpeg list with its times in milliseconds: times and pairs survive
  timed_images,  // images, each pair after its time as text: times survive, at twice the tokens
  whole_file,    // the file as it is: the server chooses frames, size and times
};

// How vLLM writes a video into the prompt.
enum class PromptForm {
  published,  // as the model's authors did
  nested,     // between one more <|vision_start|> and <|vision_end|> (transformers 5.10 and newer)
};

struct ServerTraits {
  ServerKind kind = ServerKind::other;
  std::string version;           // empty: it does not say
  std::string model;             // as requests must name it
  std::int64_t max_context = 0;  // tokens; 0: it does not say
  int slots = 4;                 // requests that it works on at the same time
  FrameTransport transport = FrameTransport::timed_images;
  PromptForm form = PromptForm::published;
  std::vector<std::string> warnings;
};

// The model's name for people: a server that names it by its folder does not give that away.
std::string shown_model(const ServerTraits& traits);

std::string_view to_string(ServerKind kind);
std::string_view to_string(FrameTransport transport);
std::string_view to_string(PromptForm form);

}  // namespace tru::backend
