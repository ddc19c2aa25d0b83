// tru keys: makes, lists and revokes the API keys of the service.
#pragma once

#include "app/settings.h"

namespace tru::app {

struct KeysOptions {
  SettingFlags settings;
  std::string name;  // of a new key; name or id of one to revoke
  std::vector<std::string> scopes = {"ask"};
  bool json = false;
};

// With the subcommands add, list and revoke.
void add_keys(CLI::App& command, KeysOptions& options);

// Does what the subcommand that was parsed says. Returns the exit code.
int keys(const CLI::App& command, const KeysOptions& options);

}  // namespace tru::app
