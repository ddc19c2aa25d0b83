// A `vllm serve` of our own: started, watched, started again, stopped with us.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace tru::backend {

struct LocalServerConfig {
  std::string model;  // folder or ORG/NAME
  double gpu_memory_utilization = 0.9;
  int tensor_parallel_size = 1;
  std::int64_t max_context = 0;    // tokens; 0: vLLM's choice
  std::filesystem::path log_file;  // for what it prints
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

class LocalServer {
 public:
  // The program in PATH, or nothing.
  static std::optional<std::filesystem::path> find_program();

  // Waits until it is ready, which may take minutes. Errors: config_invalid when it ends before
  // that, again and again; cancelled.
  static Result<std::unique_ptr<LocalServer>> start(const LocalServerConfig& config,
                                                    std::stop_token stop);

  const std::string& base_url() const { return base_url_; }
  const std::string& api_key() const { return api_key_; }  // nobody else on this machine has it

 private:
  enum class State { starting, ready, failed };

  explicit LocalServer(const LocalServerConfig& config) : config_(config) {}

  void look_after(std::stop_token stop);
  // Until the process ends or a stop is asked for.
  void watch(int pid, std::stop_token stop);
  int spawn(bool trust_flag) const;
  bool is_healthy() const;
  void set(State state);
  void sleep(std::chrono::milliseconds time, std::stop_token stop);

  const LocalServerConfig config_;
  std::filesystem::path program_;
  int port_ = 0;
  std::string base_url_;
  std::string api_key_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  State state_ = State::starting;
  std::jthread keeper_;  // last: stops first. Forks too: the process ends with the thread
};

}  // namespace tru::backend
