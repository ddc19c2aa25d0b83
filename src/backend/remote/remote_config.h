// How to reach servers that speak OpenAI's chat API.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace tru::backend {

enum class FrameFormat { jpeg, png };  // png: bit for bit, and four times as large

struct RemoteConfig {
  std::vector<std::string> base_urls{};  // http(s)://HOST:PORT, with or without /v1
  std::string api_key{};
  std::string model{};  // a local copy of the checkpoint: folder, GGUF file or ORG/NAME; or empty
  std::filesystem::path hub_cache{};  // where ORG/NAME is looked for; empty: the usual folder
  std::filesystem::path mmproj{};     // vision file of a GGUF model; empty: the one beside it
  std::int64_t max_context = 0;       // tokens; 0: what the server allows
  FrameFormat frame_format = FrameFormat::jpeg;

  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds idle_timeout{120000};  // of a stream; 5 times that for the first token
  std::chrono::milliseconds start_wait{0};         // for the first server to answer at all
  std::chrono::milliseconds health_period{5000};

  // Told what a probe found out and what went wrong, one sentence at a time; any thread.
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

}  // namespace tru::backend
