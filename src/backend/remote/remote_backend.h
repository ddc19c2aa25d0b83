// Servers that speak OpenAI's chat API (vLLM, llama-server, SGLang, ...) as a Backend. We decode,
// sample, resize and stamp the videos; they answer.
#pragma once

#include <algorithm>

#include "backend/remote/answer_reader.h"
#include "backend/remote/chat_request.h"
#include "backend/remote/local_server.h"
#include "backend/remote/remote_planner.h"
#include "backend/remote/server_pool.h"

namespace tru::backend {

class RemoteBackend : public Backend {
 public:
  // Probes the servers. own: one that lives as long as this, or null. Errors: config_invalid (none
  // can be reached, too), model_invalid, backend_*, cancelled.
  static Result<std::unique_ptr<RemoteBackend>> connect(const RemoteConfig& config,
                                                        std::unique_ptr<LocalServer> own,
                                                        std::stop_token stop);

  ModelInfo info() const override;
  Result<std::unique_ptr<Prompt>> build_prompt(const std::vector<text::Message>& messages,
                                               const std::vector<MediaShape>& media) const override;
  // Memory and speed of another machine are not known.
  Result<Estimate> estimate(const Prompt& prompt, const std::vector<MediaShape>& media,
                            std::int64_t max_tokens) override;
  int max_concurrency() const override { return std::max(pool_->slots(), 1); }
  std::vector<ServerStatus> servers() const override { return pool_->status(); }

  // A request that fails before its first token is sent to another server, twice at most.
  Result<Generation> generate(const Prompt& prompt, const std::vector<FrameSource*>& frames,
                              const GenerationParams& params, AnswerListener& listener,
                              std::stop_token stop) override;

 private:
  // Everything that is sent, to whichever server.
  struct Question {
    const RemotePrompt& prompt;
    const std::vector<FrameSource*>& sources;
    std::vector<EncodedMedia> frames;  // once a server needed them
  };
  // How one server did.
  struct Attempt {
    Result<Generation> answer;
    bool servers_fault = false;
    bool heard = false;  // some of the answer: it can't be asked for again
  };

  RemoteBackend(const RemoteConfig& config, RemotePlanner planner, std::unique_ptr<LocalServer> own,
                std::unique_ptr<ServerPool> pool)
      : config_(config),
        planner_(std::move(planner)),
        own_(std::move(own)),
        pool_(std::move(pool)) {}

  // Decodes and encodes the frames if this server is the first to need them.
  Result<std::string> body_for(const ServerTraits& traits, Question& question,
                               const GenerationParams& params, AnswerListener& listener,
                               std::stop_token stop) const;
  Attempt ask(const ServerPool::Lease& server, Question& question, const GenerationParams& params,
              AnswerListener& listener, std::stop_token stop) const;
  void compare_tokens(const ServerPool::Lease& server, const Question& question,
                      const Generation& generation) const;

  const RemoteConfig config_;
  const RemotePlanner planner_;
  const std::unique_ptr<LocalServer> own_;
  const std::unique_ptr<ServerPool> pool_;
};

}  // namespace tru::backend
