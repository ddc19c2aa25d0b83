// tru serve: puts the parts of the service together, and takes them apart in order.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "api/errors.h"
#include "api/handlers.h"
#include "api/markdown.h"
#include "api/openapi.h"
#include "api/rate_guard.h"
#include "app/access.h"
#include "app/commands.h"
#include "app/exit_code.h"
#include "app/log.h"
#include "tensor/device.h"

namespace tru::app {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::chrono::hours kRetention{7 * 24};
constexpr std::chrono::hours kSweepEvery{1};
constexpr auto kServersWait = 10min;  // for the first of VLLM_BASE_URL: they load models too

// The keys that the service takes; config_invalid when it needs some and there are none.
Result<api::AccessKeys> access_keys(const Settings& settings) {
  TRU_TRY(store::KeyRing ring, store::KeyRing::load(key_file(settings), settings.access.api_keys));
  const bool needed = needs_keys(settings);
  if (needed && ring.empty()) {
    return fail(
        ErrorCode::config_invalid,
        "AUTH is {} and HOST is {}{}, so API keys are needed and there are none: run tru keys "
        "add NAME, set API_KEYS, or AUTH=off to let everybody in",
        settings.access.auth, settings.service.host,
        settings.access.trusted_proxies.empty() ? "" : " behind TRUSTED_PROXIES");
  }
  return api::AccessKeys(std::make_shared<store::KeyRing>(std::move(ring)), needed);
}

std::string read_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The web page: beside the program as the build and a package lay it out. None is no error.
Result<std::optional<http::StaticFiles>> load_web() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& folder : {program / "../share/tru/web", program / "../../web/out"}) {
    if (!fs::exists(folder / "index.html", error)) continue;
    http::StaticFiles::Options options;
    options.html_csp = read_line(folder / "csp.txt");
    TRU_TRY(http::StaticFiles files, http::StaticFiles::load(folder, std::move(options)));
    return std::optional(std::move(files));
  }
  return std::optional<http::StaticFiles>();
}

// gpu, cpu and memory of health/detailed.
json::object describe_machine() {
  json::array gpus;
  json::object cpu{{"threads", tensor::default_threads()}};
  for (const tensor::DeviceInfo& device : tensor::list_devices()) {
    if (device.name.starts_with("CPU")) {
      cpu["name"] = device.description;
      continue;
    }
    const double used = static_cast<double>(device.memory_total_bytes - device.memory_free_bytes);
    gpus.push_back(json::object{{"id", gpus.size()},
                                {"name", device.description},
                                {"memory_allocated_gb", used / 1e9},
                                {"memory_reserved_gb", used / 1e9}});
  }
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return {{"gpu", {{"available", !gpus.empty()}, {"count", gpus.size()}, {"devices", gpus}}},
          {"cpu", cpu},
          {"memory",
           {{"total_bytes", page * static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES))},
            {"available_bytes", page * static_cast<std::uint64_t>(::sysconf(_SC_AVPHYS_PAGES))}}}};
}

api::ServiceConfig service_config(const Settings& settings, const backend::BackendConfig& model) {
  api::ServiceConfig config;
  config.video = settings.video;
  config.generation = settings.generation;
  config.max_video_bytes = static_cast<std::uint64_t>(settings.service.max_video_size_mb) << 20;
  config.video_formats = settings.service.supported_video_formats;
  config.queue_size = static_cast<std::size_t>(settings.service.queue_size);
  config.requests_per_client = static_cast<std::size_t>(settings.access.max_requests_per_key);
  config.keep_keyed = std::chrono::seconds(settings.service.idempotency_ttl_s);
  config.demo_model = settings.demo_model;
  config.version = TRU_VERSION;
  config.model = {{"backend", settings.model_backend},
                  {"path", model.remote ? model.servers.model : model.native.model}};
  config.describe_machine = describe_machine;
  return config;
}

fs::path upload_parent(const Settings& settings) {
  if (!settings.service.upload_dir.empty()) return settings.service.upload_dir;
  return fs::temp_directory_path() / fmt::format("tru-{}", ::geteuid());
}

void count_request(metrics::Metrics& metrics, const http::AccessRecord& record) {
  metrics.http_request({.route = record.route,
                        .method = record.method,
                        .status = record.status,
                        .duration_s = record.duration_ms / 1000,
                        .bytes_in = record.bytes_in,
                        .bytes_out = record.bytes_out});
  const bool turned_away = record.status == 429 || record.status == 503;
  if (turned_away && record.route != "/v1/ready") metrics.rejected(record.code);
}

