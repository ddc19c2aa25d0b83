#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "app/exit_code.h"

namespace tru::app {
namespace {

std::string words_of(const CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words += " --" + name;
  }
  // Option groups are subcommands without a name.
  for (const CLI::App* group : command.get_subcommands({})) {
    if (group->get_name().empty()) words += words_of(*group);
  }
  return words;
}

}  // namespace

int completion(const CLI::App& program, const std::string& shell) {
  std::string commands, bash_cases, fish_lines;
  for (const CLI::App* command : program.get_subcommands({})) {
    const std::string& name = command->get_name();
    const std::string words = words_of(*command);
    commands += (commands.empty() ? "" : " ") + name;
    bash_cases += fmt::format("    {}) words=\"{}\" ;;\n", name, words);
    fish_lines += fmt::format(
        "complete -c tru -n __fish_use_subcommand -f -a {} -d \"{}\"\n"
        "complete -c tru -n \"__fish_seen_subcommand_from {}\" -a \"{}\"\n",
        name, command->get_description(), name, words);
  }
  if (shell == "fish") {
    fmt::print("{}", fish_lines);
    return kOk;
  }
  // zsh runs bash's script through its own compatibility layer.
  if (shell == "zsh") fmt::print("autoload -U +X bashcompinit && bashcompinit\n");
  fmt::print(
      "_tru() {{\n"
      "  local word=\"${{COMP_WORDS[COMP_CWORD]}}\" words=\"{}\"\n"
      "  case \"${{COMP_CWORD}} ${{COMP_WORDS[1]}}\" in 1\\ *) ;; *)\n"
      "  case \"${{COMP_WORDS[1]}}\" in\n"
      "{}"
      "    *) words=\"\" ;;\n"
      "  esac ;; esac\n"
      "  if [ \"$COMP_CWORD\" = 1 ] || [ \"${{word#-}}\" != \"$word\" ]; then\n"
      "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "  else\n"
      "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
      "  fi\n"
      "}}\n"
      "complete -o filenames -F _tru tru\n",
      commands, bash_cases);
  return kOk;
}

}  // namespace tru::app
