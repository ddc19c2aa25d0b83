#include "fetch/fetcher.h"

#include <algorithm>

#include "fetch/hop.h"

namespace tru::fetch {
namespace {

constexpr std::size_t kMaxPinned = 8;  // of a name with many addresses

// Names that are private by their definition (RFC 6761, 6762, 8375; ICANN's "internal").
bool is_private_name(const std::string& host) {
  const std::string dotted = "." + host;
  const auto under = [&](std::string_view top) { return dotted.ends_with(top); };
  return under(".localhost") || under(".local") || under(".internal") || under(".home.arpa");
}

auto not_allowed() {
  return fail(
      ErrorCode::url_not_allowed,
      "this web address is not on the public internet (ALLOW_PRIVATE_URLS=1 allows others)");
}

}  // namespace

Fetcher::Fetcher(FetchConfig config)
    : config_(std::move(config)), limits_(config_.max_per_host, config_.max_total) {
  if (config_.folder.empty()) config_.folder = std::filesystem::temp_directory_path();
  std::error_code failed;  // then creating a file will say so
  std::filesystem::create_directories(config_.folder, failed);
}

Result<Download> Fetcher::fetch(const std::string& address, const Progress& progress,
                                std::stop_token stop) const {
  const auto deadline = Hop::Clock::now() + config_.total_timeout;
  TRU_TRY(Url url, Url::parse(address));
  const std::string name = url.name();
  TRU_TRY(PrivateFile file, PrivateFile::create(config_.folder));
  for (int hops = 0; hops <= config_.max_redirects; ++hops) {
    const auto place = limits_.take(url.host());
    if (!place) {
      return fail(ErrorCode::busy, "too many downloads run at the moment; try again later");
    }
    TRU_TRY(const auto addresses, find(url, place, stop));
    TRU_TRY(const auto location, Hop(config_, url, addresses, progress, deadline).run(file, stop));
    if (!location) {
      file.close();
      return Download{std::move(file), name};
    }
    TRU_TRY(Url next, url.follow(*location));
    if (url.is_https() && !next.is_https()) {
      return fail(ErrorCode::source_redirects,
                  "the web server leads from https to http, which is not followed");
    }
    url = std::move(next);
  }
  return fail(ErrorCode::source_redirects, "the web server redirects more than {} times",
              config_.max_redirects);
}

// The addresses to connect to, checked.
Result<std::vector<Address>> Fetcher::find(const Url& url, std::shared_ptr<void> place,
                                           std::stop_token stop) const {
  const auto& ports = config_.allowed_ports;
  if (!config_.allow_private) {
    if (std::find(ports.begin(), ports.end(), url.port()) == ports.end()) {
      return fail(ErrorCode::url_port_not_allowed, "port {} is not allowed; allowed are {}",
                  url.port(), fmt::join(ports, ", "));
    }
    if (is_private_name(url.host())) return not_allowed();
  }
  TRU_TRY(auto addresses,
          resolve(config_.resolver, url.host(), config_.resolve_timeout, std::move(place), stop));
  if (!config_.allow_private) {
    const auto own = own_addresses();
    for (const Address& address : addresses) {
      const bool ours = std::find(own.begin(), own.end(), address) != own.end();
      if (ours || !address.is_public()) return not_allowed();
    }
  }
  addresses.resize(std::min(addresses.size(), kMaxPinned));
  return addresses;
}

}  // namespace tru::fetch