// What guards every request, in this order.
std::vector<http::Guard> make_guards(const AccessSettings& access, const api::AccessKeys& keys) {
  std::vector<http::Guard> guards{http::host_guard(access.allowed_hosts),
                                  http::origin_guard(access.cors_origins)};
  const auto limiter = [](const RateLimit& limit) {
    return std::make_shared<http::RateLimiter>(limit.amount, limit.period_s);
  };
  if (access.rate_limit.amount > 0) {
    guards.push_back(api::rate_guard(limiter(access.rate_limit), keys));
  }
  guards.push_back(keys.guard());
  if (access.upload_quota.amount > 0) {
    guards.push_back(api::upload_guard(limiter(access.upload_quota)));
  }
  return guards;
}

// What not every request has.
void add_optional(json::object& line, const http::AccessRecord& record) {
  if (!record.proxy.empty()) line["proxy"] = record.proxy;
  if (!record.trace_id.empty()) line["trace_id"] = record.trace_id;
}

void log_request(Log& log, const http::AccessRecord& record) {
  // Probes come every few seconds and say nothing.
  const bool probe = record.route == "/v1/health" || record.route == "/v1/ready";
  const std::string_view level = probe ? "debug" : "info";
  if (!log.takes(level)) return;
  json::object line{{"request_id", record.request_id},
                    {"method", record.method},
                    {"route", record.route},
                    {"status", record.status},
                    {"code", record.code},
                    {"peer", record.peer},
                    {"bytes_in", record.bytes_in},
                    {"bytes_out", record.bytes_out},
                    {"duration_ms", record.duration_ms}};
  add_optional(line, record);
  log.write(level, "request", std::move(line));
}

// Who asked for what, and how it ended; not for what is open to all, nor for what monitors read.
void log_audit(Log& log, const http::AccessRecord& record) {
  if ((record.flags & api::kOpen) != 0 || record.method.empty() || !log.takes("info")) return;
  if ((record.flags & api::kMetrics) != 0 && record.status < 400) return;
  json::object line{{"request_id", record.request_id},
                    {"key", record.user},
                    {"peer", record.peer},
                    {"method", record.method},
                    {"route", record.route},
                    {"object", record.object},
                    {"outcome", record.status == 0    ? "left"
                                : record.status < 400 ? "done"
                                : record.status < 500 ? "refused"
                                                      : "failed"},
                    {"status", record.status},
                    {"code", record.code}};
  add_optional(line, record);
  log.write("info", "audit", std::move(line));
}

http::ServerConfig server_config(const Settings& settings, api::Service& service, Log& log,
                                 Log& audit) {
  http::ServerConfig config;
  config.host = settings.service.host;
  config.port = static_cast<std::uint16_t>(settings.service.port);
  config.limits.header_timeout = std::chrono::seconds(settings.service.header_timeout_s);
  config.limits.body_grace = std::chrono::seconds(settings.service.upload_grace_s);
  config.limits.heartbeat = std::chrono::seconds(settings.service.heartbeat_s);
  config.limits.connections_per_address =
      static_cast<std::size_t>(settings.access.max_connections_per_address);
  config.trusted_proxies = settings.access.trusted_proxies;
  config.guards = make_guards(settings.access, service.keys);
  config.cors = http::Cors(settings.access.cors_origins);
  config.render = api::render;
  config.log_access = [&log, &audit, &metrics = service.metrics](const http::AccessRecord& record) {
    count_request(metrics, record);
    log_request(log, record);
    log_audit(audit, record);
  };
  config.log_fault = [&log](std::string_view request_id, std::string_view what) {
    log.write("error", "fault", {{"request_id", request_id}, {"cause", what}});
  };
  return config;
}

// Everything that serves, in the order in which it is made.
struct Parts {
  Settings settings;
  backend::BackendConfig model;
  std::unique_ptr<Log> log;
  std::unique_ptr<Log> audit;  // null: in `log`
  std::unique_ptr<fetch::Fetcher> fetcher;
  std::unique_ptr<backend::Backend> backend;  // outlives the service
  std::unique_ptr<api::Service> service;
  std::unique_ptr<http::Server> server;
};

