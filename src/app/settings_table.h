// The table behind settings.h.
#pragma once

#include "app/settings.h"

namespace tru::app {

struct Setting {
  SettingGroup group;
  const char* name;  // of the environment variable
  SettingValue value;
  std::string_view help;        // sentences, in Markdown
  std::string_view own_flag{};  // if it has another one than the name's

  std::string flag() const;        // "--max-tokens": the one to show
  std::string flags() const;       // "--max-tokens,--max-new-tokens": all
  std::string plain_help() const;  // without Markdown
};

// Every setting, in order of groups; the values refer to fields of `settings`.
std::vector<Setting> settings_table(Settings& settings);

}  // namespace tru::app
