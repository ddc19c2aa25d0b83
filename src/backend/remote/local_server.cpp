#include "backend/remote/local_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "backend/remote/http_client.h"
#include "base/digest.h"

namespace tru::backend {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kMostEarlyEnds = 3;  // before it was ever ready
constexpr std::chrono::milliseconds kPoll = 200ms;
constexpr std::chrono::seconds kGrace = 10s;  // between SIGTERM and SIGKILL
constexpr std::chrono::seconds kLongestPause = 60s;

// A port that nobody listens on now.
int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Ours, with the key that the server is to ask for.
std::vector<std::string> environment(const std::string& api_key) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "VLLM_API_KEY=", 13) != 0) result.emplace_back(*entry);
  }
  result.push_back("VLLM_API_KEY=" + api_key);
  return result;
}

}  // namespace

std::optional<std::filesystem::path> LocalServer::find_program() {
  const char* path = std::getenv("PATH");
  std::stringstream folders(path == nullptr ? "" : path);
  std::string folder;
  while (std::getline(folders, folder, ':')) {
    const auto program = std::filesystem::path(folder.empty() ? "." : folder) / "vllm";
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  return std::nullopt;
}

Result<std::unique_ptr<LocalServer>> LocalServer::start(const LocalServerConfig& config,
                                                        std::stop_token stop) {
  const auto program = find_program();
  if (!program) {
    return fail(ErrorCode::config_invalid,
                "MODEL_BACKEND is vllm, but VLLM_BASE_URL is not set and the program vllm is not "
                "installed; set VLLM_BASE_URL to a running server, or use MODEL_BACKEND=hf");
  }
  if (config.model.empty()) {
    return fail(ErrorCode::config_invalid,
                "MODEL_BACKEND is vllm: set MODEL_PATH to the model that vllm is to serve, or "
                "VLLM_BASE_URL to a running server");
  }
  std::unique_ptr<LocalServer> server(new LocalServer(config));
  server->program_ = *program;
  server->port_ = free_port();
  server->base_url_ = fmt::format("http://127.0.0.1:{}", server->port_);
  server->api_key_ = random_hex(16);
  std::error_code failed;  // then nobody sees the output
  std::filesystem::create_directories(config.log_file.parent_path(), failed);
  config.log("starting vllm serve; its output is in " + config.log_file.string());
  server->keeper_ =
      std::jthread([raw = server.get()](std::stop_token ended) { raw->look_after(ended); });

  std::unique_lock lock(server->mutex_);
  server->changed_.wait(lock, stop, [&] { return server->state_ != State::starting; });
  if (server->state_ == State::ready) {
    lock.unlock();
    return server;
  }
  const bool gave_up = server->state_ == State::failed;
  lock.unlock();
  if (!gave_up) return fail(ErrorCode::cancelled, "the start of vllm was cancelled");
  return fail(ErrorCode::config_invalid,
              "vllm serve ended before it was ready; its output is in {}",
              config.log_file.string());
}

void LocalServer::look_after(std::stop_token stop) {
  int early_ends = 0;
  std::chrono::milliseconds pause = 1s;
  while (!stop.stop_requested()) {
    const auto started = Clock::now();
    // Versions before 0.31 have no such flag, and need none.
    const int pid = spawn(early_ends % 2 == 0);
    if (pid > 0) watch(pid, stop);
    if (stop.stop_requested()) return;
    config_.log("vllm serve ended by itself; starting it again");
    if (state_ == State::starting && ++early_ends == kMostEarlyEnds) return set(State::failed);
    if (Clock::now() - started > kLongestPause) pause = 1s;
    sleep(pause, stop);
    pause = std::min<std::chrono::milliseconds>(pause * 2, kLongestPause);
  }
}

void LocalServer::watch(int pid, std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (waitpid(pid, nullptr, WNOHANG) == pid) {
      kill(-pid, SIGKILL);  // workers that it left behind
      return;
    }
    if (state_ == State::starting && is_healthy()) set(State::ready);
    sleep(kPoll, stop);
  }
  kill(-pid, SIGTERM);
  const auto deadline = Clock::now() + kGrace;
  while (waitpid(pid, nullptr, WNOHANG) == 0) {
    if (Clock::now() > deadline) kill(-pid, SIGKILL);
    std::this_thread::sleep_for(50ms);
  }
  kill(-pid, SIGKILL);
}

int LocalServer::spawn(bool trust_flag) const {
  std::vector<std::string> words = {program_.string(),
                                    "serve",
                                    config_.model,
                                    "--served-model-name",
                                    std::filesystem::path(config_.model).filename().string(),
                                    "--host",
                                    "127.0.0.1",
                                    "--port",
                                    std::to_string(port_),
                                    "--gpu-memory-utilization",
                                    fmt::format("{}", config_.gpu_memory_utilization),
                                    "--tensor-parallel-size",
                                    std::to_string(config_.tensor_parallel_size)};
  if (config_.max_context > 0) {
    words.insert(words.end(), {"--max-model-len", std::to_string(config_.max_context)});
  }
  if (trust_flag) words.push_back("--trust-request-mm-kwargs");
  std::vector<std::string> variables = environment(api_key_);
  const std::vector<char*> arguments = pointers(words), settings = pointers(variables);

  // Between fork and exec only calls that are safe when other threads hold locks.
  constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  int log = open(config_.log_file.c_str(), kAppend, 0600);
  if (log < 0) log = open("/dev/null", O_WRONLY | O_CLOEXEC);
  const pid_t us = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != us) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execve(arguments[0], arguments.data(), settings.data());
    _exit(127);
  }
  if (log >= 0) close(log);
  if (pid > 0) setpgid(pid, pid);
  return pid;
}

bool LocalServer::is_healthy() const {
  const HttpClient client(base_url_, api_key_, 1000ms);
  const auto reply = client.send({"/health", {}, 1000ms, 1000ms, {}}, {});
  return reply && reply->status == 200;
}

void LocalServer::set(State state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
  changed_.notify_all();
}

void LocalServer::sleep(std::chrono::milliseconds time, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace tru::backend
