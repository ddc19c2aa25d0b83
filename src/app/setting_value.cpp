#include "app/setting_value.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <boost/system/error_code.hpp>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <type_traits>

namespace tru::app {
namespace {

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

template <typename Number>
SettingValue any_number(Number& field, double least, double most) {
  constexpr bool kWhole = std::is_integral_v<Number>;
  // Beyond 2^53 doubles skip whole numbers; nothing of ours counts so far.
  const double top = std::min(most, 9007199254740992.0);
  const std::string range =
      most > top ? fmt::format("from {}", least) : fmt::format("from {} to {}", least, most);
  SettingValue value;
  value.type = "N";
  value.allowed = (kWhole ? "a whole number " : "a number ") + range;
  value.assign = [&field, least, top](std::string_view text) {
    const auto parsed = parse_number(text);
    if (!parsed || !(*parsed >= least && *parsed <= top)) return false;
    if (kWhole && *parsed != std::floor(*parsed)) return false;
    field = static_cast<Number>(*parsed);
    return true;
  };
  value.show = [&field, least] {
    return static_cast<double>(field) < least ? std::string() : fmt::format("{}", field);
  };
  return value;
}

std::optional<std::vector<std::string>> parse_list(std::string_view text) {
  namespace json = boost::json;
  std::vector<std::string> items;
  if (trim(text).starts_with('[')) {
    boost::system::error_code error;
    const json::value parsed = json::parse(text, error);
    if (error || !parsed.is_array()) return std::nullopt;
    for (const json::value& item : parsed.get_array()) {
      if (!item.is_string() && !item.is_int64()) return std::nullopt;
      items.push_back(item.is_string() ? std::string(item.get_string()) : json::serialize(item));
    }
    return items;
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = trim(text.substr(begin, end - begin));
    if (!item.empty()) items.emplace_back(item);
    begin = end + 1;
  }
  return items;
}

// http(s)://host..., without blanks, user or fragment.
bool is_http_url(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view rest = text.substr(scheme.size());
    return !rest.empty() && rest.front() != '/' && rest.find_first_of(" \t@#\\") == rest.npos;
  }
  return false;
}

bool is_origin(std::string_view text) {
  return is_http_url(text) && text.find('/', text.find("://") + 3) == text.npos &&
         text.find_first_of("*?") == text.npos;
}

// parse: a text to what it means, or nothing; show: back to a text.
template <typename Item, typename Parse, typename Show>
SettingValue list_of(std::vector<Item>& field, std::string type, std::string allowed, Parse parse,
                     Show show) {
  SettingValue value;
  value.type = std::move(type);
  value.allowed = std::move(allowed);
  value.assign = [&field, parse](std::string_view given) {
    const auto texts = parse_list(given);
    if (!texts) return false;
    std::vector<Item> items;
    for (const std::string& text : *texts) {
      const std::optional<Item> item = parse(text);
      if (!item) return false;
      items.push_back(*item);
    }
    field = std::move(items);
    return true;
  };
  value.show = [&field, show] {
    std::vector<std::string> shown;
    for (const Item& item : field) shown.push_back(show(item));
    return fmt::format("{}", fmt::join(shown, ","));
  };
  return value;
}

SettingValue list(std::vector<std::string>& field, std::string type, std::string allowed,
                  bool (*good)(std::string_view)) {
  const auto parse = [good](const std::string& text) {
    return good(text) ? std::optional(text) : std::nullopt;
  };
  return list_of(field, std::move(type), std::move(allowed), parse,
                 [](const std::string& text) { return text; });
}

bool any(std::string_view) {
  return true;
}

}  // namespace

SettingValue number(double& field, double least, double most) {
  return any_number(field, least, most);
}
SettingValue number(int& field, double least, double most) {
  return any_number(field, least, most);
}
SettingValue number(std::int64_t& field, double least, double most) {
  return any_number(field, least, most);
}

SettingValue text(std::string& field, std::string type) {
  const auto assign = [&field](std::string_view value) {
    field = value;
    return true;
  };
  return {std::move(type), "any text", assign, [&field] { return field; }};
}

SettingValue folder(std::filesystem::path& field) {
  const auto assign = [&field](std::string_view value) {
    field = value;
    return true;
  };
  return {"DIR", "a folder", assign, [&field] { return field.string(); }};
}

SettingValue file(std::filesystem::path& field) {
  SettingValue value = folder(field);
  value.type = "FILE";
  value.allowed = "a file";
  return value;
}

SettingValue secret(std::string& field) {
  SettingValue value = text(field, "SECRET");
  value.secret = true;
  return value;
}

SettingValue choice(std::string& field, std::vector<std::string> choices) {
  SettingValue value;
  value.type = fmt::format("{}", fmt::join(choices, "|"));
  value.allowed = fmt::format("{}", fmt::join(choices, ", "));
  value.assign = [&field, choices = std::move(choices)](std::string_view given) {
    const auto found = std::find_if(choices.begin(), choices.end(), [&](const auto& one) {
      return equal_ignoring_case(one, given);
    });
    if (found == choices.end()) return false;
    field = *found;
    return true;
  };
  value.show = [&field] { return field; };
  return value;
}

