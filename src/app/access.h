// Who may reach the service.
#pragma once

#include "app/settings.h"

namespace tru::app {

// Whether only this machine can reach the service, and no proxy lets others in.
bool is_local(const Settings& settings);

// Whether the service asks for an API key, as AUTH and HOST say.
bool needs_keys(const Settings& settings);

// Where `tru keys` keeps the digests of keys.
std::filesystem::path key_file(const Settings& settings);

}  // namespace tru::app
