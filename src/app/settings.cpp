#include "app/settings.h"

#include <cstdlib>
#include <limits>

#include "app/settings_table.h"
#include "weights/model_dir.h"

namespace tru::app {
namespace {

namespace fs = std::filesystem;
using enum SettingGroup;

constexpr double kAny = std::numeric_limits<double>::max();

void add_model(std::vector<Setting>& table, Settings& s) {
  table.insert(
      table.end(),
      {{model, "MODEL_PATH", text(s.native.model, "DIR|FILE.gguf|ORG/NAME[:TAG]"),
        "Checkpoint to use: its folder, a GGUF file with its mmproj beside it, or the name of one "
        "fetched with `tru pull`. Unset: the demo model.",
        "model"},
       {model, "MMPROJ", file(s.native.mmproj),
        "Vision file of a GGUF model, where several lie beside it or it lies elsewhere."},
       {model, "MODEL_BACKEND", choice(s.model_backend, {"hf", "vllm"}),
        "Who answers: `hf` is the engine in this program, which reads Hugging Face checkpoints; "
        "`vllm` is a vLLM server, or another one that is compatible with OpenAI's."},
       {model, "WEIGHTS", choice(s.native.weights, {"auto", "f32", "bf16", "int8", "int4"}),
        "Number format of the weights; `auto` is int8 for large models on a CPU, else the "
        "checkpoint's own."},
       {model, "WEIGHT_CACHE", folder(s.native.weight_cache.dir),
        "Folder where converted weights are kept, so that the next start is quick; `off`: they are "
        "not. Unset: `$XDG_CACHE_HOME/tru/weights`, or `~/.cache/tru/weights`. 2 GiB of the disk "
        "stay free."},
       {model, "DEVICE", text(s.native.device, "NAME"), "`auto`, `cpu` or the name of a GPU."},
       {model, "THREADS", number(s.native.threads, 0, 512), "CPU threads; 0: all there are."},
       {model, "MAX_CONTEXT", number(s.native.max_context, 256, kAny),
        "Tokens of prompt and answer together. Unset: what the model allows and half of the free "
        "memory holds."}});
}

void add_answer(std::vector<Setting>& table, Settings& s) {
  table.insert(table.end(),
               {{answer, "MAX_NEW_TOKENS", number(s.generation.max_tokens, 1, 32768),
                 "Longest answer, in tokens.", "max-tokens"},
                {answer, "TEMPERATURE", number(s.generation.temperature, 0, 2),
                 "Freedom of the answer; 0: always the likeliest token."},
                {answer, "TOP_P", number(s.generation.top_p, 0, 1),
                 "Choose among the likeliest tokens that together have this probability."},
                {answer, "TOP_K", number(s.generation.top_k, 0, 1 << 20),
                 "Choose among this many likeliest tokens; 0: among all."}});
}

void add_video(std::vector<Setting>& table, Settings& s) {
  table.insert(
      table.end(),
      {{video, "DEFAULT_VIDEO_FPS", number(s.video.fps, 1e-3, 60),
        "Frames looked at for each second of video."},
       {video, "DEFAULT_MAX_FRAMES", number(s.video.max_frames, 1, 2048),
        "Most frames of one video."},
       {video, "DEFAULT_MIN_PIXELS", number(s.video.min_pixels, 1, kAny),
        "Least pixels of a frame as the model sees it."},
       {video, "DEFAULT_MAX_PIXELS", number(s.video.max_pixels, 1, kAny),
        "Most pixels of a frame as the model sees it."},
       {video, "DEFAULT_TOTAL_PIXELS", number(s.video.total_pixels, 1, kAny),
        "Most pixels of a whole video: frames * height * width."},
       {video, "MAX_VIDEO_SIZE_MB", number(s.service.max_video_size_mb, 1, 1 << 20),
        "Largest upload or download, in MB."},
       {video, "SUPPORTED_VIDEO_FORMATS", texts(s.service.supported_video_formats, "EXT,..."),
        "Containers that are taken. A file's content decides, not its name."}});
}

void add_remote(std::vector<Setting>& table, Settings& s) {
  table.insert(
      table.end(),
      {{remote, "VLLM_BASE_URL", urls(s.vllm.base_urls),
        "Servers for `MODEL_BACKEND=vllm`, which share the load. Unset: `vllm serve` is started "
        "and looked after, if it is installed."},
       {remote, "VLLM_API_KEY", secret(s.vllm.api_key), "Key that these servers ask for."},
       {remote, "VLLM_GPU_MEMORY_UTILIZATION", number(s.vllm.gpu_memory_utilization, 0.01, 1),
        "Share of the GPU's memory for a vLLM that is started here."},
       {remote, "VLLM_TENSOR_PARALLEL_SIZE", number(s.vllm.tensor_parallel_size, 1, 1024),
        "GPUs for a vLLM that is started here."},
       {remote, "VLLM_FRAME_FORMAT", choice(s.vllm.frame_format, {"jpeg", "png"}),
        "How frames travel to these servers; `png` is exact and about four times as large."},
       {remote, "VLLM_IDLE_TIMEOUT", number(s.vllm.idle_timeout_s, 1, 86400),
        "Seconds that a server may pause within an answer; it has five times as long for the first "
        "token."},
       {remote, "USE_FLASH_ATTN", toggle(s.use_flash_attn),
        "Taken for old configurations' sake: every engine chooses its attention by itself."}});
}

void add_service(std::vector<Setting>& table, Settings& s) {
  table.insert(
      table.end(),
      {{service, "HOST", text(s.service.host, "ADDRESS"),
        "Address to listen on; `0.0.0.0` for all of the machine's."},
       {service, "PORT", number(s.service.port, 0, 65535), "Port to listen on; 0: any free one."},
       {service, "QUEUE_SIZE", number(s.service.queue_size, 0, 100000),
        "Requests that may wait; more are answered 429."},
       {service, "LOG_LEVEL", choice(s.service.log_level, {"debug", "info", "warning", "error"}),
        "Least important kind of log line that is written."},
       {service, "HEADER_TIMEOUT", number(s.service.header_timeout_s, 1, 3600),
        "Seconds in which the head of a request must have come."},
       {service, "UPLOAD_GRACE", number(s.service.upload_grace_s, 1, 3600),
        "Seconds before a body that comes slower than 16 KiB/s is given up."},
       {service, "HEARTBEAT", number(s.service.heartbeat_s, 1, 3600),
        "Seconds after which a stream of events that has nothing to say shows that it is alive."},
       {service, "IDEMPOTENCY_TTL", number(s.service.idempotency_ttl_s, 0, 86400),
        "Seconds after its end in which a question with an `Idempotency-Key` is answered again; 0: "
        "only while it waits or runs."},
       {service, "SHUTDOWN_GRACE", number(s.service.shutdown_grace_s, 0, 3600),
        "Seconds that questions have to end in after SIGTERM; their answers have two more."},
       {service, "UPLOAD_DIR", folder(s.service.upload_dir),
        "Where videos lie while they are worked on. Unset: a private folder under the system's "
        "temporary one."},
       {service, "DATA_DIR", folder(s.service.data_dir),
        "What is kept: videos of `/v1/videos` and API keys. Unset: `$XDG_DATA_HOME/tru`, or "
        "`~/.local/share/tru`."}});
}

void add_access(std::vector<Setting>& table, Settings& s) {
  table.insert(
      table.end(),
      {{access, "AUTH", choice(s.access.auth, {"auto", "on", "off"}),
        "Whether an API key is needed; `auto`: unless `HOST` is a loopback address and there are "
        "no `TRUSTED_PROXIES`."},
       {access, "API_KEYS", secrets(s.access.api_keys),
        "Keys that may do everything, beside those of `tru keys`."},
       {access, "RATE_LIMIT", rate(s.access.rate_limit),
        "Requests per key, or per address without one, such as `60/m`. Unset: any number."},
       {access, "UPLOAD_QUOTA", volume(s.access.upload_quota),
        "Bytes that a key, or an address without one, may upload, such as `20GB/d`. Unset: any."},
       {access, "MAX_REQUESTS_PER_KEY", number(s.access.max_requests_per_key, 1, 1e6),
        "Questions of one key, or of an address without one, that may wait or run at once. Unset: "
        "any number."},
       {access, "AUDIT_LOG", file(s.access.audit_log),
        "File to which is appended who asked for what, and how it ended: one line of JSON each, "
        "without prompts. Unset: these lines stand in the log."},
       {access, "MAX_CONNECTIONS_PER_ADDRESS", number(s.access.max_connections_per_address, 1, 1e6),
        "Connections of one address at once; this machine's own are not counted. Behind "
        "`TRUSTED_PROXIES`: requests of one client at once."},
       {access, "TRUSTED_PROXIES", networks(s.access.trusted_proxies),
        "Proxies that tell in `X-Forwarded-For` for whom they ask: limits count that client, and "
        "the log names it. From others the field is not read."},
       {access, "CORS_ORIGINS", origins(s.access.cors_origins),
        "Web pages of other origins that may use the service."},
       {access, "ALLOWED_HOSTS", texts(s.access.allowed_hosts, "NAME,..."),
        "Names, beside its own addresses, by which the service may be called."},
       {access, "ALLOW_PRIVATE_URLS", toggle(s.access.allow_private_urls),
        "1: videos may be fetched from any address and port, this network's own too."},
       {access, "ALLOWED_URL_PORTS", ports(s.access.allowed_url_ports),
        "Ports from which videos may be fetched."}});
}

void add_hub(std::vector<Setting>& table, Settings& s) {
  table.insert(table.end(),
               {{hub, "HF_TOKEN", secret(s.hub.token),
                 "Token of the Hugging Face hub, for gated models. Unset: the one that "
                 "`huggingface-cli login` stored."},
                {hub, "HF_ENDPOINT", url(s.hub.endpoint), "Hub, or a mirror of it."},
                {hub, "HF_HOME", folder(s.hub.home),
                 "Folder of the hub's files; models are in `hub` below it. Unset: "
                 "`$XDG_CACHE_HOME/huggingface`, or `~/.cache/huggingface`."},
                {hub, "HF_HUB_CACHE", folder(s.native.hub_cache), "Folder of the models alone."},
                {hub, "HF_HUB_OFFLINE", toggle(s.hub.offline), "1: never ask the hub."}});
}

// A folder of the user's own: `name` if it is set, else `fallback` under the home folder.
fs::path user_folder(const Environment& environment, const char* name, const char* fallback) {
  if (const auto folder = environment(name)) return *folder;
  return fs::path(environment("HOME").value_or("/tmp")) / fallback;
}

}  // namespace

std::vector<Setting> settings_table(Settings& settings) {
  std::vector<Setting> table;
  add_model(table, settings);
  add_answer(table, settings);
  add_video(table, settings);
  add_remote(table, settings);
  add_service(table, settings);
  add_access(table, settings);
  add_hub(table, settings);
  return table;
}

std::optional<std::string> process_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

Result<Settings> read_settings(const SettingFlags& flags, const Environment& environment) {
  Settings settings;
  for (const Setting& setting : settings_table(settings)) {
    const auto bad = [&](ErrorCode code, std::string_view name, std::string_view value) {
      return fail(code, "{} is '{}'; allowed is {}", name, value, setting.value.allowed);
    };
    if (const auto flag = flags.find(setting.name); flag != flags.end()) {
      if (setting.value.assign(flag->second)) continue;
      return bad(ErrorCode::invalid_argument, setting.flag(), flag->second);
    }
    const auto value = environment(setting.name);
    if (value && !setting.value.assign(*value)) {
      return bad(ErrorCode::config_invalid, setting.name, *value);
    }
  }
  if (settings.service.data_dir.empty()) {
    settings.service.data_dir = user_folder(environment, "XDG_DATA_HOME", ".local/share") / "tru";
  }
  fs::path& weight_cache = settings.native.weight_cache.dir;
  if (weight_cache.empty()) {
    weight_cache = user_folder(environment, "XDG_CACHE_HOME", ".cache") / "tru" / "weights";
  } else if (weight_cache == "off") {
    weight_cache.clear();
  }
  if (settings.hub.home.empty()) {
    settings.hub.home = user_folder(environment, "XDG_CACHE_HOME", ".cache") / "huggingface";
  }
  if (settings.native.hub_cache.empty()) settings.native.hub_cache = settings.hub.home / "hub";
  return settings;
}

Result<std::string> demo_model_dir() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  // build/bin/tru in a source tree; bin/tru when installed.
  for (const fs::path& candidate : {program / "../../models/demo", program / "../share/tru/demo"}) {
    if (fs::exists(candidate / "config.json", error)) return fs::canonical(candidate).string();
  }
  return fail(ErrorCode::config_invalid,
              "no model was chosen and the demo model is not installed; give --model DIR or set "
              "MODEL_PATH");
}

}  // namespace tru::app
