#include "backend/remote/server_pool.h"

#include <algorithm>
#include <condition_variable>
#include <tuple>

#include "backend/remote/server_probe.h"

namespace tru::backend {
namespace {

using namespace std::chrono_literals;

constexpr int kFailuresBeforeRest = 3;
constexpr std::chrono::seconds kRest = 5s;
constexpr std::chrono::seconds kLongestRest = 60s;

// Without a final slash or /v1, which the paths of requests begin with.
Result<std::string> base_of(std::string url) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return fail(ErrorCode::config_invalid,
                "VLLM_BASE_URL is '{}'; allowed are addresses that begin with http:// or https://",
                url);
  }
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with("/v1")) url.resize(url.size() - 3);
  return url;
}

std::string describe(int number, const ServerTraits& traits) {
  std::string text = fmt::format("server {}: {}{}{}, model {}, frames as {}", number,
                                 to_string(traits.kind), traits.version.empty() ? "" : " ",
                                 traits.version, shown_model(traits), to_string(traits.transport));
  if (traits.transport == FrameTransport::frame_list) {
    text += fmt::format(", {} prompt form", to_string(traits.form));
  }
  return text;
}

}  // namespace

Result<std::unique_ptr<ServerPool>> ServerPool::open(const RemoteConfig& config,
                                                     std::stop_token stop) {
  std::unique_ptr<ServerPool> pool(new ServerPool(config));
  for (const std::string& url : config.base_urls) {
    TRU_TRY(std::string base, base_of(url));
    const int number = static_cast<int>(pool->servers_.size()) + 1;
    pool->servers_.emplace_back(
        number, HttpClient(std::move(base), config.api_key, config.connect_timeout));
  }
  const auto deadline = Clock::now() + config.start_wait;
  while (true) {
    Error error;
    bool any = false;
    for (Server& server : pool->servers_) any = pool->probe(server, stop, error) || any;
    if (any) break;
    if (stop.stop_requested() || Clock::now() >= deadline) return tl::unexpected(error);
    std::this_thread::sleep_for(500ms);
  }
  pool->keeper_ =
      std::jthread([raw = pool.get()](std::stop_token ended) { raw->look_after(ended); });
  return pool;
}

bool ServerPool::probe(Server& server, std::stop_token stop, Error& error) {
  auto traits = probe_server(server.client, config_.model, stop);
  if (!traits) {
    error = traits.error();
    return false;
  }
  config_.log(describe(server.number, *traits));
  for (const std::string& warning : traits->warnings) {
    config_.log(fmt::format("server {}: {}", server.number, warning));
  }
  const std::lock_guard lock(mutex_);
  server.traits = std::move(*traits);
  server.failures = 0;
  server.resting = {};
  return true;
}

// Servers that failed, or were not there, are asked again; one that comes back may be another
// version with another model.
void ServerPool::look_after(std::stop_token stop) {
  std::mutex sleeping;
  std::condition_variable_any wake;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(sleeping);
      wake.wait_for(lock, stop, config_.health_period, [] { return false; });
    }
    for (Server& server : servers_) {
      bool unwell = false;
      {
        const std::lock_guard lock(mutex_);
        unwell = !server.traits || server.failures >= kFailuresBeforeRest;
      }
      Error error;
      if (unwell && !stop.stop_requested()) probe(server, stop, error);
    }
  }
}

std::optional<ServerPool::Lease> ServerPool::take(const std::vector<int>& tried) {
  const std::lock_guard lock(mutex_);
  const auto rank = [&](const Server& server) {
    return std::tuple(std::count(tried.begin(), tried.end(), server.number), server.running);
  };
  Server* best = nullptr;
  for (Server& server : servers_) {
    if (!server.traits || server.resting > Clock::now()) continue;
    if (best == nullptr || rank(server) < rank(*best)) best = &server;
  }
  if (best == nullptr) return std::nullopt;
  ++best->running;
  return Lease(*this, *best);
}

void ServerPool::finished(Server& server, Outcome outcome) {
  bool rests = false;
  {
    const std::lock_guard lock(mutex_);
    --server.running;
    if (outcome == Outcome::good) server.failures = 0;
    if (outcome == Outcome::bad && ++server.failures >= kFailuresBeforeRest) {
      rests = true;
      const int times = std::min(server.failures - kFailuresBeforeRest, 4);
      server.resting = Clock::now() + std::min(kRest * (1 << times), kLongestRest);
    }
  }
  if (rests) config_.log(fmt::format("server {} failed again and is given a rest", server.number));
}

ServerTraits ServerPool::traits() const {
  const std::lock_guard lock(mutex_);
  const Server* best = nullptr;
  for (const Server& server : servers_) {
    if (!server.traits) continue;
    if (best == nullptr || server.failures < best->failures) best = &server;
  }
  return *best->traits;
}

int ServerPool::slots() const {
  const std::lock_guard lock(mutex_);
  int sum = 0;
  for (const Server& server : servers_) sum += server.traits.value_or(ServerTraits{}).slots;
  return sum;
}

std::vector<ServerStatus> ServerPool::status() const {
  const std::lock_guard lock(mutex_);
  std::vector<ServerStatus> list;
  for (const Server& server : servers_) {
    ServerStatus status;
    status.available = server.traits && server.resting <= Clock::now();
    status.running = server.running;
    if (server.traits) {
      status.kind = to_string(server.traits->kind);
      status.version = server.traits->version;
      status.model = shown_model(*server.traits);
      status.transport = to_string(server.traits->transport);
      status.prompt_form = to_string(server.traits->form);
      status.warnings = server.traits->warnings;
    }
    list.push_back(std::move(status));
  }
  return list;
}

}  // namespace tru::backend
