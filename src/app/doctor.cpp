#include "app/doctor.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>

#include "app/access.h"
#include "app/exit_code.h"
#include "app/machine.h"
#include "app/options.h"
#include "media/codecs.h"
#include "store/key_ring.h"
#include "tensor/device.h"
#include "tensor/kernels/cpu_level.h"

namespace tru::app {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

enum class Health { ok, warn, fail };

struct Finding {
  std::string_view name;
  Health health = Health::ok;
  std::string detail;
  std::string fix{};  // what to do, if not ok
};

std::string_view to_string(Health health) {
  switch (health) {
    case Health::ok:
      return "ok";
    case Health::warn:
      return "warn";
    case Health::fail:
      return "fail";
  }
  return "";
}

constexpr double kGiB = 1024.0 * 1024 * 1024;

// The processor's own build of ggml is a library that was loaded for it: libggml-cpu-NAME.so.
std::string loaded_variant() {
  std::ifstream maps("/proc/self/maps");
  constexpr std::string_view kBefore = "libggml-cpu-";
  for (std::string line; std::getline(maps, line);) {
    const std::size_t at = line.find(kBefore);
    if (at == line.npos) continue;
    const std::size_t begin = at + kBefore.size();
    return line.substr(begin, line.find(".so", begin) - begin);
  }
  return "generic";
}

Finding check_processor(const Settings& settings) {
  const auto device = tensor::Device::open(settings.native.device, settings.native.threads);
  if (!device) {
    return {"processor", Health::fail, device.error().message, "set DEVICE=auto"};
  }
  Finding finding{"processor", Health::ok, ""};
  finding.detail = fmt::format("{}, {} threads", device->info().description, device->threads());
  if (!device->is_cpu()) return finding;
  finding.detail += fmt::format("; uses {} (build {}, our kernels {})", device->features(),
                                loaded_variant(), to_string(tensor::cpu_level()));
  if (device->features().find("AVX2") == std::string::npos) {
    finding.health = Health::warn;
    finding.fix =
        "without AVX2 answers take several times as long; a newer processor or "
        "MODEL_BACKEND=vllm helps";
  }
  return finding;
}

std::optional<Finding> check_gpu() {
  const auto missing = tensor::missing_gpu();
  if (!missing) return {};
  return Finding{"gpu", Health::warn, missing->what, missing->fix};
}

Finding check_memory() {
  const Memory memory = machine_memory();
  Finding finding{"memory", Health::ok,
                  fmt::format("{} free of {}", format_gib(memory.available_bytes),
                              format_gib(memory.total_bytes))};
  if (memory.available_bytes < 4 * kGiB) {
    finding.health = Health::warn;
    finding.fix = "real models need 4 GiB and more: close other programs, or use --weights int4";
  }
  return finding;
}

// Kernel features that can lock a decoder in. Their lack is reported, nothing more.
Finding check_sandbox() {
  constexpr unsigned kVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  const long landlock = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersion);
  const bool seccomp = ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 || errno != EINVAL;
  return {"sandbox", Health::ok,
          fmt::format("Landlock {}, seccomp {}",
                      landlock > 0 ? fmt::format("version {}", landlock) : "not available",
                      seccomp ? "available" : "not available")};
}

Finding check_codecs() {
  std::vector<std::string> there, missing;
  for (const media::CodecSupport& codec : media::codec_support()) {
    (codec.decodable ? there : missing).push_back(codec.name);
  }
  Finding finding{"codecs", Health::ok, fmt::format("{}", fmt::join(there, " "))};
  if (!missing.empty()) {
    finding.health = Health::warn;
    finding.detail += fmt::format("; not {}", fmt::join(missing, " "));
    finding.fix = "videos with these can't be read: install the distribution's full libavcodec";
  }
  return finding;
}

Finding check_model(Settings settings) {
  if (settings.model_backend == "vllm") {
    return {"model", Health::ok,
            settings.vllm.base_urls.empty()
                ? "answered by a vLLM that is started here"
                : fmt::format("answered by {}", fmt::join(settings.vllm.base_urls, ", "))};
  }
  const auto config = native_config(settings);
  if (!config) return {"model", Health::fail, config.error().message, "set MODEL_PATH"};
  const auto bytes = checkpoint_bytes(*config);
  if (!bytes) {
    return {"model", Health::fail, bytes.error().message,
            "fetch it (again) with: tru pull ORG/MODEL"};
  }
  Finding finding{"model", Health::ok,
                  fmt::format("{}, {} of weights", config->model, format_gib(*bytes))};
  if (settings.native.weights != "auto") return finding;
  if (const auto warning = memory_warning(*bytes, machine_memory().total_bytes)) {
    finding.health = Health::warn;
    finding.fix = *warning;
  }
  return finding;
}

