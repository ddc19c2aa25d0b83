// The kinds of values that settings have: how one is read from text, shown, and described.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace tru::app {

// One field of Settings, seen as text. Refers to the field it was made from.
struct SettingValue {
  std::string type;                                   // for a usage line: "N", "TEXT", "on|off"
  std::string allowed;                                // for a message: "a number from 0 to 2"
  std::function<bool(std::string_view text)> assign;  // false, and nothing changed: not allowed
  std::function<std::string()> show;                  // as assign() reads it; empty: unset
  bool secret = false;                                // never to be shown
};

// So many requests, or bytes, in so long a time; none means any number.
struct RateLimit {
  std::int64_t amount = 0;
  double period_s = 60;
};

// Whole if Number is (1e6 is allowed); least and most inclusive. A field below least is unset.
SettingValue number(double& field, double least, double most);
SettingValue number(int& field, double least, double most);
SettingValue number(std::int64_t& field, double least, double most);
SettingValue text(std::string& field, std::string type = "TEXT");
SettingValue folder(std::filesystem::path& field);
SettingValue file(std::filesystem::path& field);
SettingValue secret(std::string& field);
// Letter case does not matter; the field gets the spelling in `choices`.
SettingValue choice(std::string& field, std::vector<std::string> choices);
SettingValue toggle(bool& field);  // 1, true, yes, on; 0, false, no, off
SettingValue url(std::string& field);
// Lists are JSON (["a","b"]) or separated by commas.
SettingValue texts(std::vector<std::string>& field, std::string type = "TEXT,...");
SettingValue secrets(std::vector<std::string>& field);
SettingValue urls(std::vector<std::string>& field);
SettingValue origins(std::vector<std::string>& field);  // scheme://host[:port]
SettingValue networks(std::vector<Network>& field);     // addresses too
SettingValue ports(std::vector<int>& field);
SettingValue rate(RateLimit& field);    // "60/m"; per s, m, h or d
SettingValue volume(RateLimit& field);  // "500MB/h"; KB, MB, GB or TB per s, m, h or d

}  // namespace tru::app
