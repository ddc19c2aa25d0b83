// The settings of the program, described once: from one table come the environment variables, the
// flags of the command line, their help, the messages about bad values and docs/CONFIGURATION.md.
// Names and defaults are those of the platform that TRU replaces, where it has them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/setting_value.h"
#include "backend/native_backend.h"
#include "pipeline/question.h"

namespace CLI {
class App;
}

namespace tru::app {

// MODEL_BACKEND=vllm: servers that we ask, or one that we start.
struct VllmSettings {
  std::vector<std::string> base_urls;  // empty: start `vllm serve`
  std::string api_key;
  double gpu_memory_utilization = 0.9;
  int tensor_parallel_size = 1;
  std::string frame_format = "jpeg";  // jpeg, png
  int idle_timeout_s = 120;
};

// `tru serve`.
struct ServiceSettings {
  std::string host = "127.0.0.1";
  int port = 8000;                   // 0: any free one
  int queue_size = 64;               // requests that wait
  std::string log_level = "info";    // debug, info, warning, error
  std::filesystem::path upload_dir;  // empty: a private folder under the system's temporary one
  std::filesystem::path data_dir;    // never empty after read_settings()
  std::int64_t max_video_size_mb = 1000;
  int header_timeout_s = 10;
  int upload_grace_s = 60;
  int heartbeat_s = 15;
  int idempotency_ttl_s = 600;
  int shutdown_grace_s = 28;  // for the questions; their answers have two more to be sent
  std::vector<std::string> supported_video_formats = {".mp4", ".avi", ".mkv", ".mov", ".webm"};
};

// Who may use the service, and how much.
struct AccessSettings {
  std::string auth = "auto";  // auto, on, off
  std::vector<std::string> api_keys;
  RateLimit rate_limit;             // requests
  RateLimit upload_quota;           // bytes
  int max_requests_per_key = 0;     // questions at once; 0: any number
  std::filesystem::path audit_log;  // empty: with all the other lines
  int max_connections_per_address = 64;
  std::vector<std::string> cors_origins = {"http://localhost:3000", "http://web:3000"};
  std::vector<std::string> allowed_hosts;
  std::vector<Network> trusted_proxies;
  bool allow_private_urls = false;
  std::vector<int> allowed_url_ports = {80, 443, 8000, 8080, 8443};
};

// The Hugging Face hub. The folder of pulled models is NativeConfig::hub_cache.
struct HubSettings {
  std::string token;
  std::string endpoint = "https://huggingface.co";
  std::filesystem::path home;  // never empty after read_settings()
  bool offline = false;
};

struct Settings {
  std::string model_backend = "hf";  // hf (the native engine) or vllm
  backend::NativeConfig native;
  bool demo_model = false;  // nothing chose a model: the one that ships with the program
  pipeline::VideoDefaults video;
  backend::GenerationParams generation;
  VllmSettings vllm;
  ServiceSettings service;
  AccessSettings access;
  HubSettings hub;
  bool use_flash_attn = true;  // changes nothing
};

// Looks a variable up; empty values count as unset.
using Environment = std::function<std::optional<std::string>(const char* name)>;
std::optional<std::string> process_environment(const char* name);

// What the command line said, by the name of the setting. Wins over the environment.
using SettingFlags = std::map<std::string, std::string, std::less<>>;

enum class SettingGroup { model, answer, video, remote, service, access, hub };

// Adds a flag for every setting of these groups; parsing fills `flags`, which must outlive it.
void add_settings(CLI::App& command, const std::vector<SettingGroup>& groups, SettingFlags& flags);

// Defaults, under the environment, under the flags. Errors name the setting, its value and what is
// allowed: config_invalid from the environment, invalid_argument from a flag.
Result<Settings> read_settings(const SettingFlags& flags = {},
                               const Environment& environment = process_environment);

// The folder of the demo model: beside the sources it was built from, or installed. Error:
// config_invalid when it is not there.
Result<std::string> demo_model_dir();

// docs/CONFIGURATION.md, and an environment file with every setting commented out.
std::string settings_markdown();
std::string settings_env_file();

}  // namespace tru::app