// What is there of a path: the folder or, as long as it is not made, what is nearest above it.
fs::path nearest_existing(fs::path path) {
  std::error_code error;
  while (!path.empty() && path != path.root_path() && !fs::exists(path, error)) {
    path = path.parent_path();
  }
  return path.empty() ? fs::path(".") : path;
}

Finding check_folder(std::string_view name, const fs::path& path, double needed_bytes,
                     const char* setting) {
  const fs::path folder = nearest_existing(path);
  std::error_code error;
  const auto free = static_cast<double>(fs::space(folder, error).available);
  Finding finding{name, Health::ok, fmt::format("{}: {} free", path.string(), format_gib(free))};
  if (error || !fs::is_directory(folder, error) || ::access(folder.c_str(), W_OK | X_OK) != 0) {
    finding.health = Health::fail;
    finding.detail = fmt::format("{}: not writable", path.string());
    finding.fix = fmt::format("set {} to a folder of yours", setting);
  } else if (free < needed_bytes) {
    finding.health = Health::warn;
    finding.fix =
        fmt::format("less than {}: free some space, or set {}", format_gib(needed_bytes), setting);
  }
  return finding;
}

Finding check_port(const ServiceSettings& service) {
  Finding finding{"port", Health::ok,
                  fmt::format("{} port {} is free", service.host, service.port)};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(service.port);
  if (::getaddrinfo(service.host.c_str(), port.c_str(), &hints, &found) != 0) {
    return {"port", Health::fail, fmt::format("{} is no address of this machine", service.host),
            "set HOST to 127.0.0.1 or 0.0.0.0"};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, 1) != 0) {
    finding.health = Health::warn;
    finding.detail =
        fmt::format("{} port {}: {}", service.host, service.port, std::strerror(errno));
    finding.fix = "unless that is a tru that runs already, set PORT to another one";
  }
  ::close(fd);
  return finding;
}

Finding check_access(const Settings& settings) {
  const auto ring = store::KeyRing::load(key_file(settings), settings.access.api_keys);
  if (!ring) return {"access", Health::fail, ring.error().message, "restore or remove it"};
  const bool needed = needs_keys(settings);
  Finding finding{"access", Health::ok,
                  needed ? "API keys are needed" : "open to everybody who reaches it"};
  if (needed && ring->empty()) {
    finding.health = Health::fail;
    finding.detail = "API keys are needed and there are none";
    finding.fix = "make one with: tru keys add NAME";
  } else if (!needed && !is_local(settings)) {
    finding.health = Health::warn;
    finding.fix = "others can use it too: unset AUTH, or set HOST=127.0.0.1 and no TRUSTED_PROXIES";
  }
  return finding;
}

json::object to_json(const Finding& finding) {
  json::object object = {
      {"name", finding.name}, {"status", to_string(finding.health)}, {"detail", finding.detail}};
  if (finding.health != Health::ok) object["fix"] = finding.fix;
  return object;
}

}  // namespace

void add_doctor(CLI::App& command, DoctorOptions& options) {
  using enum SettingGroup;
  command.add_flag("--json", options.json, "print a JSON object");
  add_settings(command, {model, remote, service, access, hub}, options.settings);
}

int doctor(const DoctorOptions& options) {
  const auto settings = read_settings(options.settings);
  if (!settings) return report(settings.error());
  const ServiceSettings& service = settings->service;
  const fs::path uploads =
      service.upload_dir.empty() ? fs::temp_directory_path() : service.upload_dir;
  const double upload_bytes = 1e6 * static_cast<double>(service.max_video_size_mb);
  std::vector<Finding> findings = {
      check_processor(*settings),
      check_memory(),
      check_sandbox(),
      check_codecs(),
      check_model(*settings),
      check_folder("models", settings->native.hub_cache, 5 * kGiB, "HF_HOME"),
      check_folder("uploads", uploads, upload_bytes, "UPLOAD_DIR"),
      check_folder("data", service.data_dir, upload_bytes, "DATA_DIR"),
      check_port(service),
      check_access(*settings)};
  if (auto gpu = check_gpu()) findings.insert(findings.begin() + 1, *std::move(gpu));
  const bool works = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.health == Health::fail;
  });
  if (options.json) {
    json::array checks;
    for (const Finding& finding : findings) checks.push_back(to_json(finding));
    fmt::print("{}\n", json::serialize(json::object{{"ok", works}, {"checks", checks}}));
  } else {
    for (const Finding& finding : findings) {
      fmt::print("{:<5} {:<10} {}\n", to_string(finding.health), finding.name, finding.detail);
      if (finding.health != Health::ok) fmt::print("{:16} -> {}\n", "", finding.fix);
    }
  }
  return works ? kOk : kConfig;
}

}  // namespace tru::app
