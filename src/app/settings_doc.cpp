#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/settings_table.h"

namespace tru::app {
namespace {

std::string_view title(SettingGroup group) {
  switch (group) {
    case SettingGroup::model:
      return "Model";
    case SettingGroup::answer:
      return "Answer";
    case SettingGroup::video:
      return "Video";
    case SettingGroup::remote:
      return "Remote servers";
    case SettingGroup::service:
      return "Service";
    case SettingGroup::access:
      return "Access";
    case SettingGroup::hub:
      return "Hugging Face hub";
  }
  return "";
}

// MAX_CONTEXT -> --max-context
std::string kebab_case(std::string_view name) {
  std::string flag = "--";
  for (const char c : name) flag += c == '_' ? '-' : static_cast<char>(std::tolower(c));
  return flag;
}

// A | would end the cell of a table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != text.npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string code(const std::string& text) {
  return text.empty() ? std::string() : "`" + cell(text) + "`";
}

// Calls heading(title) before the first setting of each group, and row(setting) for all.
template <typename Heading, typename Row>
void for_each_setting(const Heading& heading, const Row& row) {
  Settings defaults;
  std::optional<SettingGroup> last;
  for (const Setting& setting : settings_table(defaults)) {
    if (setting.group != last) heading(title(setting.group));
    last = setting.group;
    row(setting);
  }
}

}  // namespace

std::string Setting::flag() const {
  return own_flag.empty() ? kebab_case(name) : fmt::format("--{}", own_flag);
}

std::string Setting::flags() const {
  return own_flag.empty() ? flag() : flag() + "," + kebab_case(name);
}

std::string Setting::plain_help() const {
  std::string plain(help);
  std::erase(plain, '`');
  return plain;
}

void add_settings(CLI::App& command, const std::vector<SettingGroup>& groups, SettingFlags& flags) {
  Settings defaults;
  for (const Setting& setting : settings_table(defaults)) {
    if (std::find(groups.begin(), groups.end(), setting.group) == groups.end()) continue;
    const std::string standard = setting.value.show();
    const auto keep = [&flags, name = std::string(setting.name)](const std::string& value) {
      flags[name] = value;
    };
    command.add_option_function<std::string>(setting.flags(), keep, setting.plain_help())
        ->type_name(fmt::format("{} [{}{}{}]", setting.value.type, setting.name,
                                standard.empty() ? "" : "=", standard))
        ->group(std::string(title(setting.group)));
  }
}

std::string settings_markdown() {
  std::string page =
      "# Configuration\n\n"
      "Every setting is an environment variable and a flag of `tru serve`; a flag wins. `tru "
      "ask`,\n"
      "`tru plan` and `tru bench` read the same variables. An empty variable counts as unset. A\n"
      "value that is not allowed ends the program with one line that names it.\n\n"
      "This page is made by `tru settings --markdown` from the table that the program itself "
      "reads.\n";
  for_each_setting(
      [&](std::string_view heading) {
        page += fmt::format(
            "\n## {}\n\n| variable | flag | default | allowed | meaning |\n|---|---|---|---|---|\n",
            heading);
      },
      [&](const Setting& setting) {
        page += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", setting.name, setting.flag(),
                            code(setting.value.show()), setting.value.allowed, setting.help);
      });
  return page;
}

std::string settings_env_file() {
  std::string file =
      "# Settings of tru. Remove the # before those that you change; all are explained in\n"
      "# docs/CONFIGURATION.md.\n";
  for_each_setting(
      [&](std::string_view heading) { file += fmt::format("\n# --- {} ---\n", heading); },
      [&](const Setting& setting) {
        file += fmt::format("\n# {}\n# Allowed: {}.\n#{}={}\n", setting.plain_help(),
                            setting.value.allowed, setting.name, setting.value.show());
      });
  return file;
}

int settings(const SettingsOptions& options) {
  if (options.markdown || options.env) {
    fmt::print("{}", options.markdown ? settings_markdown() : settings_env_file());
    return kOk;
  }
  auto values = read_settings();
  if (!values) return report(values.error());
  for (const Setting& setting : settings_table(*values)) {
    const std::string value = setting.value.show();
    fmt::print("{:<28} {:<12} {}\n", setting.name,
               process_environment(setting.name) ? "environment" : "default",
               setting.value.secret && !value.empty() ? "(set)" : value);
  }
  return kOk;
}

}  // namespace tru::app