SettingValue toggle(bool& field) {
  const auto assign = [&field](std::string_view given) {
    const auto is = [&](std::string_view word) { return equal_ignoring_case(word, given); };
    if (is("1") || is("true") || is("yes") || is("on")) {
      field = true;
    } else if (is("0") || is("false") || is("no") || is("off")) {
      field = false;
    } else {
      return false;
    }
    return true;
  };
  return {"0|1", "0 (false, no, off) or 1 (true, yes, on)", assign,
          [&field] { return field ? "1" : "0"; }};
}

SettingValue url(std::string& field) {
  SettingValue value = text(field, "URL");
  value.allowed = "an http:// or https:// URL";
  value.assign = [&field](std::string_view given) {
    if (!is_http_url(given)) return false;
    field = given;
    return true;
  };
  return value;
}

SettingValue texts(std::vector<std::string>& field, std::string type) {
  return list(field, std::move(type), "a JSON list of texts, or texts separated by commas", any);
}

SettingValue secrets(std::vector<std::string>& field) {
  SettingValue value = texts(field, "SECRET,...");
  value.secret = true;
  return value;
}

SettingValue urls(std::vector<std::string>& field) {
  return list(field, "URL,...", "http:// or https:// URLs, separated by commas", is_http_url);
}

SettingValue origins(std::vector<std::string>& field) {
  return list(field, "ORIGIN,...",
              "origins such as http://localhost:3000 (no path, no *), separated by commas",
              is_origin);
}

SettingValue networks(std::vector<Network>& field) {
  return list_of(field, "ADDRESS[/BITS],...",
                 "addresses and networks such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32 (no names, "
                 "no bits set beyond the length, no /0), separated by commas",
                 Network::parse, [](const Network& network) { return network.text(); });
}

SettingValue ports(std::vector<int>& field) {
  const auto parse = [](const std::string& text) {
    int port = 0;
    return number(port, 1, 65535).assign(text) ? std::optional(port) : std::nullopt;
  };
  return list_of(field, "PORT,...", "port numbers from 1 to 65535, separated by commas", parse,
                 [](int port) { return std::to_string(port); });
}

namespace {

struct Unit {
  std::string_view name;
  double size;
};
constexpr Unit kPeriods[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
constexpr Unit kVolumes[] = {{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}};

// An amount in one of `units`, or without a unit if there are none, per period.
SettingValue amount_per_period(RateLimit& field, std::span<const Unit> units) {
  SettingValue value;
  value.assign = [&field, units](std::string_view given) {
    const std::size_t slash = std::min(given.find('/'), given.size());
    const auto period =
        std::find_if(std::begin(kPeriods), std::end(kPeriods), [&](const Unit& one) {
          return one.name == given.substr(std::min(slash + 1, given.size()));
        });
    if (period == std::end(kPeriods)) return false;
    std::string_view amount = given.substr(0, slash);
    double size = 1;
    if (!units.empty()) {
      const auto unit = std::find_if(units.begin(), units.end(),
                                     [&](const Unit& one) { return amount.ends_with(one.name); });
      if (unit == units.end()) return false;
      size = unit->size;
      amount.remove_suffix(unit->name.size());
    }
    RateLimit limit{0, period->size};
    const double most = units.empty() ? 1e9 : 1e15 / size;
    if (!number(limit.amount, 1, most).assign(amount)) return false;
    limit.amount *= static_cast<std::int64_t>(size);
    field = limit;
    return true;
  };
  value.show = [&field, units] {
    if (field.amount == 0) return std::string();
    const auto* period = std::find_if(std::begin(kPeriods), std::end(kPeriods),
                                      [&](const Unit& one) { return one.size == field.period_s; });
    std::int64_t amount = field.amount;
    std::string_view name;
    for (const Unit& unit : units) {  // the largest that leaves a whole number
      const auto size = static_cast<std::int64_t>(unit.size);
      if (field.amount % size != 0) continue;
      amount = field.amount / size;
      name = unit.name;
    }
    return fmt::format("{}{}/{}", amount, name, period->name);
  };
  return value;
}

}  // namespace

SettingValue rate(RateLimit& field) {
  SettingValue value = amount_per_period(field, {});
  value.type = "N/UNIT";
  value.allowed = "a whole number from 1 per s, m, h or d, such as 60/m";
  return value;
}

SettingValue volume(RateLimit& field) {
  SettingValue value = amount_per_period(field, kVolumes);
  value.type = "SIZE/UNIT";
  value.allowed = "a whole number of KB, MB, GB or TB per s, m, h or d, such as 20GB/d";
  return value;
}

}  // namespace tru::app