Result<Parts> start_parts(const ServeOptions& options) {
  Parts parts;
  TRU_TRY(parts.settings, read_settings(options.settings));
  Settings& settings = parts.settings;
  TRU_TRY(api::AccessKeys keys, access_keys(settings));
  parts.log = std::make_unique<Log>(settings.service.log_level);
  Log& log = *parts.log;
  if (!settings.access.audit_log.empty()) {
    TRU_TRY(parts.audit, Log::to_file(settings.access.audit_log));
  }
  TRU_TRY(parts.model, backend_config(settings, [&log](const std::string& line) {
            log.write("info", "backend", {{"message", line}});
          }));
  parts.model.servers.start_wait = kServersWait;

  TRU_TRY(store::Spool uploads, store::Spool::open(upload_parent(settings)));
  const fs::path& data = settings.service.data_dir;
  TRU_CHECK(store::make_private_folder(data));
  TRU_TRY(store::Spool incoming, store::Spool::open(data / "incoming"));
  TRU_TRY(store::VideoStore videos, store::VideoStore::open(data / "videos", kRetention));
  TRU_TRY(auto web, load_web());
  fetch::FetchConfig fetch = fetch_config(settings);
  fetch.folder = uploads.folder();
  parts.fetcher = std::make_unique<fetch::Fetcher>(std::move(fetch));
  parts.service = std::make_unique<api::Service>(
      service_config(settings, parts.model), std::move(keys), *parts.fetcher, std::move(uploads),
      std::move(incoming), std::move(videos), std::move(web),
      [&log](std::string_view level, std::string_view event, json::object fields) {
        log.write(level, event, std::move(fields));
      });
  TRU_TRY(parts.server, http::Server::start(server_config(settings, *parts.service, log,
                                                          parts.audit ? *parts.audit : log),
                                            api::make_router(*parts.service)));
  return parts;
}

// Loads the model and lets the service use it. The first estimate measures the device, so it is
// made before anybody generates.
Status load_model(Parts& parts, std::stop_token stop) {
  const Stopwatch watch;
  TRU_TRY(parts.backend, backend::make_backend(parts.model, stop));
  TRU_TRY(const auto prompt,
          parts.backend->build_prompt({{"user", {{text::PartKind::text, "Hello", 0}}}}, {}));
  TRU_CHECK(parts.backend->estimate(*prompt, {}, 1).map([](const auto&) {}));
  parts.service->model_ready(*parts.backend);
  parts.log->write("info", "model_loaded",
                   {{"model", parts.backend->info().name}, {"duration_ms", watch.elapsed_ms()}});
  return {};
}

void print_banner(const Parts& parts) {
  const std::string& host = parts.settings.service.host;
  const bool any = host == "0.0.0.0" || host == "::";
  const std::string shown = any                           ? "localhost"
                            : host.find(':') != host.npos ? "[" + host + "]"
                                                          : host;
  fmt::print(stderr, "TRU is at http://{}:{}/\n", shown, parts.server->port());
  if (parts.settings.demo_model) {
    fmt::print(stderr,
               "demo model: knows coloured shapes only. For real videos: "
               "tru pull Qwen/Qwen3-VL-2B-Instruct\n");
  }
}

}  // namespace

int serve(const ServeOptions& options, std::stop_token stop) {
  if (options.openapi) fmt::print("{}\n", api::openapi_text(TRU_VERSION));
  if (options.api_docs) fmt::print("{}", api::api_markdown(TRU_VERSION));
  if (options.openapi || options.api_docs) return kOk;
  ::signal(SIGPIPE, SIG_IGN);  // whoever read our log may leave
  auto started = start_parts(options);
  if (!started) return report(started.error());
  Parts parts = std::move(*started);
  print_banner(parts);

  // Requests are heard while the model is read; a model that cannot be read ends the program.
  std::promise<void> over;
  std::once_flag once;
  const auto end = [&] { std::call_once(once, [&] { over.set_value(); }); };
  const std::stop_callback on_stop(stop, end);
  std::future<Status> loading = std::async(std::launch::async, [&] {
    Status loaded = load_model(parts, stop);
    if (!loaded) end();
    return loaded;
  });
  const std::future<void> ending = over.get_future();
  while (ending.wait_for(kSweepEvery) == std::future_status::timeout) {
    parts.service->videos.sweep();
  }

  parts.log->write("info", "shutting_down", {});
  {
    // Both at once: no new connection, and no new question.
    const std::chrono::seconds grace(parts.settings.service.shutdown_grace_s);
    std::jthread closer([&] { parts.service->queue.shut_down(grace); });
    parts.server->shutdown(grace + 2s);
  }
  // Reading a model cannot be interrupted; what is left behind, the next start removes.
  if (loading.wait_for(2s) == std::future_status::timeout) ::_exit(kOk);
  const Status loaded = loading.get();
  parts.server.reset();
  parts.service.reset();
  if (!loaded && !stop.stop_requested()) return report(loaded.error());
  return kOk;
}

}  // namespace tru::app
