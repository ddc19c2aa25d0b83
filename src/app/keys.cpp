#include "app/keys.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "app/access.h"
#include "app/exit_code.h"
#include "store/key_ring.h"

namespace tru::app {
namespace {

namespace json = boost::json;

std::string join(const std::vector<store::Scope>& scopes) {
  std::string text;
  for (const store::Scope scope : scopes) {
    text += (text.empty() ? "" : ",") + std::string(to_string(scope));
  }
  return text;
}

json::object to_json(const store::KeyInfo& key) {
  json::array scopes;
  for (const store::Scope scope : key.scopes) scopes.emplace_back(to_string(scope));
  return {{"id", key.id}, {"name", key.name}, {"scopes", scopes}, {"created", key.created}};
}

void print(const store::KeyInfo& key, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", json::serialize(to_json(key)));
  } else {
    fmt::print("{}  {}  {:<18} {}\n", key.id, key.created, join(key.scopes), key.name);
  }
}

int add(store::KeyRing& ring, const KeysOptions& options) {
  std::vector<store::Scope> scopes;
  for (const std::string& name : options.scopes) {
    const auto scope = store::parse_scope(name);
    if (!scope) return report(scope.error());
    scopes.push_back(*scope);
  }
  const auto key = ring.add(options.name, scopes);
  if (!key) return report(key.error());
  if (options.json) {
    json::object object = to_json(*ring.find(*key));
    object["key"] = *key;
    fmt::print("{}\n", json::serialize(object));
  } else {
    fmt::print("{}\n", *key);
    fmt::print(stderr,
               "This is the only time it is shown. Send it as: Authorization: Bearer KEY\n");
  }
  return kOk;
}

}  // namespace

void add_keys(CLI::App& command, KeysOptions& options) {
  command.require_subcommand(1);
  CLI::App* add = command.add_subcommand("add", "make a key, which is shown this once");
  CLI::App* list = command.add_subcommand("list", "show the keys there are");
  CLI::App* revoke = command.add_subcommand("revoke", "make a key useless, at once");
  add->add_option("name", options.name, "what it is for")->type_name("NAME")->required();
  add->add_option("--scopes", options.scopes,
                  "ask (questions), metrics (only numbers), admin (everything) [ask]")
      ->type_name("SCOPE,...")
      ->delimiter(',');
  revoke->add_option("key", options.name, "its id or name, as listed")
      ->type_name("ID|NAME")
      ->required();
  for (CLI::App* action : {add, list, revoke}) {
    action->add_flag("--json", options.json, "print a JSON object for each key");
    action
        ->add_option_function<std::string>(
            "--data-dir",
            [&options](const std::string& dir) { options.settings["DATA_DIR"] = dir; },
            "folder of the service's data [DATA_DIR]")
        ->type_name("DIR");
  }
}

int keys(const CLI::App& command, const KeysOptions& options) {
  const std::string action = command.get_subcommands().front()->get_name();
  const auto settings = read_settings(options.settings);
  if (!settings) return report(settings.error());
  auto ring = store::KeyRing::load(key_file(*settings));
  if (!ring) return report(ring.error());
  if (action == "add") return add(*ring, options);
  if (action == "revoke") {
    const auto revoked = ring->revoke(options.name);
    if (!revoked) {
      // What is not there is a wrong argument.
      const bool unknown = revoked.error().code == ErrorCode::not_found;
      return report(unknown ? Error{ErrorCode::invalid_argument,
                                    revoked.error().message + "; see tru keys list"}
                            : revoked.error());
    }
    print(*revoked, options.json);
    return kOk;
  }
  for (const store::KeyInfo& key : ring->list()) print(key, options.json);
  return kOk;
}

}  // namespace tru::app
